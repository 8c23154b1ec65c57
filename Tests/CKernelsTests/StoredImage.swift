import CKernels

/// Memory of an image as kernels see it, in floats or in bfloat16.
final class StoredImage {
  let memory: UnsafeMutableRawPointer
  private let count: Int
  private let storage: ck_storage

  /// - Parameter values: rounded where they are stored in less.
  init(_ values: [Float], _ storage: ck_storage) {
    (count, self.storage) = (values.count, storage)
    memory = .allocate(byteCount: max(values.count, 1) * 4, alignment: 64)
    if storage == CK_IN_BFLOAT16 {
      ck_round_to_bfloat16(values, memory.assumingMemoryBound(to: UInt16.self), count)
    } else {
      memory.copyMemory(from: values, byteCount: count * 4)
    }
  }

  /// No numbers, so that what is not written shows.
  convenience init(count: Int, _ storage: ck_storage) { self.init([Float](repeating: .nan, count: count), storage) }

  deinit { memory.deallocate() }

  var values: [Float] {
    [Float](unsafeUninitializedCapacity: count) { buffer, initialized in
      if let base = buffer.baseAddress {
        if storage == CK_IN_BFLOAT16 {
          ck_widen_bfloat16(memory.assumingMemoryBound(to: UInt16.self), base, count)
        } else {
          UnsafeMutableRawPointer(base).copyMemory(from: memory, byteCount: count * 4)
        }
      }
      initialized = count
    }
  }

  /// The numbers that stay of these when they are stored.
  static func kept(_ values: [Float], _ storage: ck_storage) -> [Float] { StoredImage(values, storage).values }
}

/// What a kernel computes with the processor's instructions for bfloat16 and without them.
func expectTheSameBitsWithoutDots(_ outputs: () -> [[Float]]) -> Bool {
  ck_set_float_environment()
  let with = outputs().map { $0.map(\.bitPattern) }
  ck_forgo_dots()
  return outputs().map { $0.map(\.bitPattern) } == with
}
