/// How a global batch is read: everything that the threads of a reader share and nobody changes.
struct BatchFiller: Sendable {
  let source: any ImageSource
  let plan: EpochPlan
  let normalisation: Normalisation
  let augmentation: Augmentation
  let shards: Range<Int>
  let shardCount: Int

  /// What one thread keeps between batches.
  struct Scratch {
    var samples: [Int] = []
    var pixels: [UInt8]
    var other: [UInt8]

    init(shape: ImageShape) {
      pixels = [UInt8](repeating: 0, count: shape.elementCount)
      other = pixels
    }
  }

  /// Reads, augments and normalises the hosted parts of a global batch.
  func fill(_ buffer: BatchBuffer, epoch: Int, step: Int, scratch: inout Scratch) throws {
    let order = plan.order(epoch: epoch)
    let size = source.shape.elementCount
    for (place, shard) in shards.enumerated() {
      order.map(plan.positions(step: step, shard: shard, of: shardCount), into: &scratch.samples)
      buffer.shards[place].count = scratch.samples.count
      let images = buffer.images(place: place)
      let labels = buffer.labels(place: place)
      let ids = buffer.ids(place: place)
      for row in scratch.samples.indices {
        (labels[row], ids[row]) = try convert(scratch.samples[row], epoch: epoch, to: images + row * size, &scratch)
      }
    }
  }

  /// One sample to `floats`; returns its label and id.
  private func convert(
    _ sample: Int, epoch: Int, to floats: UnsafeMutablePointer<Float>, _ scratch: inout Scratch
  ) throws -> (Int32, UInt32) {
    let shape = source.shape
    return try source.withSample(sample) { pixels, label, id in
      precondition(pixels.count == shape.elementCount)
      if augmentation.maps.isEmpty {
        // A buffer of an image is never empty.
        normalisation.apply(pixels.baseAddress!, shape: shape, to: floats)
      } else {
        scratch.pixels.withUnsafeMutableBufferPointer { image in
          scratch.other.withUnsafeMutableBufferPointer { other in
            _ = image.update(fromContentsOf: pixels)
            augmentation.apply(image, scratch: other, shape: shape, id: id, epoch: epoch)
          }
          normalisation.apply(image.baseAddress!, shape: shape, to: floats)
        }
      }
      return (label, id)
    }
  }
}
