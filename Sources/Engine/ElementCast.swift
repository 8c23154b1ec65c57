import CKernels

/// A tensor's elements rounded to bfloat16, or widened to floats, in the order in which they lie.
struct ElementCast: OwnKernel {
  let source: Plan.Location
  let destination: Plan.Location
  let element: Layout.Element
  /// Of elements, padding included.
  let count: Int

  var name: String { element == .bfloat16 ? "round" : "widen" }
  var scratchBytes: Int { 0 }

  func run(scratch: UnsafeMutablePointer<Float>, _ place: (Plan.Location) -> UnsafeMutableRawPointer) {
    let (source, destination) = (place(source), place(destination))
    if element == .bfloat16 {
      ck_round_to_bfloat16(
        source.assumingMemoryBound(to: Float.self), destination.assumingMemoryBound(to: UInt16.self), count)
    } else {
      ck_widen_bfloat16(
        source.assumingMemoryBound(to: UInt16.self), destination.assumingMemoryBound(to: Float.self), count)
    }
  }
}
