import CKernels
import COneDNN
import Networks

/// One pass of a depthwise convolution (CKernels/depthwise.h), in place of the library's.
struct DepthwiseConvolution: OwnKernel {
  let pass: ck_pass
  let shape: ck_depthwise
  let arguments: ProductArguments
  private let team = KernelTeam()

  init(_ pass: ck_pass, _ shape: ck_depthwise, _ arguments: ProductArguments) {
    (self.pass, self.shape, self.arguments) = (pass, shape, arguments)
  }

  var scratchBytes: Int {
    withUnsafePointer(to: shape) { ck_depthwise_scratch($0, pass, team.parts) } * MemoryLayout<Float>.stride
  }

  var name: String { "own depthwise" }

  func run(scratch: UnsafeMutablePointer<Float>, _ place: (Plan.Location) -> UnsafeMutableRawPointer) {
    var job = ck_depthwise_job()
    job.shape = shape
    job.source = arguments.source.map { floats(place($0)) }
    job.weights = arguments.weights.map { floats(place($0)) }
    job.bias = arguments.bias.map { floats(place($0)) }
    job.diff_result = arguments.diffResult.map { floats(place($0)) }
    job.diff_bias = arguments.diffBias.map { mutableFloats(place($0)) }
    job.output = mutableFloats(place(arguments.output))
    job.relu = arguments.relu ? 1 : 0
    job.scratch = scratch
    ck_depthwise_run(&job, pass, team.run, team.parts)
  }
}

extension DepthwiseConvolution {
  /// The layout of weights [channels, 1, 1, kernel, kernel] that it works on.
  static let weightLayout = "Abcde\(ck_block())a"

  /// The shape of a convolution that it can do: as many groups as channels and filters, 3×3 or 5×5, stride 1 or 2.
  static func shape(input: [Int], output: [Int], _ window: Window, groups: Int) -> ck_depthwise? {
    let (kernel, stride) = (window.kernel[0], window.stride[0])
    guard groups > 1, groups == input[1], groups == output[1], kernel == 3 || kernel == 5,
      window.kernel == [kernel, kernel], stride == 1 || stride == 2, window.stride == [stride, stride],
      window.padding.allSatisfy({ $0 < kernel })
    else { return nil }
    return ck_depthwise(
      batch: input[0], channels: input[1], height: input[2], width: input[3], out_height: output[2],
      out_width: output[3], padding_top: window.padding[0], padding_left: window.padding[1], kernel: Int32(kernel),
      stride: Int32(stride))
  }

  /// Whether it is faster than the library's kernel. That computes results as fast as memory allows; its gradient of the
  /// source is slow unless images are tiny; for that of the weights it has no code of its own for 5×5 and tiny images
  /// (`libraryRank`, see `Kernel.rank`), and is slow where rows are long.
  static func isFaster(_ pass: ck_pass, _ shape: ck_depthwise, libraryRank: Int) -> Bool {
    switch pass {
    case CK_FORWARD: libraryRank > 0
    case CK_BACKWARD_DATA: libraryRank > 0 || shape.width > 2
    default: libraryRank > 0 || shape.out_width >= 48
    }
  }
}
