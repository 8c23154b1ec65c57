/// Labelled images that can be read in any order from any thread.
///
/// `ImageSet` keeps them in memory; another source may read files. An error that `withSample` throws ends the run: the
/// reader hands it to whoever asks for that batch.
public protocol ImageSource: Sendable {
  var count: Int { get }
  var shape: ImageShape { get }

  /// Calls `body` with a sample's bytes (C, H, W, row-major), its label and its id.
  ///
  /// The id is the sample's number within the data set that it comes from: unlike the index it stays when a part of
  /// the set is held out. Random numbers and logs use it.
  func withSample<Result>(
    _ index: Int, _ body: (_ pixels: UnsafeBufferPointer<UInt8>, _ label: Int32, _ id: UInt32) throws -> Result
  ) throws -> Result
}

extension ImageSource {
  /// Writes the normalised images, labels and ids of consecutive samples, unaugmented: a block of an evaluation.
  ///
  /// `images` has room for `range.count` images, row-major [n, C, H, W]; `labels` and `ids` (optional) for as many
  /// numbers.
  public func read(
    _ range: Range<Int>, normalisation: Normalisation, images: UnsafeMutablePointer<Float>,
    labels: UnsafeMutablePointer<Int32>, ids: UnsafeMutablePointer<UInt32>? = nil
  ) throws {
    precondition(range.lowerBound >= 0 && range.upperBound <= count, "samples \(range) of \(count)")
    let shape = shape
    for (place, index) in range.enumerated() {
      try withSample(index) { pixels, label, id in
        // A buffer of an image is never empty.
        normalisation.apply(pixels.baseAddress!, shape: shape, to: images + place * shape.elementCount)
        labels[place] = label
        ids?[place] = id
      }
    }
  }
}
