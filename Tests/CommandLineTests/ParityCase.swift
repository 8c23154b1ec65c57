import Datasets
import Foundation
import Models
import Networks
import TensorFiles
import TestSupport
import Testing

/// A training run that both this program and PyTorch can do: the same start parameters, batches and settings.
struct ParityCase: Sendable, CustomTestStringConvertible {
  let model: ModelName
  let batchSize: Int
  let shards: Int
  /// Synthetic images of this shape; nil for the first images of Fashion-MNIST.
  var images: ImageShape?
  let learningRate: Double
  let steps: Int
  var seed: UInt64 = 7

  init(
    _ model: ModelName, batchSize: Int, shards: Int, images: ImageShape? = nil, learningRate: Double = 0.01,
    steps: Int = 20
  ) {
    (self.model, self.batchSize, self.shards, self.images) = (model, batchSize, shards, images)
    (self.learningRate, self.steps) = (learningRate, steps)
  }

  /// The model, and how many steps where they are not the usual twenty.
  var name: String { steps == 20 ? model.rawValue : "\(model.rawValue)-\(steps)-steps" }

  var testDescription: String { name }

  /// One epoch of images.
  var sampleCount: Int { batchSize * steps }

  /// What `train` and `data order` are told of the data.
  func dataOptions(directory: String) -> [String] {
    guard let images else { return ["--dataset", "fashion-mnist", "--data-dir", directory] }
    return synthetic("\(images.channels)x\(images.height)x\(images.width)", train: sampleCount, test: 1)
  }

  func dataset() throws -> ImageDataset {
    guard let images else { return try loadDataset(named: "fashion-mnist", directory: nil) }
    return try SyntheticImages(shape: images, trainCount: sampleCount, testCount: 1).dataset()
  }

  /// Where a parameter starts: as the models define it, but for those that keep the growth of rounding low, so that
  /// agreement after twenty steps says something.
  func start(of parameter: Parameter) -> [Float] {
    let isScale = parameter.role == .normalizationScale
    switch model {
    case .cnn where parameter.isWeight:
      // PyTorch's own start, with smaller gradients than He's.
      return Initializer.fanInUniform(fan: parameter.shape.dropFirst().reduce(1, *))
        .values(count: parameter.count, seed: seed, name: parameter.name)
    case .resnet18CIFAR, .resnet20CIFAR, .resnet18:
      guard isScale && parameter.name.hasSuffix(".bn2.weight") else { break }
      // Residual blocks begin as the identity (Goyal et al. 2017, section 5.1). Without that, float32 and float64 part
      // within ten steps, in PyTorch too.
      return [Float](repeating: 0, count: parameter.count)
    case .resnet34, .resnet50, .resnext50, .densenet121, .mobilenetV1, .mobilenetV2, .shufflenetV2:
      // Normalised values lie where few ReLUs change sides, which in a deep network is what rounding grows by; residual
      // blocks begin near the identity.
      if endsResidualBlock(parameter.name) { return [Float](repeating: isScale ? 0.1 : 0, count: parameter.count) }
      if isScale { return [Float](repeating: 0.25, count: parameter.count) }
      if parameter.role == .normalizationShift { return [Float](repeating: 1, count: parameter.count) }
    default: break
    }
    return parameter.initializer.values(count: parameter.count, seed: seed, name: parameter.name)
  }

  /// Whether a tensor is scale or shift of a residual block's last normalisation.
  private func endsResidualBlock(_ name: String) -> Bool {
    let last = model == .resnet34 ? ".bn2." : [.resnet50, .resnext50].contains(model) ? ".bn3." : "none"
    return name.hasSuffix(last + "weight") || name.hasSuffix(last + "bias")
  }
}

/// A directory with what a case needs: data, start parameters, order of samples.
struct ParityInputs {
  let directory: TemporaryDirectory
  /// Start parameters and running statistics by name, row-major.
  let start: [String: [Float]]

  var data: String { path("data") }
  var startFile: String { path("start.safetensors") }
  var order: String { path("order.txt") }
  func path(_ name: String) -> String { directory.url.appendingPathComponent(name).path }

  init(_ example: ParityCase) throws {
    let directory = try TemporaryDirectory()
    self.directory = directory
    func path(_ name: String) -> String { directory.url.appendingPathComponent(name).path }
    let images = try example.dataset()
    let shape = images.shape

    try FileManager.default.createDirectory(atPath: path("data"), withIntermediateDirectories: true)
    try Self.write(images.train, example.sampleCount, to: path("data/train"))
    try Self.write(images.test, min(images.test.count, 100), to: path("data/t10k"))

    let network = example.model.network(
      input: .init(shape.channels, shape.height, shape.width), classes: images.classCount)
    let parameters = network.traced(batchSize: 1).parameters
    let start = Dictionary(
      uniqueKeysWithValues: parameters.map {
        ($0.name, example.start(of: $0))
      })
    self.start = start
    let tensors = parameters.map { TensorSource(name: $0.name, shape: $0.shape, values: start[$0.name] ?? []) }
    try SafetensorsFile.write(tensors, to: path("start.safetensors"))

    let result = try run(
      [product("swift-dp-train"), "data", "order"] + example.dataOptions(directory: path("data")) + [
        "--seed", "\(example.seed)", "--batch-size", "\(example.batchSize)", "--shards", "\(example.shards)",
      ])
    guard result.exitCode == 0 else { throw Failure(result.transcript) }
    try result.standardOutput.write(toFile: path("order.txt"), atomically: false, encoding: .utf8)
  }

  /// The first `count` samples as IDX files; images of several channels have an axis for them.
  private static func write(_ set: ImageSet, _ count: Int, to stem: String) throws {
    func write(_ extents: [Int], _ bytes: [UInt8], _ name: String) throws {
      var file: [UInt8] = [0, 0, 8, UInt8(extents.count)]
      for extent in extents { file += withUnsafeBytes(of: UInt32(extent).bigEndian, Array.init) }
      try Data(file + bytes).write(to: URL(fileURLWithPath: "\(stem)-\(name)"))
    }
    let shape = set.shape
    let channels = shape.channels == 1 ? [] : [shape.channels]
    try write(
      [count] + channels + [shape.height, shape.width], (0..<count).flatMap { set.pixels(of: $0) }, "images-idx3-ubyte")
    try write([count], (0..<count).map { UInt8(set.label(of: $0)) }, "labels-idx1-ubyte")
  }
}

/// What a run leaves: the loss of each step before its update, and every tensor after the last.
struct TrainedModel {
  var losses: [Double]
  var tensors: [String: [Double]]

  /// Trains with the program. Every setting that changes the numbers is given: defaults are free to change.
  init(_ example: ParityCase, _ inputs: ParityInputs) throws {
    let directory = inputs.path("run")
    let result = try run(
      [
        product("swift-dp-train"), "train", "--model", example.model.rawValue, "--init", inputs.startFile, "--seed",
        "\(example.seed)", "--shards", "\(example.shards)", "--batch-size", "\(example.batchSize)", "--steps",
        "\(example.steps)", "--learning-rate", "\(example.learningRate)", "--momentum", "0.9", "--no-nesterov",
        "--weight-decay", "5e-4",
        "--decay-all", "--schedule", "constant", "--warmup-epochs", "0", "--label-smoothing", "0", "--dropout", "0",
        "--log-every", "1", "--run-dir", directory,
      ] + example.dataOptions(directory: inputs.data), timeLimit: 600)
    guard result.exitCode == 0 else { throw Failure(result.transcript) }

    struct Event: Decodable {
      let event: String
      let loss: Double?
    }
    let events = try String(contentsOfFile: directory + "/events.jsonl", encoding: .utf8)
    losses = try events.split(separator: "\n").compactMap { line in
      let event = try JSONDecoder().decode(Event.self, from: Data(line.utf8))
      return event.event == "step" ? event.loss : nil
    }
    tensors = try readTensors(directory + "/model.safetensors")
  }

  /// Trains with PyTorch.
  init(_ example: ParityCase, _ inputs: ParityInputs, dtype: String, memoryFormat: String = "contiguous") throws {
    guard let python = PyTorch.python else { throw Failure("no Python with PyTorch") }
    let script = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .appendingPathComponent("References/make-training-references.py")
    let (losses, output) = (inputs.path("losses.json"), inputs.path("end.safetensors"))
    let result = try run(
      [
        python, script.path, "--model", example.model.rawValue, "--dataset",
        example.images == nil ? "fashion-mnist" : "synthetic", "--data-dir", inputs.data, "--init", inputs.startFile,
        "--order", inputs.order, "--steps", "\(example.steps)", "--learning-rate", "\(example.learningRate)",
        "--weight-decay", "5e-4", "--dtype", dtype,
        "--memory-format",
        memoryFormat, "--losses", losses, "--output", output,
      ], timeLimit: 1800)
    guard result.exitCode == 0 else { throw Failure(result.transcript) }

    struct Record: Decodable { let losses: [Double] }
    self.losses = try JSONDecoder().decode(Record.self, from: Data(contentsOf: URL(fileURLWithPath: losses))).losses
    tensors = try readTensors(output)
  }
}

/// The interpreter named by SWIFT_DP_TRAIN_PYTHON, else `python3`, if it can import PyTorch.
enum PyTorch {
  static let python: String? = {
    let name = ProcessInfo.processInfo.environment["SWIFT_DP_TRAIN_PYTHON"] ?? "python3"
    let found = try? run([name, "-c", "import torch, numpy"], timeLimit: 120)
    return found?.exitCode == 0 ? name : nil
  }()

  static var version: String {
    let found = python.flatMap { try? run([$0, "-c", "import torch; print(torch.__version__)"], timeLimit: 120) }
    return found?.standardOutput.trimmingCharacters(in: .whitespacesAndNewlines) ?? ""
  }
}

struct Failure: Error, CustomStringConvertible {
  let description: String
  init(_ description: String) { self.description = description }
}

/// All tensors of a file as 64-bit numbers.
func readTensors(_ path: String) throws -> [String: [Double]] {
  let file = try SafetensorsFile(path: path)
  var tensors: [String: [Double]] = [:]
  for tensor in file.tensors {
    if tensor.type == .f64 {
      var values = [Double](repeating: 0, count: tensor.count)
      try values.withUnsafeMutableBytes { try file.readBytes(tensor.name, into: $0) }
      tensors[tensor.name] = values
    } else {
      tensors[tensor.name] = try file.floats(tensor.name).map(Double.init)
    }
  }
  return tensors
}
