import CKernels
import Testing

/// The largest elements against sorting, under every instruction set.
@Suite struct SparseTests {
  @Test func theLargestAreThoseOfASortUnderEveryInstructionSet() async {
    await #expect(processExitsWith: .success) {
      for set in CodecInput.sets {
        ck_limit_instruction_set(set)
        for count in [1, 2, 15, 16, 17, 33, 100, 1000] {
          for k in Set([1, 2, count / 10, count / 3, count - 1, count]) where (1...count).contains(k) {
            #expect(Self.agrees(CodecInput.values(count, salt: 4), k), "set \(set.rawValue), \(k) of \(count)")
            #expect(Self.agrees([Float](repeating: 0, count: count), k), "set \(set.rawValue), \(k) of \(count) zeros")
          }
        }
        var values = CodecInput.values(100, salt: 4)
        (values[3], values[50], values[99]) = (.nan, -.infinity, -.nan)
        for k in 1...5 { #expect(Self.agrees(values, k)) }
      }
    }
  }

  /// Of equal magnitudes the lower index comes first; what is not a number before all.
  private static func agrees(_ values: [Float], _ k: Int) -> Bool {
    func magnitude(_ index: Int) -> UInt32 { values[index].bitPattern & 0x7fff_ffff }
    let sorted = values.indices.sorted { (magnitude($1), $0) < (magnitude($0), $1) }
    let expected = sorted.prefix(k).sorted().map { UInt32($0) }
    var bins = [UInt32](repeating: 0, count: Int(CK_SELECTION_BINS))
    var selection = ck_selection()
    ck_select_largest(values, values.count, k, &bins, &selection)
    guard selection.magnitude == magnitude(sorted[k - 1]), selection.above + selection.ties == k else { return false }
    var (indices, listed) = ([UInt32](repeating: 7, count: k + 1), 0)
    ck_list_largest(values, values.count, selection.magnitude, selection.ties, &indices, k, &listed)
    guard listed == k, indices == expected + [7] else { return false }
    // Too little room is said, and not exceeded.
    ck_list_largest(values, values.count, selection.magnitude, selection.ties, &indices, k - 1, &listed)
    return listed == k && indices == expected + [7]
  }

  @Test func elementsAreTakenAndAdded() {
    var values = CodecInput.values(50, salt: 5)
    let indices: [UInt32] = [0, 3, 17, 49]
    let expected = indices.map { values[Int($0)] }
    var taken = [Float](repeating: 0, count: 4)
    ck_take(&values, indices, 4, &taken)
    #expect(taken == expected && indices.allSatisfy { values[Int($0)] == 0 })
    var sum = [Float](repeating: 1, count: 50)
    #expect(ck_scatter_add(&sum, 50, indices, taken, 4) == 1)
    #expect(sum.indices.allSatisfy { sum[$0] == 1 + (indices.firstIndex(of: UInt32($0)).map { expected[$0] } ?? 0) })
    #expect(ck_scatter_add(&sum, 49, indices, taken, 4) == 0)
    ck_clear(&sum, indices, 3)
    #expect(sum[0] == 0 && sum[3] == 0 && sum[17] == 0 && sum[49] != 0)
    var samples = [Float](repeating: 0, count: 7)
    ck_sample(values, 2, 7, &samples, 7)
    #expect(samples == (0..<7).map { values[2 + 7 * $0] })
  }
}
