import CKernels

/// The gradient of a ReLU (CKernels/relu.h).
struct ReLUGradient: OwnKernel {
  let result: Plan.Location
  let diffResult: Plan.Location
  let diffSource: Plan.Location
  /// Of elements, padding included.
  let count: Int

  var name: String { "own" }
  var scratchBytes: Int { 0 }

  func run(scratch: UnsafeMutablePointer<Float>, _ place: (Plan.Location) -> UnsafeMutableRawPointer) {
    ck_relu_backward(floats(place(result)), floats(place(diffResult)), mutableFloats(place(diffSource)), count)
  }
}
