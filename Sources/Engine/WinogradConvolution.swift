import CKernels
import COneDNN
import Networks

/// One pass of a convolution by Winograd's algorithm (CKernels/winograd.h), in place of the library's direct kernel.
struct WinogradConvolution {
  let pass: ck_pass
  let shape: ck_winograd
  var relu = false
  /// Threads that share the work; the bits do not depend on them.
  let parts = odn_threads()
  /// Which of these there are depends on the pass.
  var source: Plan.Location?
  var weights: Plan.Location?
  var bias: Plan.Location?
  var diffResult: Plan.Location?
  var diffBias: Plan.Location?
  /// The result, the source's gradient or the weights' gradient.
  var output = Plan.Location.external(0)
  var scratch = Plan.Location.external(0)

  init(_ pass: ck_pass, _ shape: ck_winograd) { (self.pass, self.shape) = (pass, shape) }

  var scratchBytes: Int {
    withUnsafePointer(to: shape) { ck_winograd_scratch($0, pass, parts) } * MemoryLayout<Float>.stride
  }

  /// `F(4×4, 3×3)` or `F(2×2, 5×5)`.
  var name: String {
    let (tile, kernel) = (7 - shape.kernel, shape.kernel)
    return "winograd F(\(tile)×\(tile), \(kernel)×\(kernel))"
  }

  /// - Parameter place: an argument's memory in the run at hand.
  func run(_ place: (Plan.Location) -> UnsafeMutablePointer<Float>) {
    var job = ck_winograd_job()
    job.shape = shape
    job.source = source.map { UnsafePointer(place($0)) }
    job.weights = weights.map { UnsafePointer(place($0)) }
    job.bias = bias.map { UnsafePointer(place($0)) }
    job.diff_result = diffResult.map { UnsafePointer(place($0)) }
    job.diff_bias = diffBias.map(place)
    job.output = place(output)
    job.scratch = place(scratch)
    job.relu = relu ? 1 : 0
    ck_winograd_run(&job, pass, parts > 1 ? odn_team : nil, parts)
  }
}

extension WinogradConvolution {
  /// The layouts of images and of weights that it works on: blocks of as many channels as a vector holds.
  static let imageLayout = "aBcd\(ck_winograd_block())b"
  static let weightLayout = "ABcd\(ck_winograd_block())b\(ck_winograd_block())a"

  /// The shape of a convolution for which it is faster than a direct kernel; nil for others.
  ///
  /// Stride 1, one group, a kernel of 3×3 or 5×5, and enough channels to fill vectors. Tiles that hang over the result's
  /// edge cost as much as whole ones, so where they take up more than they save it is not used.
  static func shape(input: [Int], output: [Int], _ window: Window, groups: Int) -> ck_winograd? {
    let kernel = window.kernel[0]
    let block = Int(ck_winograd_block())
    guard groups == 1, kernel == 3 || kernel == 5, window.kernel == [kernel, kernel], window.stride == [1, 1],
      window.padding.allSatisfy({ $0 < kernel }), min(input[1], output[1]) >= block
    else { return nil }
    // Multiplications of a direct kernel over those of the tiles.
    let tile = 7 - kernel
    let tiles = output[2...].reduce(1) { $0 * (($1 + tile - 1) / tile) }
    let direct = output[2] * output[3] * kernel * kernel
    guard direct >= 2 * 36 * tiles, input[0] * tiles >= leastTiles else { return nil }
    return ck_winograd(
      batch: input[0], channels: input[1], height: input[2], width: input[3], filters: output[1],
      out_height: output[2], out_width: output[3], padding_top: window.padding[0], padding_left: window.padding[1],
      kernel: Int32(kernel))
  }

  /// Below, transforming the weights takes longer than what it saves.
  private static let leastTiles = 8
}
