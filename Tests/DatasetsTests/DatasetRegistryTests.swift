import Datasets
import Foundation
import Testing

@Suite struct DatasetRegistryTests {
  let directory: TemporaryDirectory

  init() throws { directory = try TemporaryDirectory() }

  @Test func unknownNamesListTheKnown() {
    #expect(
      error { try loadDataset(named: "imagenet") }
        == "There is no data set named “imagenet”; --dataset takes one of fashion-mnist, mnist, cifar10, cifar100, "
        + "synthetic.")
  }

  @Test func missingFilesSayHowToGetThem() throws {
    let path = directory.path
    #expect(
      error { try loadDataset(named: "fashion-mnist", directory: path) }
        == "No train-images-idx3-ubyte or train-images-idx3-ubyte.gz in \(path): install Debian's package "
        + "dataset-fashion-mnist, or give --data-dir the directory that holds it.")
    #expect(
      error { try loadDataset(named: "mnist") }
        == "mnist is not installed with the system: give --data-dir the directory that holds it.")
    #expect(
      error { try loadDataset(named: "cifar10") }
        == "cifar10 is not installed with the system: give --data-dir the directory into which "
        + "cifar-10-binary.tar.gz was unpacked.")
    #expect(
      error { try loadDataset(named: "cifar100", directory: path) }
        == "No train.bin in \(path) or in its cifar-100-binary: give --data-dir the directory into which "
        + "cifar-100-binary.tar.gz was unpacked.")
    // One of four files is missing.
    try writeMNIST("", height: 2)
    try FileManager.default.removeItem(atPath: path + "/t10k-labels-idx1-ubyte.gz")
    #expect(
      error { try loadDataset(named: "mnist", directory: path) }
        == "\(path)/t10k-labels-idx1-ubyte.gz cannot be opened: no such file or directory.")
  }

  @Test(arguments: ["", "mnist/", "MNIST/raw/"])
  func mnistIsFoundWhereItUsuallyLies(below subdirectory: String) throws {
    try writeMNIST(subdirectory, height: 3)
    let dataset = try loadDataset(named: "mnist", directory: directory.path)
    #expect(dataset.name == "mnist" && dataset.classCount == 10)
    #expect(dataset.shape == ImageShape(channels: 1, height: 3, width: 2))
    #expect(dataset.train.count == 5 && dataset.test.count == 3)
    #expect(dataset.train.pixels(of: 4) == Array(24..<30) && dataset.train.label(of: 4) == 4)
    #expect(dataset.normalisation == Normalisation(mean: [0.1307], deviation: [0.3081]))
  }

  @Test func mixedDataSetsAreRefused() throws {
    try writeMNIST("", height: 3)
    try directory.write("t10k-images-idx3-ubyte.gz", gzip(idx([3, 2, 2], .init(0..<12))))
    #expect(
      error { try loadDataset(named: "mnist", directory: directory.path) }
        == "\(directory.path) mixes two data sets: images to train with are 1x3x2, those to test with 1x2x2.")
  }

  private func writeMNIST(_ subdirectory: String, height: Int) throws {
    // Plain and gzip side by side.
    let train = (0..<5 * height * 2).map { UInt8($0) }
    try directory.write(subdirectory + "train-images-idx3-ubyte", idx([5, height, 2], train))
    try directory.write(subdirectory + "train-labels-idx1-ubyte.gz", gzip(idx([5], .init(0..<5))))
    try directory.write(
      subdirectory + "t10k-images-idx3-ubyte.gz", gzip(idx([3, height, 2], Array(train[..<(3 * height * 2)]))))
    try directory.write(subdirectory + "t10k-labels-idx1-ubyte.gz", gzip(idx([3], [7, 8, 9])))
  }

  /// Facts of the published files: sizes, balanced classes, mean and deviation to the digits that are stated.
  @Test(.enabled(if: FileManager.default.fileExists(atPath: "/usr/share/datasets/fashion-mnist")))
  func fashionMNISTAsInstalled() throws {
    let dataset = try loadDataset(named: "fashion-mnist")
    #expect(dataset.train.count == 60_000 && dataset.test.count == 10_000)
    #expect(dataset.shape.description == "1x28x28")
    #expect(dataset.train.labelCounts(classes: 10) == Array(repeating: 6_000, count: 10))
    #expect(dataset.test.labelCounts(classes: 10) == Array(repeating: 1_000, count: 10))
    #expect(
      (0..<5).map { dataset.classNames?[Int(dataset.train.label(of: $0))] } == [
        "Ankle boot", "T-shirt/top", "T-shirt/top", "Dress", "T-shirt/top",
      ])
    var sum = 0
    var squares = 0
    for index in 0..<60_000 {
      dataset.train.withSample(index) { pixels, _, _ in
        for pixel in pixels {
          sum += Int(pixel)
          squares += Int(pixel) * Int(pixel)
        }
      }
    }
    let count = 60_000.0 * 784
    let mean = Double(sum) / count / 255
    let deviation = (Double(squares) / count / 65025 - mean * mean).squareRoot()
    #expect(abs(mean - 0.2860) < 0.00005 && abs(deviation - 0.3530) < 0.00005, "\(mean) \(deviation)")
    #expect(dataset.digest == 6_611_413_507_812_995_917)
  }
}
