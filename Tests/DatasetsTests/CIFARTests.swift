import Testing

import Datasets

@Suite struct CIFARTests {
  let directory: TemporaryDirectory

  init() throws { directory = try TemporaryDirectory() }

  /// Records whose pixels tell file, record and element.
  private func records(_ count: Int, file: Int, labels: (Int) -> [UInt8]) -> [UInt8] {
    (0..<count).flatMap { record in labels(record) + pixels(file, record) }
  }

  private func pixels(_ file: Int, _ record: Int) -> [UInt8] {
    (0..<3072).map { UInt8(truncatingIfNeeded: file * 101 + record * 17 + $0 + $0 >> 8) }
  }

  @Test(arguments: ["", "cifar-10-batches-bin/"])
  func cifar10RoundTrip(below subdirectory: String) throws {
    for file in 1...5 {
      try directory.write(
        "\(subdirectory)data_batch_\(file).bin", records(300, file: file) { [UInt8(($0 + file) % 10)] })
    }
    try directory.write("\(subdirectory)test_batch.bin", records(7, file: 6) { [UInt8(9 - $0)] })
    let dataset = try loadCIFAR(
      .cifar10.with(trainRecordsPerFile: 300, testRecords: 7), directory: directory.path)
    #expect(dataset.train.count == 1500 && dataset.test.count == 7 && dataset.classCount == 10)
    #expect(dataset.shape == ImageShape(channels: 3, height: 32, width: 32))
    #expect(dataset.classNames?[6] == "frog")
    for (file, record) in [(1, 0), (1, 255), (1, 256), (1, 299), (3, 17), (5, 299)] {
      let index = (file - 1) * 300 + record
      #expect(dataset.train.label(of: index) == Int32((record + file) % 10))
      #expect(dataset.train.pixels(of: index) == pixels(file, record))
    }
    #expect(dataset.test.label(of: 6) == 3 && dataset.test.pixels(of: 6) == pixels(6, 6))
  }

  @Test(arguments: ["", "cifar-100-binary/"])
  func cifar100TakesFineLabels(below subdirectory: String) throws {
    try directory.write("\(subdirectory)train.bin", records(100, file: 1) { [19, UInt8(99 - $0)] })
    try directory.write("\(subdirectory)test.bin", records(5, file: 2) { [0, UInt8($0)] })
    let dataset = try loadCIFAR(
      .cifar100.with(trainRecordsPerFile: 100, testRecords: 5), directory: directory.path)
    #expect(dataset.train.count == 100 && dataset.test.count == 5 && dataset.classCount == 100)
    #expect((0..<100).allSatisfy { dataset.train.label(of: $0) == Int32(99 - $0) })
    #expect(dataset.train.pixels(of: 42) == pixels(1, 42))
    let names = try #require(dataset.classNames)
    #expect(names.count == 100 && names == names.sorted() && Set(names).count == 100)
    #expect(names[99] == "worm" && names[0] == "apple" && names[52] == "oak_tree")
  }

  @Test func damagedFiles() throws {
    let layout = CIFARLayout.cifar100.with(trainRecordsPerFile: 2, testRecords: 1)
    let path = directory.path
    let good = records(2, file: 1) { _ in [1, 2] }
    try directory.write("test.bin", records(1, file: 1) { _ in [1, 2] })
    func expect(_ train: [UInt8], _ sentence: String, sourceLocation: SourceLocation = #_sourceLocation) throws {
      try directory.write("train.bin", train)
      #expect(
        error { try loadCIFAR(layout, directory: path) } == "\(path)/train.bin\(sentence)",
        sourceLocation: sourceLocation)
    }
    try expect([], " is empty; fetch it again.")
    try expect(
      Array(good.dropLast()),
      " has 6147 bytes where 2 records of 3074 take 6148: it is truncated or not of cifar-100-binary.tar.gz.")
    try expect(
      Array(good[..<3074]),
      " has 3074 bytes where 2 records of 3074 take 6148: it is truncated or not of cifar-100-binary.tar.gz.")
    try expect(
      good + [0],
      " has 6149 bytes where 2 records of 3074 take 6148: it is too long or not of cifar-100-binary.tar.gz.")
    try expect(
      records(2, file: 1) { [0, UInt8(99 + $0)] },
      " gives sample 1 the label 100, but labels are 0…99: it is damaged or of another data set.")
  }
}
