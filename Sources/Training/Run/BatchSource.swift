import Datasets

/// Where a step takes its global batch from.
protocol BatchSource {
  /// The next batch, valid until the next call.
  func next() throws -> GlobalBatch
}

extension BatchReader: BatchSource {}

/// One batch again and again, for benchmarks: converted once, so that steps are timed without the data path.
struct RepeatedBatch: BatchSource {
  private let reader: BatchReader
  private let batch: GlobalBatch

  /// The next batch of `reader`, which keeps its memory.
  init(_ reader: BatchReader) throws {
    self.reader = reader
    batch = try reader.next()
  }

  func next() -> GlobalBatch { batch }
}
