import CKernels
import Networks

/// The gradient of the weights of a convolution over row-major images with few channels (CKernels/first_convolution.h).
struct FirstConvolution: OwnKernel {
  let shape: ck_first_convolution
  let arguments: ProductArguments
  private let team = KernelTeam()

  init(_ shape: ck_first_convolution, _ arguments: ProductArguments) {
    (self.shape, self.arguments) = (shape, arguments)
  }

  var scratchBytes: Int {
    withUnsafePointer(to: shape) { ck_first_convolution_scratch($0, team.parts) } * MemoryLayout<Float>.stride
  }

  var name: String { "own" }

  func run(scratch: UnsafeMutablePointer<Float>, _ place: (Plan.Location) -> UnsafeMutableRawPointer) {
    var job = ck_first_convolution_job()
    job.shape = shape
    job.source = arguments.source.map { floats(place($0)) }
    job.diff_result = arguments.diffResult.map { floats(place($0)) }
    job.diff_weights = mutableFloats(place(arguments.output))
    job.diff_bias = arguments.diffBias.map { mutableFloats(place($0)) }
    job.scratch = scratch
    ck_first_convolution_weights(&job, team.run, team.parts)
  }
}

extension FirstConvolution {
  /// The shape of a convolution that it can do: 3×3 or 5×5, few channels, one group, and weights that the library lays
  /// out as [blocks of filters, kernel, kernel, channels, block]. With one channel that layout has two names.
  static func shape(
    input: [Int], output: [Int], _ window: Window, groups: Int, weights: Layout
  ) -> ck_first_convolution? {
    let (kernel, stride) = (window.kernel[0], window.stride[0])
    let layouts = ["Acdb\(ck_block())a"] + (input[1] == 1 ? ["Acbd\(ck_block())a"] : [])
    guard groups == 1, input[1] <= 4, kernel == 3 || kernel == 5, window.kernel == [kernel, kernel],
      window.stride == [stride, stride], layouts.contains(weights.order)
    else { return nil }
    return ck_first_convolution(
      batch: input[0], channels: input[1], height: input[2], width: input[3], filters: output[1],
      out_height: output[2], out_width: output[3], padding_top: window.padding[0], padding_left: window.padding[1],
      kernel: Int32(kernel), stride: Int32(stride))
  }
}
