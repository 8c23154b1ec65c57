// Rounding errors of Winograd's convolutions and of direct ones in float32, both against float64:
//
//     swift run -c release winograd-error
//
// Source, weights and gradients are normally distributed; an error is the L2 norm of the difference over that of the
// result. Of images and filters only as many are used as the error needs: it depends on what is summed over.

import CKernels
import Foundation

struct Shape {
  let name: String
  let batch: Int
  let channels: Int
  let extent: Int
  let filters: Int
  let kernel: Int
}

/// Shapes of the models at the batch sizes of docs/performance.md.
let shapes = [
  Shape(name: "cnn conv2", batch: 64, channels: 32, extent: 14, filters: 64, kernel: 5),
  Shape(name: "resnet18-cifar layer1", batch: 32, channels: 64, extent: 32, filters: 64, kernel: 3),
  Shape(name: "resnet18-cifar layer2", batch: 32, channels: 128, extent: 16, filters: 128, kernel: 3),
  Shape(name: "resnet18-cifar layer3", batch: 32, channels: 256, extent: 8, filters: 256, kernel: 3),
  Shape(name: "resnet18-cifar layer4", batch: 32, channels: 512, extent: 4, filters: 512, kernel: 3),
]

/// Marsaglia's polar method over a linear congruential generator: good enough for errors, and the same everywhere.
struct NormalNumbers {
  private var state: UInt64 = 1

  private mutating func uniform() -> Double {
    state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
    return Double(state >> 11) * 0x1p-52 - 1
  }

  mutating func next(_ count: Int) -> [Float] {
    (0..<count).map { _ in
      while true {
        let (x, y) = (uniform(), uniform())
        let square = x * x + y * y
        if square < 1 && square > 0 { return Float(x * (-2 * log(square) / square).squareRoot()) }
      }
    }
  }
}

func error(_ values: [Float], _ reference: [Double]) -> Double {
  let difference = zip(values, reference).reduce(0.0) { $0 + pow(Double($1.0) - $1.1, 2) }
  return (difference / reference.reduce(0.0) { $0 + $1 * $1 }).squareRoot()
}

/// What is compared of one pass: Winograd's values, a float32 sum in the definition's order, and float64.
struct Sample {
  var winograd: [Float] = []
  var direct: [Float] = []
  var exact: [Double] = []

  mutating func add(_ ours: Float, _ terms: [(Float, Float)]) {
    winograd.append(ours)
    direct.append(terms.reduce(Float(0)) { $0 + $1.0 * $1.1 })
    exact.append(terms.reduce(0.0) { $0 + Double($1.0) * Double($1.1) })
  }

  var text: String { String(format: "%.1e  %.1e", error(winograd, exact), error(direct, exact)) }
}

func measure(_ shape: Shape, _ numbers: inout NormalNumbers) -> [Sample] {
  let (n, c, e, k, r) = (shape.batch, shape.channels, shape.extent, shape.filters, shape.kernel)
  let padding = r / 2
  var geometry = ck_winograd(
    batch: n, channels: c, height: e, width: e, filters: k, out_height: e, out_width: e, padding_top: padding,
    padding_left: padding, kernel: Int32(r), storage: CK_IN_FLOAT32)
  let block = Int(ck_block())
  func image(_ image: Int, _ channel: Int, _ row: Int, _ column: Int, _ channels: Int) -> Int {
    (((image * (channels / block) + channel / block) * e + row) * e + column) * block + channel % block
  }
  func weight(_ filter: Int, _ channel: Int, _ i: Int, _ j: Int) -> Int {
    ((((filter / block * (c / block) + channel / block) * r + i) * r + j) * block + channel % block) * block + filter
      % block
  }
  let x = numbers.next(n * c * e * e)
  let dy = numbers.next(n * k * e * e)
  let w = numbers.next(k * c * r * r)
  func run(_ pass: ck_pass, _ count: Int) -> [Float] {
    var output = [Float](repeating: 0, count: count)
    var scratch = [Float](repeating: 0, count: ck_winograd_scratch(&geometry, pass, 1))
    x.withUnsafeBufferPointer { x in
      w.withUnsafeBufferPointer { w in
        dy.withUnsafeBufferPointer { dy in
          output.withUnsafeMutableBufferPointer { output in
            scratch.withUnsafeMutableBufferPointer { scratch in
              var job = ck_winograd_job()
              (job.shape, job.source, job.weights) = (geometry, UnsafeRawPointer(x.baseAddress), w.baseAddress)
              (job.diff_result, job.output) = (
                UnsafeRawPointer(dy.baseAddress), UnsafeMutableRawPointer(output.baseAddress)
              )
              job.scratch = scratch.baseAddress
              ck_winograd_run(&job, pass, nil, 1)
            }
          }
        }
      }
    }
    return output
  }
  let (y, dx, dw) = (run(CK_FORWARD, dy.count), run(CK_BACKWARD_DATA, x.count), run(CK_BACKWARD_WEIGHTS, w.count))

  var (forward, data, weights) = (Sample(), Sample(), Sample())
  // Whole images, so that every place of a tile is among them.
  for row in 0..<e {
    for column in 0..<e {
      for filter in 0..<2 {
        var terms: [(Float, Float)] = []
        for channel in 0..<c {
          for i in 0..<r where (0..<e).contains(row + i - padding) {
            for j in 0..<r where (0..<e).contains(column + j - padding) {
              terms.append(
                (x[image(0, channel, row + i - padding, column + j - padding, c)], w[weight(filter, channel, i, j)]))
            }
          }
        }
        forward.add(y[image(0, filter, row, column, k)], terms)
      }
      for channel in 0..<2 {
        var terms: [(Float, Float)] = []
        for filter in 0..<k {
          for i in 0..<r where (0..<e).contains(row - i + padding) {
            for j in 0..<r where (0..<e).contains(column - j + padding) {
              terms.append(
                (dy[image(0, filter, row - i + padding, column - j + padding, k)], w[weight(filter, channel, i, j)]))
            }
          }
        }
        data.add(dx[image(0, channel, row, column, c)], terms)
      }
    }
  }
  for filter in 0..<8 {
    for channel in 0..<8 {
      for i in 0..<r {
        for j in 0..<r {
          var terms: [(Float, Float)] = []
          for picture in 0..<n {
            for row in 0..<e where (0..<e).contains(row + i - padding) {
              for column in 0..<e where (0..<e).contains(column + j - padding) {
                terms.append(
                  (
                    x[image(picture, channel, row + i - padding, column + j - padding, c)],
                    dy[image(picture, filter, row, column, k)]
                  ))
              }
            }
          }
          weights.add(dw[weight(filter, channel, i, j)], terms)
        }
      }
    }
  }
  return [forward, data, weights]
}

print("relative errors: Winograd, direct sum in float32")
print("shape                                          forward           backward data     backward weights")
var numbers = NormalNumbers()
for shape in shapes {
  let name =
    "\(shape.name), \(shape.batch)×\(shape.channels)×\(shape.extent)×\(shape.extent), \(shape.kernel)×\(shape.kernel)"
  print(
    name + String(repeating: " ", count: max(1, 47 - name.count))
      + measure(shape, &numbers).map(\.text).joined(separator: "  "))
}
