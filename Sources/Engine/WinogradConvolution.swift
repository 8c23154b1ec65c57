import CKernels
import COneDNN
import Networks

/// One pass of a convolution by Winograd's algorithm (CKernels/winograd.h), in place of the library's direct kernel.
struct WinogradConvolution: OwnKernel {
  let pass: ck_pass
  let shape: ck_winograd
  let arguments: ProductArguments
  private let team = KernelTeam()

  init(_ pass: ck_pass, _ shape: ck_winograd, _ arguments: ProductArguments) {
    (self.pass, self.shape, self.arguments) = (pass, shape, arguments)
  }

  var scratchBytes: Int {
    withUnsafePointer(to: shape) { ck_winograd_scratch($0, pass, team.parts) } * MemoryLayout<Float>.stride
  }

  var name: String {
    let (tile, kernel) = (7 - shape.kernel, shape.kernel)
    return "winograd F(\(tile)×\(tile), \(kernel)×\(kernel))"
  }

  func run(scratch: UnsafeMutablePointer<Float>, _ place: (Plan.Location) -> UnsafeMutableRawPointer) {
    var job = ck_winograd_job()
    job.shape = shape
    job.source = arguments.source.map { UnsafeRawPointer(place($0)) }
    job.weights = arguments.weights.map { floats(place($0)) }
    job.bias = arguments.bias.map { floats(place($0)) }
    job.diff_result = arguments.diffResult.map { UnsafeRawPointer(place($0)) }
    job.diff_bias = arguments.diffBias.map { mutableFloats(place($0)) }
    job.output = place(arguments.output)
    job.relu = arguments.relu ? 1 : 0
    job.scratch = scratch
    ck_winograd_run(&job, pass, team.run, team.parts)
  }
}

extension WinogradConvolution {
  /// The layouts of images and of weights that it works on: blocks of as many channels as a vector holds.
  static let imageLayout = "aBcd\(ck_block())b"
  static let weightLayout = "ABcd\(ck_block())b\(ck_block())a"

  /// The shape of a convolution that it can do: stride 1, one group, a kernel of 3×3 or 5×5.
  static func shape(
    input: [Int], output: [Int], _ window: Window, groups: Int, storage: ck_storage
  ) -> ck_winograd? {
    let kernel = window.kernel[0]
    guard groups == 1, kernel == 3 || kernel == 5, window.kernel == [kernel, kernel], window.stride == [1, 1],
      window.padding.allSatisfy({ $0 < kernel })
    else { return nil }
    return ck_winograd(
      batch: input[0], channels: input[1], height: input[2], width: input[3], filters: output[1],
      out_height: output[2], out_width: output[3], padding_top: window.padding[0], padding_left: window.padding[1],
      kernel: Int32(kernel), storage: storage)
  }

  /// Whether it is faster than the library's direct kernel: enough channels to fill vectors, enough tiles to be worth
  /// transforming the weights, and at least half of the multiplications saved when what hangs over the result's edge is
  /// counted.
  static func isFaster(_ shape: ck_winograd) -> Bool {
    let (tile, kernel) = (Int(7 - shape.kernel), Int(shape.kernel))
    let tiles = ((shape.out_height + tile - 1) / tile) * ((shape.out_width + tile - 1) / tile)
    let direct = shape.out_height * shape.out_width * kernel * kernel
    return min(shape.channels, shape.filters) >= Int(ck_block()) && shape.batch * tiles >= 8 && direct >= 2 * 36 * tiles
  }
}
