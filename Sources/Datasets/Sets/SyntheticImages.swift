import Determinism
import Foundation

/// Images made from a seed instead of read from files, in any shape, number and number of classes.
///
/// Each class has a pattern of flat 4×4 tiles, one random grey value a tile and channel; a sample is its class's
/// pattern under noise of the same strength, so a network learns them easily but not in one step. Every byte is a
/// function of (seed, set, sample, element).
public struct SyntheticImages: Sendable, Hashable {
  public var shape: ImageShape
  public var classCount: Int
  public var trainCount: Int
  public var testCount: Int
  public var seed: UInt64

  public init(
    shape: ImageShape = ImageShape(channels: 3, height: 32, width: 32), classCount: Int = 10, trainCount: Int = 10_000,
    testCount: Int = 1_000, seed: UInt64 = 0
  ) {
    self.shape = shape
    self.classCount = classCount
    self.trainCount = trainCount
    self.testCount = testCount
    self.seed = seed
  }

  /// Both sets. Throws `DataError` for a count below one or more bytes than the machine has. Costs about a nanosecond a byte.
  public func dataset() throws -> ImageDataset {
    for (what, value) in [("classes", classCount), ("training samples", trainCount), ("test samples", testCount)] {
      guard (1...Int(Int32.max)).contains(value) else {
        throw DataError("A synthetic data set cannot have \(value) \(what): give a number of at least 1.")
      }
    }
    // Refused here with a sentence: the kernel would grant the memory and end the process while it is filled.
    let samples = [trainCount, testCount, classCount].reduce(0) { $0.addingReportingOverflow($1).partialValue }
    let memory = Int(clamping: ProcessInfo.processInfo.physicalMemory)
    guard samples <= memory / shape.elementCount else {
      throw DataError(
        "A synthetic data set of \(trainCount) training and \(testCount) test samples of \(shape) in \(classCount) classes "
          + "does not fit into the machine's \(memory >> 30) GiB of memory: give fewer.")
    }
    let patterns = (0..<classCount).map { pattern(of: $0) }
    // Grey values of patterns are uniform in 64…191, noise in −64…63.
    let channels = [Double](repeating: 0.5, count: shape.channels)
    return ImageDataset(
      name: DatasetName.synthetic.rawValue, classCount: classCount,
      normalisation: Normalisation(mean: channels, deviation: channels.map { _ in 0.2 }),
      train: images(trainCount, set: "train", patterns: patterns),
      test: images(testCount, set: "test", patterns: patterns))
  }

  private func pattern(of label: Int) -> [UInt8] {
    let stream = RandomStream(seed: seed, purpose: "synthetic/pattern")
    let rows = (shape.height + 3) / 4
    let columns = (shape.width + 3) / 4
    var bytes: [UInt8] = []
    bytes.reserveCapacity(shape.elementCount)
    for channel in 0..<shape.channels {
      for y in 0..<shape.height {
        for x in 0..<shape.width {
          let tile = (channel * rows + y / 4) * columns + x / 4
          bytes.append(64 + UInt8(stream.word(tile, sample: UInt32(label)) >> 25))
        }
      }
    }
    return bytes
  }

  private func images(_ count: Int, set: String, patterns: [[UInt8]]) -> ImageSet {
    let labelStream = RandomStream(seed: seed, purpose: "synthetic/\(set)/label")
    let noise = RandomStream(seed: seed, purpose: "synthetic/\(set)/noise")
    let labels = (0..<count).map { sample in
      Int32(labelStream.integer(below: UInt32(classCount), 0, sample: UInt32(sample)))
    }
    let size = shape.elementCount
    let pixels = [UInt8](unsafeUninitializedCapacity: count * size) { buffer, filled in
      // Every element of 0 ..< count·size is written once before `filled` declares it initialised.
      for sample in 0..<count {
        let image = buffer.extracting(sample * size..<(sample + 1) * size)
        let pattern = patterns[Int(labels[sample])]
        for block in 0..<(size + 15) / 16 {
          let words = noise.words(block: UInt32(block), sample: UInt32(sample))
          for element in 16 * block..<min(size, 16 * block + 16) {
            let byte = words[(element & 15) >> 2] >> UInt32(8 * (element & 3)) & 0xff
            image[element] = UInt8(truncatingIfNeeded: UInt32(pattern[element]) + (byte >> 1) - 64)
          }
        }
      }
      filled = count * size
    }
    return ImageSet(shape: shape, pixels: pixels, labels: labels)
  }
}
