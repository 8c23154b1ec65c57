import CKernels
import COneDNN

/// A kernel of `CKernels` in a plan, beside the library's (`Kernel`).
protocol OwnKernel {
  /// For plans and tables.
  var name: String { get }
  /// Memory that it needs while it runs.
  var scratchBytes: Int { get }
  /// - Parameters:
  ///   - scratch: of `scratchBytes`.
  ///   - place: an argument's memory in the run at hand.
  func run(scratch: UnsafeMutablePointer<Float>, _ place: (Plan.Location) -> UnsafeMutableRawPointer)
}

extension OwnKernel {
  /// An argument that is floats in any precision.
  func floats(_ memory: UnsafeMutableRawPointer) -> UnsafePointer<Float> { UnsafePointer(mutableFloats(memory)) }

  func mutableFloats(_ memory: UnsafeMutableRawPointer) -> UnsafeMutablePointer<Float> {
    memory.assumingMemoryBound(to: Float.self)
  }
}

/// How many threads share an own kernel's work, those of a shard; the bits do not depend on it.
struct KernelTeam {
  let parts = odn_threads()
  var run: ck_team? { parts > 1 ? odn_team : nil }
}

/// Where the arguments of a convolution or an inner product lie; which ones there are depends on the pass.
struct ProductArguments {
  var source: Plan.Location?
  var weights: Plan.Location?
  var bias: Plan.Location?
  var diffResult: Plan.Location?
  var diffBias: Plan.Location?
  /// The result, the source's gradient or the weights' gradient.
  var output: Plan.Location
  /// Whether max(·, 0) is applied to the result.
  var relu = false
}
