import CKernels

/// A convolution written down as its definition, in double precision: the specification of the fast ones.
struct ConvolutionTwin {
  let shape: ck_winograd
  /// Row-major [batch, channels, height, width], [filters, channels, kernel, kernel], [filters], and y's gradient.
  let source: [Float]
  let weights: [Float]
  let bias: [Float]
  let diffResult: [Float]

  var result: [Double]
  var diffSource: [Double]
  var diffWeights: [Double]
  var diffBias: [Double]

  init(_ shape: ck_winograd, seed: UInt32) {
    self.shape = shape
    var state = seed
    func values(_ count: Int) -> [Float] {
      (0..<count).map { _ in
        state = state &* 1_664_525 &+ 1_013_904_223
        return Float(Int32(bitPattern: state)) * 0x1p-31
      }
    }
    let (channels, filters, kernel) = (shape.channels, shape.filters, Int(shape.kernel))
    source = StoredImage.kept(values(shape.batch * channels * shape.height * shape.width), shape.storage)
    weights = values(filters * channels * kernel * kernel)
    bias = values(filters)
    diffResult = StoredImage.kept(values(shape.batch * filters * shape.out_height * shape.out_width), shape.storage)
    result = [Double](repeating: 0, count: diffResult.count)
    diffSource = [Double](repeating: 0, count: source.count)
    diffWeights = [Double](repeating: 0, count: weights.count)
    diffBias = [Double](repeating: 0, count: filters)
    for image in 0..<shape.batch {
      for filter in 0..<filters {
        for place in 0..<(shape.out_height * shape.out_width) {
          let (row, column) = (place / shape.out_width, place % shape.out_width)
          let y = (image * filters + filter) * shape.out_height * shape.out_width + place
          var sum = Double(bias[filter])
          diffBias[filter] += Double(diffResult[y])
          for channel in 0..<channels {
            for i in 0..<kernel {
              let top = row + i - shape.padding_top
              guard top >= 0 && top < shape.height else { continue }
              for j in 0..<kernel {
                let left = column + j - shape.padding_left
                guard left >= 0 && left < shape.width else { continue }
                let x = ((image * channels + channel) * shape.height + top) * shape.width + left
                let w = ((filter * channels + channel) * kernel + i) * kernel + j
                sum += Double(source[x]) * Double(weights[w])
                diffSource[x] += Double(diffResult[y]) * Double(weights[w])
                diffWeights[w] += Double(diffResult[y]) * Double(source[x])
              }
            }
          }
          result[y] = max(sum, 0)
        }
      }
    }
  }
}

/// Between row-major tensors and blocks of channels that lie side by side.
struct Blocks {
  let width: Int
  init(_ width: Int) { self.width = width }

  private func padded(_ count: Int) -> Int { (count + width - 1) / width * width }

  func imageCount(_ batch: Int, _ channels: Int, _ area: Int) -> Int { batch * padded(channels) * area }

  func weightCount(_ filters: Int, _ channels: Int, _ area: Int) -> Int { padded(filters) * padded(channels) * area }

  /// Where each element of a row-major [batch, channels, area] lies.
  func images(_ batch: Int, _ channels: Int, _ area: Int) -> [Int] {
    (0..<(batch * channels * area)).map { index in
      let (place, channel, image) = (index % area, index / area % channels, index / area / channels)
      return ((image * padded(channels) + channel / width * width) * area + place * width) + channel % width
    }
  }

  /// Where each element of a row-major [filters, channels, area] lies.
  func weights(_ filters: Int, _ channels: Int, _ area: Int) -> [Int] {
    (0..<(filters * channels * area)).map { index in
      let (place, channel, filter) = (index % area, index / area % channels, index / area / channels)
      let block = (filter / width * (padded(channels) / width) + channel / width) * area + place
      return (block * width + channel % width) * width + filter % width
    }
  }
}
