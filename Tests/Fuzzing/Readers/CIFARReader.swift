import Datasets

extension FuzzedReader {
  /// Loads a data set of CIFAR-100's layout with one record in each of its two files, both of them the input.
  static let cifar = FuzzedReader(
    name: "cifar", seeds: [record(1, 2), record(19, 99), record(0, 100), record(3, 4) + [0], [0]], words: ["\0", "c"],
    allowance: { 4 * 2 * $0.count + (64 << 10) }
  ) { input, bytes in
    let dataset = try loadCIFAR(
      .cifar100.with(trainRecordsPerFile: 1, testRecords: 1),
      directory: input.directory(holding: ["train.bin", "test.bin"]))
    precondition(dataset.train.count == 1 && dataset.train.label(of: 0) == Int32(bytes[1]) && bytes[1] < 100)
    precondition(dataset.train.pixels(of: 0) == Array(bytes[2...]))
  }

  private static func record(_ coarse: UInt8, _ fine: UInt8) -> [UInt8] {
    [coarse, fine] + (0..<3072).map { UInt8(truncatingIfNeeded: $0 * 7) }
  }
}
