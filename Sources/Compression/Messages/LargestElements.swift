import CKernels

/// Finds the k elements of largest magnitude, exactly, the lower index first where magnitudes are equal, in ascending order.
///
/// In large tensors a sample gives a magnitude that a few more than k elements reach; those are listed in one pass, and
/// the k largest found among them. Where the sample misled, and in small tensors, three passes count digits of all.
struct LargestElements {
  private let bins: UnsafeMutablePointer<UInt32>
  private let samples: UnsafeMutablePointer<Float>
  /// Indices of elements that may be among the largest, their values, and places of those that are.
  private let candidates: UnsafeMutablePointer<UInt32>
  private let values: UnsafeMutablePointer<Float>
  private let places: UnsafeMutablePointer<UInt32>
  private let mostCandidates: Int
  private let sampleCount: Int

  private static let binCount = Int(CK_SELECTION_BINS)
  /// Below it all elements are looked at.
  private static let leastSampled = 1 << 16
  /// Samples that are expected among the k largest: the magnitude is then sure enough.
  private static let hits = 128

  static func scratchBytes(elements: Int, k: Int) -> Int {
    4 * (binCount + samples(elements, k) + 3 * candidates(k))
  }

  /// - Parameter scratch: `scratchBytes` for as many elements and this k or a larger one.
  init(elements: Int, k: Int, scratch: UnsafeMutableRawPointer) {
    sampleCount = Self.samples(elements, k)
    mostCandidates = Self.candidates(k)
    bins = scratch.assumingMemoryBound(to: UInt32.self)
    samples = (scratch + 4 * Self.binCount).assumingMemoryBound(to: Float.self)
    let lists = scratch + 4 * (Self.binCount + sampleCount)
    candidates = lists.assumingMemoryBound(to: UInt32.self)
    values = (lists + 4 * mostCandidates).assumingMemoryBound(to: Float.self)
    places = (lists + 8 * mostCandidates).assumingMemoryBound(to: UInt32.self)
  }

  private static func candidates(_ k: Int) -> Int { 2 * k + 1024 }

  /// 0 where sampling does not pay: in small tensors, and where much is kept.
  private static func samples(_ elements: Int, _ k: Int) -> Int {
    guard elements >= leastSampled, k > 0, k <= elements / 8 else { return 0 }
    return min(max(elements / 100, elements / k * hits), elements / 2)
  }

  /// Writes the indices of the k largest of `count` elements.
  func list(_ vector: UnsafePointer<Float>, count: Int, k: Int, into indices: UnsafeMutablePointer<UInt32>) {
    if k == 0 || listFromSample(vector, count, k, indices) { return }
    var (selection, listed) = (ck_selection(), 0)
    ck_select_largest(vector, count, k, bins, &selection)
    ck_list_largest(vector, count, selection.magnitude, selection.ties, indices, k, &listed)
  }

  private func listFromSample(
    _ vector: UnsafePointer<Float>, _ count: Int, _ k: Int, _ indices: UnsafeMutablePointer<UInt32>
  ) -> Bool {
    if sampleCount == 0 { return false }
    ck_sample(vector, 0, count / sampleCount, samples, sampleCount)
    // Three standard deviations more than are expected.
    let expected = Double(k) * Double(sampleCount) / Double(count)
    let rank = min(Int(expected + 3 * expected.squareRoot()) + 2, sampleCount)
    var (selection, listed) = (ck_selection(), 0)
    ck_select_largest(samples, sampleCount, rank, bins, &selection)
    ck_list_largest(vector, count, selection.magnitude, count, candidates, mostCandidates, &listed)
    if listed < k || listed > mostCandidates { return false }
    for place in 0..<listed { values[place] = vector[Int(candidates[place])] }
    ck_select_largest(values, listed, k, bins, &selection)
    ck_list_largest(values, listed, selection.magnitude, selection.ties, places, k, &listed)
    for place in 0..<k { indices[place] = candidates[Int(places[place])] }
    return true
  }
}
