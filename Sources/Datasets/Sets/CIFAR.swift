/// The layout of a data set in CIFAR's binary format: files of records, each some label bytes and 3×32×32 pixels,
/// channel by channel (Krizhevsky, "Learning multiple layers of features from tiny images", 2009).
package struct CIFARLayout: Sendable {
  let name: String
  let subdirectory: String
  let archive: String
  let trainFiles: [String]
  let testFile: String
  let trainRecordsPerFile: Int
  let testRecords: Int
  /// Label bytes of a record; the last is the one that is learned.
  let labelBytes: Int
  let classNames: [String]
  let normalisation: Normalisation

  static let shape = ImageShape(channels: 3, height: 32, width: 32)
  var recordSize: Int { labelBytes + Self.shape.elementCount }

  /// The same layout with fewer records in each file; for tests.
  package func with(trainRecordsPerFile: Int, testRecords: Int) -> CIFARLayout {
    CIFARLayout(
      name: name, subdirectory: subdirectory, archive: archive, trainFiles: trainFiles, testFile: testFile,
      trainRecordsPerFile: trainRecordsPerFile, testRecords: testRecords, labelBytes: labelBytes,
      classNames: classNames, normalisation: normalisation)
  }

  package static let cifar10 = CIFARLayout(
    name: "cifar10", subdirectory: "cifar-10-batches-bin", archive: "cifar-10-binary.tar.gz",
    trainFiles: (1...5).map { "data_batch_\($0).bin" }, testFile: "test_batch.bin", trainRecordsPerFile: 10_000,
    testRecords: 10_000, labelBytes: 1,
    classNames: ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"],
    normalisation: Normalisation(mean: [0.4914, 0.4822, 0.4465], deviation: [0.2470, 0.2435, 0.2616]))

  /// Fine labels; the coarse one of a record is skipped.
  package static let cifar100 = CIFARLayout(
    name: "cifar100", subdirectory: "cifar-100-binary", archive: "cifar-100-binary.tar.gz",
    trainFiles: ["train.bin"], testFile: "test.bin", trainRecordsPerFile: 50_000, testRecords: 10_000, labelBytes: 2,
    classNames: cifar100Names,
    normalisation: Normalisation(mean: [0.5071, 0.4865, 0.4409], deviation: [0.2673, 0.2564, 0.2762]))
}

/// Loads CIFAR-10 or CIFAR-100 from `directory` or from the archive's usual subdirectory of it.
package func loadCIFAR(
  _ layout: CIFARLayout, directory: String?, observe: @escaping ReadingObserver = { _ in }
) throws -> ImageDataset {
  let remedy = "give --data-dir the directory into which \(layout.archive) was unpacked"
  guard let directory else { throw DataError("\(layout.name) is not installed with the system: \(remedy).") }
  let first = layout.trainFiles[0]
  let places = [directory, "\(directory)/\(layout.subdirectory)"]
  guard let place = places.first(where: { fileExists("\($0)/\(first)") }) else {
    throw DataError("No \(first) in \(directory) or in its \(layout.subdirectory): \(remedy).")
  }
  let train = try readCIFAR(
    layout, paths: layout.trainFiles.map { "\(place)/\($0)" }, recordsPerFile: layout.trainRecordsPerFile, observe)
  let test = try readCIFAR(layout, paths: ["\(place)/\(layout.testFile)"], recordsPerFile: layout.testRecords, observe)
  return ImageDataset(
    name: layout.name, classCount: layout.classNames.count, classNames: layout.classNames,
    normalisation: layout.normalisation, train: train, test: test,
    files: (layout.trainFiles + [layout.testFile]).map { "\(place)/\($0)" })
}

private func readCIFAR(
  _ layout: CIFARLayout, paths: [String], recordsPerFile: Int, _ observe: @escaping ReadingObserver
) throws -> ImageSet {
  let imageSize = CIFARLayout.shape.elementCount
  let size = recordsPerFile * layout.recordSize
  // Every file's size before any memory: a wrong fifth file shows at once.
  let sources = try paths.map { path in
    let source = try ByteSource(path: path, allowsGzip: false, observe: observe)
    guard source.fileSize == size else {
      throw DataError(
        "\(path) has \(source.fileSize) bytes where \(recordsPerFile) records of \(layout.recordSize) take \(size): it is "
          + "\(source.fileSize < size ? "truncated" : "too long") or not of \(layout.archive).")
    }
    return source
  }
  var pixels: [UInt8] = []
  pixels.reserveCapacity(paths.count * recordsPerFile * imageSize)
  var labels: [Int32] = []
  labels.reserveCapacity(paths.count * recordsPerFile)
  for source in sources {
    // Records in pieces of about a megabyte, so that a file is not held twice.
    for first in stride(from: 0, to: recordsPerFile, by: 256) {
      let count = min(256, recordsPerFile - first)
      let bytes = try source.read(exactly: count * layout.recordSize, what: "records")
      for record in 0..<count {
        let start = record * layout.recordSize + layout.labelBytes
        let label = bytes[start - 1]
        guard label < layout.classNames.count else {
          throw DataError(
            labelError(path: source.path, index: first + record, label: label, classes: layout.classNames.count))
        }
        labels.append(Int32(label))
        pixels.append(contentsOf: bytes[start..<start + imageSize])
      }
    }
    try source.expectEnd(after: "records")
  }
  return ImageSet(shape: CIFARLayout.shape, pixels: pixels, labels: labels)
}

/// Fine classes in the order of `fine_label_names.txt`.
private let cifar100Names = """
  apple aquarium_fish baby bear beaver bed bee beetle bicycle bottle bowl boy bridge bus butterfly camel can castle
  caterpillar cattle chair chimpanzee clock cloud cockroach couch crab crocodile cup dinosaur dolphin elephant flatfish
  forest fox girl hamster house kangaroo keyboard lamp lawn_mower leopard lion lizard lobster man maple_tree motorcycle
  mountain mouse mushroom oak_tree orange orchid otter palm_tree pear pickup_truck pine_tree plain plate poppy
  porcupine possum rabbit raccoon ray road rocket rose sea seal shark shrew skunk skyscraper snail snake spider
  squirrel streetcar sunflower sweet_pepper table tank telephone television tiger tractor train trout tulip turtle
  wardrobe whale willow_tree wolf woman worm
  """.split(whereSeparator: \.isWhitespace).map(String.init)
