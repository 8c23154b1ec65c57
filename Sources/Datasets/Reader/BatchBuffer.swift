/// Memory for one batch of the hosted shards.
///
/// Here the module's unsafe memory is: allocated once, written by the one thread that holds the batch's ticket, read by
/// the trainer after the monitor has handed the ticket over, and not written again until the trainer gives it back.
/// That exclusive hand-over is what makes the class Sendable.
final class BatchBuffer: @unchecked Sendable {
  /// Parts as the trainer sees them; counts change from batch to batch, pointers do not.
  var shards: [ShardBatch]
  private let images: UnsafeMutablePointer<Float>
  private let labels: UnsafeMutablePointer<Int32>
  private let ids: UnsafeMutablePointer<UInt32>
  /// Elements from one shard's images to the next one's, and numbers from its labels.
  private let imageStride: Int
  private let labelStride: Int

  /// Room for `capacity` samples of `shape` for each shard.
  init(shards: Range<Int>, capacity: Int, shape: ImageShape) {
    imageStride = Self.rounded(capacity * shape.elementCount)
    labelStride = Self.rounded(capacity)
    images = Self.allocate(shards.count * imageStride, of: 0)
    labels = Self.allocate(shards.count * labelStride, of: 0)
    ids = Self.allocate(shards.count * labelStride, of: 0)
    self.shards = []
    for (place, shard) in shards.enumerated() {
      self.shards.append(
        ShardBatch(
          shard: shard, count: 0, images: images + place * imageStride, labels: labels + place * labelStride,
          ids: ids + place * labelStride))
    }
  }

  deinit {
    images.deallocate()
    labels.deallocate()
    ids.deallocate()
  }

  func images(place: Int) -> UnsafeMutablePointer<Float> { images + place * imageStride }
  func labels(place: Int) -> UnsafeMutablePointer<Int32> { labels + place * labelStride }
  func ids(place: Int) -> UnsafeMutablePointer<UInt32> { ids + place * labelStride }

  /// A multiple of 16 elements of four bytes, 64 bytes, and not none.
  private static func rounded(_ count: Int) -> Int { max(16, (count + 15) & ~15) }

  /// Memory at a multiple of 64 bytes. Writing it makes its pages real before the first step.
  private static func allocate<Number>(_ count: Int, of value: Number) -> UnsafeMutablePointer<Number> {
    let size = max(count, 1) * MemoryLayout<Number>.stride
    let pointer = UnsafeMutableRawPointer.allocate(byteCount: size, alignment: 64)
      .bindMemory(to: Number.self, capacity: max(count, 1))
    pointer.initialize(repeating: value, count: max(count, 1))
    return pointer
  }
}
