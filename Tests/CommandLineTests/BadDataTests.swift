import Foundation
import TestSupport
import Testing

/// Files of data and parameters that are missing, damaged or of another kind end a job with 65 and one sentence.
@Suite(.serialized) struct BadDataTests {
  struct Spoiled: Sendable, CustomStringConvertible {
    let description: String
    let text: String
    let spoil: @Sendable (Workbench) throws -> Void

    init(_ description: String, _ text: String, _ spoil: @escaping @Sendable (Workbench) throws -> Void) {
      (self.description, self.text, self.spoil) = (description, text, spoil)
    }
  }

  static let images = "data/train-images-idx3-ubyte"
  static let labels = "data/train-labels-idx1-ubyte"

  static let spoiled = [
    Spoiled(
      "no directory",
      "error (65): No train-images-idx3-ubyte or train-images-idx3-ubyte.gz in data: give --data-dir the directory "
        + "that holds it."
    ) {
      try FileManager.default.removeItem(at: $0.directory.url.appendingPathComponent("data"))
    },
    Spoiled("a missing file", "error (65): data/t10k-labels-idx1-ubyte.gz cannot be opened: no such file or directory.")
    {
      try FileManager.default.removeItem(at: $0.directory.url.appendingPathComponent("data/t10k-labels-idx1-ubyte"))
    },
    Spoiled("a directory", "error (65): \(images) is a directory; a data file is expected there.") {
      let url = $0.directory.url.appendingPathComponent(images)
      try FileManager.default.removeItem(at: url)
      try FileManager.default.createDirectory(at: url, withIntermediateDirectories: false)
    },
    Spoiled("an empty file", "error (65): \(labels) is empty; fetch it again.") { try $0.write(labels, []) },
    Spoiled(
      "a truncated file",
      "error (65): \(images) is truncated: it declares 12×4×4 elements after 16 bytes of header, and has 200 bytes. "
        + "Fetch it again."
    ) {
      try $0.write(images, Array($0.bytes(images).prefix(200)))
    },
    Spoiled(
      "a file that is too long",
      "error (65): \(labels) is too long: it declares 12 elements after 8 bytes of header, and has 21 bytes. Fetch it "
        + "again."
    ) {
      try $0.write(labels, $0.bytes(labels) + [0])
    },
    Spoiled(
      "an oversized declaration",
      "error (65): \(images) is truncated: it declares 4294967295×4294967295×4294967295 elements after 16 bytes of "
        + "header, and has 17 bytes. Fetch it again."
    ) {
      try $0.write(images, idx([0xffff_ffff, 0xffff_ffff, 0xffff_ffff], [0]))
    },
    Spoiled(
      "another magic number",
      "error (65): \(images) is not an IDX file: it begins with 0x50340A32, not with 0x00000803."
    ) {
      try $0.write(images, Array("P4\n28 28".utf8))
    },
    Spoiled(
      "another element type",
      "error (65): \(images) holds IDX elements of type 0x0D; only unsigned bytes (0x08) are read here."
    ) {
      try $0.write(images, idx([12, 4, 4], [UInt8](repeating: 0, count: 768), type: 13))
    },
    Spoiled(
      "files interchanged",
      "error (65): \(labels) has 3 axes where 1 is expected: are the files of images and labels interchanged?"
    ) {
      try $0.write(labels, $0.bytes(images))
    },
    Spoiled(
      "another count", "error (65): \(images) holds 12 images, but \(labels) 11 labels: they do not belong together."
    ) {
      try $0.write(labels, idx([11], [UInt8](repeating: 1, count: 11)))
    },
    Spoiled("no sample", "error (65): \(labels) declares 0 elements: it holds no sample.") {
      try $0.write(labels, idx([0], []))
    },
    Spoiled(
      "a label out of range",
      "error (65): \(labels) gives sample 5 the label 10, but labels are 0…9: it is damaged or of another data set."
    ) {
      try $0.write(labels, idx([12], (0..<12).map { $0 == 5 ? 10 : 1 }))
    },
    Spoiled(
      "other extents to test with",
      "error (65): data mixes two data sets: images to train with are 1x4x4, those to test with 1x2x8."
    ) {
      try $0.write("data/t10k-images-idx3-ubyte", idx([6, 2, 8], [UInt8](repeating: 3, count: 96)))
    },
    Spoiled("truncated gzip", "error (65): \(images).gz is truncated: its gzip stream has no end. Fetch it again.") {
      try $0.gzip(images)
      try $0.write(images + ".gz", $0.bytes(images + ".gz").dropLast(9))
    },
    Spoiled("damaged gzip", "error (65): \(labels).gz is damaged: zlib reports “incorrect data check”. Fetch it again.")
    {
      try $0.gzip(labels)
      var bytes = try $0.bytes(labels + ".gz")
      bytes[bytes.count - 8] ^= 1
      try $0.write(labels + ".gz", bytes)
    },
    Spoiled(
      "gzip of more than is declared",
      "error (65): \(labels).gz goes on after its 12 elements: it is damaged or of another format. Fetch it again."
    ) {
      try $0.write(labels, $0.bytes(labels) + [0])
      try $0.gzip(labels)
    },
    Spoiled(
      "gzip that declares what it cannot hold",
      "error (65): \(labels).gz declares 2000000000 elements, more than 54 bytes of gzip can hold (1032 for one at "
        + "most): it is damaged. Fetch it again."
    ) {
      try $0.write(labels, idx([2_000_000_000], [UInt8](repeating: 1, count: 12)))
      try $0.gzip(labels)
    },
  ]

  @Test(arguments: spoiled) func aSpoiledDataSetEndsWithOneSentence(_ example: Spoiled) throws {
    let workbench = try Workbench()
    try example.spoil(workbench)
    try workbench.expectError(example.text, Workbench.mnist + Workbench.brief)
  }

  @Test func aSoundDataSetTrains() throws {
    let workbench = try Workbench()
    try workbench.gzip(Self.images)
    try workbench.writeParameters()
    let job = try Launch.alone.run(
      ["train", "--run-dir", "run", "--init", "start.safetensors"] + Workbench.mnist + Workbench.brief,
      in: workbench.directory.url)
    #expect(job.exitCode == 0, "\(job.transcript)")
  }

  @Test func severalRanksSayItOnce() throws {
    let workbench = try Workbench()
    try workbench.write(Self.labels, idx([12], [UInt8](repeating: 12, count: 12)))
    try workbench.expectError(
      "error (65): \(Self.labels) gives sample 0 the label 12, but labels are 0…9: it is damaged or of another data "
        + "set.",
      Workbench.mnist + Workbench.brief, .ranks(3))
    try workbench.expectError(
      "error (65): No data_batch_1.bin in data or in its cifar-10-batches-bin: give --data-dir the directory into "
        + "which cifar-10-binary.tar.gz was unpacked.",
      ["--dataset", "cifar10", "--data-dir", "data"], .ranks(3))
  }

  static let parameters = [
    Spoiled(
      "no file",
      "error (65): start.safetensors: cannot open it (No such file or directory); check the path and its permissions."
    ) { _ in },
    Spoiled(
      "not safetensors",
      "error (65): start.safetensors: it says that its header has 8675467939688574803 bytes, so it is not a "
        + "safetensors file; copy or export the file again."
    ) {
      try $0.write("start.safetensors", Array("Some text that is no model.".utf8))
    },
    Spoiled(
      "truncated",
      "error (65): start.safetensors: tensor \"fc3.weight\" is said to lie at bytes 1085480..<1105960 of 1105912 "
        + "although the previous one ends at 1085480; copy or export the file again."
    ) {
      try $0.writeParameters()
      try $0.write("start.safetensors", $0.bytes("start.safetensors").dropLast(48))
    },
    Spoiled(
      "a missing tensor",
      "error (65): start.safetensors: there is no tensor \"fc2.bias\" among its 5; give the file of a matching model, "
        + "or skip this tensor."
    ) {
      try $0.writeParameters { $0.removeAll { $0.name == "fc2.bias" } }
    },
    Spoiled(
      "a tensor too many",
      "error (65): start.safetensors: holds fc4.weight, which the model has not; give the file of this model, or pass "
        + "the layer over with --init-skip."
    ) {
      try $0.writeParameters { $0.append(("fc4.weight", [1])) }
    },
    Spoiled(
      "another shape",
      "error (65): start.safetensors: tensor \"fc3.weight\" has the shape [100, 512] where [10, 512] is needed; give "
        + "the file of a matching model, or skip this tensor."
    ) {
      try $0.writeParameters { $0[4].shape = [100, 512] }
    },
  ]

  @Test(arguments: parameters) func aStartThatDoesNotFitEndsWithOneSentence(_ example: Spoiled) throws {
    let workbench = try Workbench()
    try example.spoil(workbench)
    try workbench.expectError(
      example.text, Workbench.mnist + Workbench.brief + ["--init", "start.safetensors"],
      example.description == "another shape" ? .ranks(3) : .alone)
  }

  @Test func layersCanBePassedOver() throws {
    let workbench = try Workbench()
    try workbench.writeParameters { $0[4].shape = [100, 512] }
    let arguments = Workbench.mnist + Workbench.brief + ["--init", "start.safetensors", "--init-skip"]
    let job = try Launch.ranks(2).run(["train", "--run-dir", "run"] + arguments + ["fc3"], in: workbench.directory.url)
    #expect(job.exitCode == 0, "\(job.transcript)")
    try workbench.expectError(
      "error (64): --init-skip fc9: neither the model nor start.safetensors has such a layer; `models show` lists the "
        + "model's.", arguments + ["fc9"], leaving: "another")
  }

  /// Layers that only the file has are passed over by name, and named where they are not.
  @Test func layersOfTheFileAloneCanBePassedOver() throws {
    let workbench = try Workbench()
    try workbench.writeParameters { $0.append((name: "head.weight", shape: [3, 512])) }
    let arguments = Workbench.mnist + Workbench.brief + ["--init", "start.safetensors"]
    try workbench.expectError(
      "error (65): start.safetensors: holds head.weight, which the model has not; give the file of this model, or pass "
        + "the layer over with --init-skip.", arguments)
    let job = try Launch.alone.run(
      ["train", "--run-dir", "run"] + arguments + ["--init-skip", "head, fc3"], in: workbench.directory.url)
    #expect(job.exitCode == 0, "\(job.transcript)")
    let settings = try String(
      contentsOf: workbench.directory.url.appendingPathComponent("run/config.yaml"), encoding: .utf8)
    #expect(settings.contains("\ninit: start.safetensors\ninit-skip: head,fc3\n"))
    // What it began with decided its result.
    let changed = try Launch.alone.run(
      ["train", "--run-dir", "run", "--steps", "3"] + Workbench.mnist
        + Workbench.brief.filter { $0 != "--steps" && $0 != "2" },
      in: workbench.directory.url)
    #expect(changed.exitCode == 0 && changed.standardOutput.contains("2 steps"), "\(changed.transcript)")
  }
}
