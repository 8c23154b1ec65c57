import CKernels
import Foundation

/// One shape's results in all passes, computed once.
final class Measurement {
  let shape: ck_winograd
  private lazy var source = kept(
    NormalNumbers(seed: 1).values(shape.batch * blocks(shape.channels) * shape.height * shape.width))
  private lazy var weights = NormalNumbers(seed: 2).values(
    blocks(shape.filters) * blocks(shape.channels) * kernel * kernel)
  private lazy var gradient = kept(
    NormalNumbers(seed: 3).values(shape.batch * blocks(shape.filters) * shape.out_height * shape.out_width))
  private let block = Int(ck_block())

  init(_ shape: ck_winograd) {
    precondition(shape.channels % block == 0 && shape.filters % block == 0, "padding of blocks would have to be zero")
    self.shape = shape
  }

  private var isBFloat16: Bool { shape.storage == CK_IN_BFLOAT16 }

  /// What is left of numbers that are stored as the images are.
  private func kept(_ values: [Float]) -> [Float] { isBFloat16 ? values.map(rounded) : values }

  private var kernel: Int { Int(shape.kernel) }
  private func blocks(_ channels: Int) -> Int { (channels + block - 1) / block * block }

  var name: String {
    "\(kernel)×\(kernel), \(shape.batch)×\(shape.channels)×\(shape.height)×\(shape.width) → \(shape.filters)"
  }

  /// Winograd's error and that of a direct sum, as text. In bfloat16 the direct sum has rounded weights, and its result is
  /// rounded where an image takes it.
  func errors(_ pass: ck_pass) -> String {
    let results = run(pass)
    var (winograd, direct, square) = (0.0, 0.0, 0.0)
    /// - Parameter terms: calls its argument with the two factors of each product.
    func add(_ result: Float, _ terms: ((Float, Float) -> Void) -> Void) {
      var (single, double) = (Float(0), 0.0)
      terms { a, b in
        single += a * (isBFloat16 ? rounded(b) : b)
        double += Double(a) * Double(b)
      }
      if isBFloat16 && pass != CK_BACKWARD_WEIGHTS { single = rounded(single) }
      winograd += pow(Double(result) - double, 2)
      direct += pow(Double(single) - double, 2)
      square += double * double
    }
    switch pass {
    case CK_FORWARD:
      for row in Self.places(shape.out_height) {
        for column in Self.places(shape.out_width) {
          for filter in 0..<2 {
            add(results[result(0, filter, row, column)]) { term in
              forEachTap(row, column) { i, j in
                for channel in 0..<shape.channels {
                  term(
                    source[image(0, channel, row + i - shape.padding_top, column + j - shape.padding_left)],
                    weights[weight(filter, channel, i, j)])
                }
              }
            }
          }
        }
      }
    case CK_BACKWARD_DATA:
      for row in Self.places(shape.height) {
        for column in Self.places(shape.width) {
          for channel in 0..<2 {
            add(results[image(0, channel, row, column)]) { term in
              for i in 0..<kernel {
                for j in 0..<kernel {
                  let (y, x) = (row - i + shape.padding_top, column - j + shape.padding_left)
                  guard (0..<shape.out_height).contains(y), (0..<shape.out_width).contains(x) else { continue }
                  for filter in 0..<shape.filters {
                    term(gradient[result(0, filter, y, x)], weights[weight(filter, channel, i, j)])
                  }
                }
              }
            }
          }
        }
      }
    default:
      for filter in 0..<4 {
        for channel in 0..<4 {
          for i in 0..<kernel {
            for j in 0..<kernel {
              add(results[weight(filter, channel, i, j)]) { term in
                for sample in 0..<shape.batch {
                  for row in 0..<shape.out_height {
                    let y = row + i - shape.padding_top
                    guard (0..<shape.height).contains(y) else { continue }
                    for column in 0..<shape.out_width {
                      let x = column + j - shape.padding_left
                      guard (0..<shape.width).contains(x) else { continue }
                      term(source[image(sample, channel, y, x)], gradient[result(sample, filter, row, column)])
                    }
                  }
                }
              }
            }
          }
        }
      }
    }
    return String(format: "%.1e, %.1e", (winograd / square).squareRoot(), (direct / square).squareRoot())
  }

  /// Every place of a tile and both edges; of large images not all.
  private static func places(_ extent: Int) -> [Int] {
    Array(0..<min(extent, 16)) + Array(max(extent - 8, min(extent, 16))..<extent)
  }

  /// The taps that meet the image at a place of the result.
  private func forEachTap(_ row: Int, _ column: Int, _ body: (Int, Int) -> Void) {
    for i in 0..<kernel where (0..<shape.height).contains(row + i - shape.padding_top) {
      for j in 0..<kernel where (0..<shape.width).contains(column + j - shape.padding_left) { body(i, j) }
    }
  }

  private func image(_ sample: Int, _ channel: Int, _ row: Int, _ column: Int) -> Int {
    place(sample, channel, row, column, shape.channels, shape.height, shape.width)
  }

  private func result(_ sample: Int, _ filter: Int, _ row: Int, _ column: Int) -> Int {
    place(sample, filter, row, column, shape.filters, shape.out_height, shape.out_width)
  }

  private func place(
    _ sample: Int, _ channel: Int, _ row: Int, _ column: Int, _ channels: Int, _ height: Int, _ width: Int
  ) -> Int {
    (((sample * (blocks(channels) / block) + channel / block) * height + row) * width + column) * block
      + channel % block
  }

  private func weight(_ filter: Int, _ channel: Int, _ i: Int, _ j: Int) -> Int {
    ((((filter / block * (blocks(shape.channels) / block) + channel / block) * kernel + i) * kernel + j) * block
      + channel % block) * block + filter % block
  }

  private func run(_ pass: ck_pass) -> [Float] {
    var geometry = shape
    let count =
      switch pass {
      case CK_FORWARD: gradient.count
      case CK_BACKWARD_DATA: source.count
      default: weights.count
      }
    let (images, gradients) = (stored(source), stored(gradient))
    // Room for floats, of which images in bfloat16 fill half.
    var output = [Float](repeating: 0, count: count)
    var scratch = [Float](repeating: 0, count: ck_winograd_scratch(&geometry, pass, 1))
    images.withUnsafeBytes { images in
      gradients.withUnsafeBytes { gradients in
        weights.withUnsafeBufferPointer { weights in
          output.withUnsafeMutableBytes { output in
            scratch.withUnsafeMutableBufferPointer { scratch in
              var job = ck_winograd_job()
              (job.shape, job.source, job.weights) = (geometry, images.baseAddress, weights.baseAddress)
              (job.diff_result, job.output) = (gradients.baseAddress, output.baseAddress)
              job.scratch = scratch.baseAddress
              ck_winograd_run(&job, pass, nil, 1)
            }
          }
        }
      }
    }
    guard isBFloat16 && pass != CK_BACKWARD_WEIGHTS else { return output }
    return output.withUnsafeBytes { bytes in
      bytes.bindMemory(to: UInt16.self).prefix(count).map { Float(bitPattern: UInt32($0) << 16) }
    }
  }

  /// The bytes of numbers as images hold them: floats, or their upper halves.
  private func stored(_ values: [Float]) -> [UInt8] {
    isBFloat16
      ? values.map { UInt16($0.bitPattern >> 16) }.withUnsafeBytes(Array.init) : values.withUnsafeBytes(Array.init)
  }
}

private func rounded(_ value: Float) -> Float {
  var (half, result): (UInt16, Float) = (0, 0)
  withUnsafePointer(to: value) { ck_round_to_bfloat16($0, &half, 1) }
  ck_widen_bfloat16(&half, &result, 1)
  return result
}

/// Marsaglia's polar method over a linear congruential generator: good enough for errors, and the same everywhere.
private struct NormalNumbers {
  private var state: UInt64

  init(seed: UInt64) { state = seed }

  private mutating func uniform() -> Double {
    state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
    return Double(state >> 11) * 0x1p-52 - 1
  }

  func values(_ count: Int) -> [Float] {
    var generator = self
    return (0..<count).map { _ in
      while true {
        let (x, y) = (generator.uniform(), generator.uniform())
        let square = x * x + y * y
        if square < 1 && square > 0 { return Float(x * (-2 * log(square) / square).squareRoot()) }
      }
    }
  }
}
