import CKernels
import COneDNN

/// One pass of an inner product over weights in blocks of outputs (CKernels/inner_product.h), in place of the library's
/// over row-major weights.
struct BlockedInnerProduct: OwnKernel {
  let pass: ck_pass
  let shape: ck_inner_product
  let arguments: ProductArguments
  private let team = KernelTeam()

  /// - Parameters:
  ///   - weights: the shape [outputs, inputs].
  ///   - makesFloats: whether the forward result is floats in any precision.
  init(
    _ pass: ck_pass, samples: Int, weights: [Int], _ precision: Precision, makesFloats: Bool = false,
    _ arguments: ProductArguments
  ) {
    self.pass = pass
    shape = ck_inner_product(
      samples: samples, inputs: weights[1], outputs: weights[0], storage: precision.storage,
      result_storage: makesFloats ? CK_IN_FLOAT32 : precision.storage)
    self.arguments = arguments
  }

  /// The layout of weights [outputs, inputs] that it works on, under extents [outputs, inputs, 1, 1]: those of a
  /// convolution of 1×1.
  static func weightForm(_ shape: [Int]) throws -> ParameterLayout.Form {
    let extents = shape + [1, 1]
    return ParameterLayout.Form(layout: try .blockedWeights(extents, block: Int(ck_block())), extents: extents)
  }

  var scratchBytes: Int {
    withUnsafePointer(to: shape) { ck_inner_product_scratch($0, pass, team.parts) } * MemoryLayout<Float>.stride
  }

  var name: String { "own" }

  func run(scratch: UnsafeMutablePointer<Float>, _ place: (Plan.Location) -> UnsafeMutableRawPointer) {
    var job = ck_inner_product_job()
    job.shape = shape
    job.source = arguments.source.map { UnsafeRawPointer(place($0)) }
    job.weights = arguments.weights.map { floats(place($0)) }
    job.bias = arguments.bias.map { floats(place($0)) }
    job.diff_result = arguments.diffResult.map { UnsafeRawPointer(place($0)) }
    job.diff_bias = arguments.diffBias.map { mutableFloats(place($0)) }
    job.output = place(arguments.output)
    job.relu = arguments.relu ? 1 : 0
    job.scratch = scratch
    ck_inner_product_run(&job, pass, team.run, team.parts)
  }
}
