import Determinism

/// A classification data set: images to train with, images to test with, and what is known of both.
public struct ImageDataset: Sendable {
  public let name: String
  public let shape: ImageShape
  public let classCount: Int
  /// Names of the classes, in the order of labels, where the data set has them.
  public let classNames: [String]?
  /// The stated mean and deviation of the training images.
  public let normalisation: Normalisation
  public let train: ImageSet
  public let test: ImageSet
  /// The files that were read.
  public let files: [String]

  public init(
    name: String, classCount: Int, classNames: [String]? = nil, normalisation: Normalisation, train: ImageSet,
    test: ImageSet, files: [String] = []
  ) {
    precondition(train.shape == test.shape, "\(name): training and test images differ in shape")
    precondition(normalisation.mean.count == train.shape.channels)
    precondition(classNames == nil || classNames?.count == classCount)
    self.name = name
    self.shape = train.shape
    self.classCount = classCount
    self.classNames = classNames
    self.normalisation = normalisation
    self.train = train
    self.test = test
    self.files = files
  }

  /// Divides the training set: `heldOut` has `count` samples, `train` the others; both in ascending order of id.
  ///
  /// Held out are the samples at the last `count` positions of the keyed permutation of the purpose "hold-out". The
  /// seed is not the run's unless the caller wants that: with a fixed one, runs of different seeds can be compared.
  /// Throws `DataError` unless both parts get a sample.
  public func split(holdOut count: Int, seed: UInt64 = 0) throws -> (train: ImageSet, heldOut: ImageSet) {
    guard count >= 1, count < train.count else {
      throw DataError(
        "\(count) of \(train.count) training samples cannot be held out: choose a number from 1 to \(train.count - 1).")
    }
    let permutation = KeyedPermutation(count: train.count, seed: seed, purpose: "hold-out")
    var indices: [Int] = []
    permutation.map(0..<train.count, into: &indices)
    return (
      train.selecting(indices.dropLast(count).sorted()), train.selecting(indices.suffix(count).sorted())
    )
  }

  /// A fingerprint of both sets (`ImageSet.digest`).
  public var digest: UInt64 { RandomStream.mix(train.digest) ^ test.digest }
}
