import CKernels

extension LocalSum {
  /// The terms as `ck_sum` takes them: operand n is contribution n of the rank or, after those, a buffer.
  ///
  /// - Parameter hosted: the shards whose contributions there are.
  func codes(hosted: Range<Int>) -> [Int32] {
    var codes: [Int32] = []
    var waiting = 0
    for term in terms {
      switch term {
      case .operand(.contribution(let shard)): codes.append(Int32(shard - hosted.lowerBound))
      case .operand(.buffer(let buffer)): codes.append(Int32(hosted.count + buffer))
      case .plus:
        if let last = codes.last, last >= 0, codes.count > 1 {
          codes[codes.count - 1] = ckPlusVector(last)
        } else {
          codes.append(-1)
        }
      }
    }
    for code in codes where code >= -1 {
      waiting += code >= 0 ? 1 : -1
      precondition(waiting <= Int(CK_WAITING_SUMS), "a sum with \(terms.count) terms is nested too deeply")
    }
    return codes
  }

  /// The sum of what is before it and vector n.
  private func ckPlusVector(_ n: Int32) -> Int32 { -2 - n }
}

/// The memory that a program's sums work on: contributions, then buffers, each at the first element of the bucket.
///
/// Sound: the owner sets every pointer to memory of its own or of its caller that covers the bucket, before sums are made.
final class OperandTable {
  let hosted: Range<Int>
  private let pointers: UnsafeMutablePointer<UnsafePointer<Float>?>
  private let count: Int

  init(hosted: Range<Int>, buffers: Int) {
    self.hosted = hosted
    count = hosted.count + buffers
    pointers = .allocate(capacity: count)
    pointers.initialize(repeating: nil, count: count)
  }

  deinit { pointers.deallocate() }

  func setContribution(_ index: Int, _ pointer: UnsafePointer<Float>) { pointers[index] = pointer }
  func setBuffer(_ index: Int, _ pointer: UnsafeMutablePointer<Float>) {
    pointers[hosted.count + index] = UnsafePointer(pointer)
  }

  func contribution(ofShard shard: Int) -> UnsafePointer<Float> { self[shard - hosted.lowerBound] }
  func buffer(_ index: Int) -> UnsafeMutablePointer<Float> {
    UnsafeMutablePointer(mutating: self[hosted.count + index])
  }

  private subscript(index: Int) -> UnsafePointer<Float> {
    guard index < count, let pointer = pointers[index] else { preconditionFailure("no operand \(index) of \(count)") }
    return pointer
  }

  func execute(_ sum: CompiledSum) {
    let result = buffer(sum.buffer)
    if sum.codes.count == 1 {
      // A run of one shard may have its contribution for its sum.
      let source = self[Int(sum.codes[0])]
      if result != source {
        (result + sum.elements.lowerBound).update(from: source + sum.elements.lowerBound, count: sum.elements.count)
      }
      return
    }
    sum.codes.withUnsafeBufferPointer { codes in
      ck_sum(result, pointers, sum.elements.lowerBound, sum.elements.count, codes.baseAddress, Int32(codes.count))
    }
  }
}

/// A sum as the loops take it.
struct CompiledSum {
  let elements: Range<Int>
  let codes: [Int32]
  let buffer: Int

  init(_ sum: LocalSum, hosted: Range<Int>) {
    (elements, codes, buffer) = (sum.elements, sum.codes(hosted: hosted), sum.buffer)
  }
}
