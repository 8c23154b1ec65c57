import Datasets
import Engine
import Foundation
import Models
import Networks
import TensorFiles
import TestSupport
import Testing
import Training

/// The state of a run, its digests, and its files.
@Suite struct StateTests {
  /// A state with values in every vector, over the layouts that a batch size asks for.
  static func state(
    batch: Int = 4, model: ModelName = .resnet18CIFAR, seed: UInt64 = 3, averages: Bool = false
  ) throws -> TrainingState {
    let network = model.network(input: .init(3, 8, 8), classes: 10)
    let layout = try Planner.parameterLayout(for: network.traced(batchSize: batch).training())
    let state = try TrainingState(layout: layout, slotNames: ["momentum"] + (averages ? ["average"] : []))
    try layout.initialize(state.parameters.pointer, seed: seed)
    if averages { try layout.initialize(state.slots[1].pointer, seed: seed + 7) }
    for entry in layout.entries where entry.parameter.isTrainable {
      let values = Initializer.uniform(bound: 1).values(
        count: entry.parameter.count, seed: seed + 1, name: entry.parameter.name)
      try layout.setStandardValues(values, of: entry, in: state.slots[0].pointer)
    }
    state.position = Position(step: 12)
    return state
  }

  static let manifest = Checkpoint.Manifest(
    step: 12, epoch: 1.5, configuration: "seed: 3\n", plan: "p", fingerprint: "f", stateSHA256: "s", loss: 0.5)

  /// Kernels may choose other layouts for another batch size; what is trained is the same.
  @Test func digestsDoNotDependOnTheLayouts() throws {
    let states = try [1, 4, 32].map { try Self.state(batch: $0) }
    for state in states {
      #expect(try state.parametersDigest() == states[0].parametersDigest())
      #expect(try state.stateDigest() == states[0].stateDigest())
    }
  }

  @Test func everyPartCounts() throws {
    let state = try Self.state()
    let (parameters, whole) = try (state.parametersDigest(), state.stateDigest())
    state.position.step += 1
    #expect(try state.parametersDigest() == parameters && state.stateDigest() != whole)
    state.position.step -= 1
    #expect(try state.stateDigest() == whole)
    state.slots[0].pointer[0].negate()
    #expect(try state.parametersDigest() == parameters && state.stateDigest() != whole)
    state.slots[0].pointer[0].negate()
    let last = try #require(state.layout.entries.last)
    state.parameters.pointer[last.range.lowerBound] += 1
    #expect(try state.parametersDigest() != parameters && state.stateDigest() != whole)
  }

  @Test func aCheckpointGivesTheStateBack() throws {
    let directory = try TemporaryDirectory()
    let state = try Self.state()
    let path = try CheckpointStore(directory: directory.url.path).write(state, Self.manifest).path
    #expect(path == directory.url.path + "/step-00000012")
    let checkpoint = try Checkpoint(path: path)
    try checkpoint.verify()
    #expect(checkpoint.manifest.step == 12 && checkpoint.manifest.configuration == "seed: 3\n")
    let other = try Self.state(batch: 1, seed: 99)
    #expect(try other.stateDigest() != state.stateDigest())
    try checkpoint.load(into: other)
    #expect(try other.stateDigest() == state.stateDigest())
    #expect(other.position == state.position)
  }

  /// Where an average is kept it is what is evaluated and exported, with its own running statistics; training goes on with
  /// the parameters.
  @Test func anAverageIsPartOfTheStateAndWhatIsEvaluated() throws {
    let directory = try TemporaryDirectory()
    let (state, plain) = (try Self.state(averages: true), try Self.state())
    #expect(try state.stateDigest() != plain.stateDigest() && state.parametersDigest() != plain.parametersDigest())
    let statistic = try #require(state.layout.entries.first { $0.parameter.role == .runningMean })
    let digest = try state.stateDigest()
    state.slots[1].pointer[statistic.range.lowerBound] += 1
    #expect(try state.stateDigest() != digest)

    let checkpoint = try CheckpointStore(directory: directory.url.path).write(state, Self.manifest)
    let other = try Self.state(batch: 1, seed: 50, averages: true)
    try checkpoint.load(into: other)
    #expect(try other.stateDigest() == state.stateDigest())
    let evaluated = try Self.state(seed: 60)
    try checkpoint.loadEvaluated(into: evaluated)
    #expect(try evaluated.parametersDigest() == state.parametersDigest())
    func exported(_ parameters: Checkpoint.Parameters?, of checkpoint: Checkpoint) throws -> String {
      let file = directory.url.appendingPathComponent("model.safetensors").path
      #expect(try checkpoint.exportParameters(parameters, to: file) == parameters ?? .average)
      let read = try Self.state(seed: 70)
      try read.readParameters(from: file)
      return try read.parametersDigest().description
    }
    #expect(try exported(nil, of: checkpoint) == state.parametersDigest().description)
    #expect(try exported(.average, of: checkpoint) == state.parametersDigest().description)
    #expect(try exported(.trained, of: checkpoint) == plain.parametersDigest().description)
    // A state without an average has nowhere to put it, and the other way round.
    #expect(throws: TrainingError.self) { try checkpoint.load(into: plain) }
    let elsewhere = try TemporaryDirectory()
    let without = try CheckpointStore(directory: elsewhere.url.path).write(plain, Self.manifest)
    #expect(throws: TrainingError.self) { try without.load(into: other) }
    let error = #expect(throws: TrainingError.self) { try without.exportParameters(.average, to: "unused") }
    #expect(error?.code == .badConfiguration)
  }

  @Test func checkpointsAreListedNewestFirst() throws {
    let directory = try TemporaryDirectory()
    let store = CheckpointStore(directory: directory.url.path)
    for step in [9, 100, 12, 123_456_789, 99_999_999] {
      var manifest = Self.manifest
      manifest.step = step
      _ = try store.write(Self.state(model: .mlp), manifest)
    }
    // What a killed job leaves is not a checkpoint.
    let left = directory.url.appendingPathComponent(".step-00000200.temporary")
    try FileManager.default.createDirectory(at: left, withIntermediateDirectories: false)
    func names() throws -> [String] { try store.paths().map { URL(fileURLWithPath: $0).lastPathComponent } }
    let newest = ["step-123456789", "step-99999999", "step-00000100", "step-00000012", "step-00000009"]
    #expect(try names() == newest)
    #expect(try CheckpointStore(directory: directory.url.path + "/none").paths() == [])
    store.removeLeftovers()
    #expect(!FileManager.default.fileExists(atPath: left.path))
    store.prune(upTo: 123_456_789, keeping: 2, andStep: 12)
    #expect(try names() == ["step-123456789", "step-99999999", "step-00000012"])
    // Just written, and never removed: later ones are of a history that was given up.
    store.prune(upTo: 99_999_999, keeping: 1, andStep: 12)
    #expect(try names() == ["step-99999999", "step-00000012"])
    store.prune(upTo: 12, keeping: 1, andStep: nil)
    #expect(try names() == ["step-00000012"])
  }

  /// A byte anywhere, a missing file, a cut: `verify` or reading tells, with 65.
  @Test func damageIsFound() throws {
    let directory = try TemporaryDirectory()
    let path = try CheckpointStore(directory: directory.url.path).write(Self.state(model: .mlp), Self.manifest).path
    let file = URL(fileURLWithPath: path + "/state.safetensors")
    let sound = try Data(contentsOf: file)
    func expectFault(_ comment: String) {
      let error = #expect(throws: TrainingError.self, "\(comment)") { try Checkpoint(path: path).verify() }
      #expect(error?.code == .badData && error?.description.hasPrefix(path) == true, "\(comment)")
    }
    for place in [0, 100, sound.count / 2, sound.count - 1] {
      var damaged = sound
      damaged[place] ^= 0x10
      try damaged.write(to: file)
      expectFault("byte \(place)")
    }
    try sound.dropLast().write(to: file)
    expectFault("cut")
    try FileManager.default.removeItem(at: file)
    expectFault("missing")
    try sound.write(to: file)
    try Checkpoint(path: path).verify()
    let manifest = URL(fileURLWithPath: path + "/manifest.json")
    for text in ["", "{", "[]", #"{"format": 1}"#, String(repeating: "[", count: 513)] {
      try Data(text.utf8).write(to: manifest)
      expectFault("manifest \(text)")
    }
    try FileManager.default.removeItem(at: manifest)
    expectFault("no manifest")
  }

  /// Whatever a tolerant reader would pass over is damage.
  @Test func aManifestIsReadToTheLetter() throws {
    let directory = try TemporaryDirectory()
    let path = try CheckpointStore(directory: directory.url.path).write(Self.state(model: .mlp), Self.manifest).path
    let manifest = URL(fileURLWithPath: path + "/manifest.json")
    let sound = try String(contentsOf: manifest, encoding: .utf8)
    #expect(try Checkpoint(path: path).manifest.step == 12)
    let changes: [(String, String)] = [
      (#""step" : 12"#, #""step" : 13"#), (#""step" : 12"#, #""step" : 012"#),
      (#""step" : 12"#, #""step" : 12, "step" : 12"#), (#""loss" : 0.5"#, #""loss" : 0.25"#),
      (#""loss" : 0.5"#, #""loss" : 5e-1"#), ("seed: 3", "seed: 4"), (#""plan" : "p""#, #""plan" : "p" "#),
      (#""format" : 2"#, #""format" : 1"#), (#""format" : 2"#, #""format" : 3"#),
      ("state.safetensors", "../state.safetensors"), ("{", " {"), ("}", "} "),
    ]
    for (old, new) in changes {
      try #require(sound.contains(old), "\(old)")
      try sound.replacingOccurrences(of: old, with: new).write(to: manifest, atomically: false, encoding: .utf8)
      let error = #expect(throws: TrainingError.self, "\(old) as \(new)") { try Checkpoint(path: path) }
      #expect(error?.code == .badData, "\(old) as \(new)")
    }
    let bytes = Array(sound.utf8)
    for place in stride(from: 0, to: bytes.count, by: 7) {
      var damaged = bytes
      damaged[place] ^= 4
      try Data(damaged).write(to: manifest)
      #expect(throws: TrainingError.self, "byte \(place)") { try Checkpoint(path: path) }
    }
    try sound.write(to: manifest, atomically: false, encoding: .utf8)
    #expect(try Checkpoint(path: path).manifest.step == 12)
  }

  /// The same state again is left alone, and what is damaged is replaced.
  @Test func writingAgainMendsWhatIsDamaged() throws {
    let directory = try TemporaryDirectory()
    let store = CheckpointStore(directory: directory.url.path)
    let state = try Self.state(model: .mlp)
    let path = try store.write(state, Self.manifest).path
    func inode() throws -> Int {
      try #require(FileManager.default.attributesOfItem(atPath: path)[.systemFileNumber] as? Int)
    }
    let before = try inode()
    _ = try store.write(state, Self.manifest)
    #expect(try inode() == before)
    try Data([1, 2, 3]).write(to: URL(fileURLWithPath: path + "/state.safetensors"))
    try store.write(state, Self.manifest).verify()
    #expect(try inode() != before)
    #expect(try FileManager.default.contentsOfDirectory(atPath: directory.url.path) == ["step-00000012"])
  }

  @Test func anotherModelsCheckpointIsRefused() throws {
    let directory = try TemporaryDirectory()
    let path = try CheckpointStore(directory: directory.url.path).write(Self.state(model: .mlp), Self.manifest).path
    let other = try Self.state(model: .cnn)
    let error = #expect(throws: TrainingError.self) { try Checkpoint(path: path).load(into: other) }
    #expect(error?.code == .badData)
  }

  @Test func parametersGoThroughAFile() throws {
    let directory = try TemporaryDirectory()
    let file = directory.url.appendingPathComponent("model.safetensors").path
    let state = try Self.state()
    try state.writeParameters(to: file)
    let other = try Self.state(batch: 1, seed: 50)
    try other.readParameters(from: file)
    #expect(try other.parametersDigest() == state.parametersDigest())
    // A layer that is passed over keeps its start, with another number of classes too.
    let third = try Self.state(seed: 60)
    let entry = try #require(third.layout.entries.first { $0.parameter.name == "fc.weight" })
    let before = try third.layout.standardValues(of: entry, in: third.parameters.pointer)
    try third.readParameters(from: file, skipping: ["fc"])
    #expect(try third.layout.standardValues(of: entry, in: third.parameters.pointer) == before)
    #expect(try third.parametersDigest() != state.parametersDigest())
  }

  /// A state dictionary of torchvision counts batches beside the running statistics: 64-bit integers without axes.
  @Test func countsOfBatchesArePassedOver() throws {
    let directory = try TemporaryDirectory()
    let file = directory.url.appendingPathComponent("torchvision.safetensors").path
    let state = try Self.state(model: .shufflenetV2)
    let counts = state.layout.entries.filter { $0.parameter.role == .runningMean }.map {
      TensorSource(
        name: $0.parameter.name.replacingOccurrences(of: "running_mean", with: "num_batches_tracked"), shape: [],
        integers: [7])
    }
    #expect(counts.count == 56)
    try SafetensorsFile.write(state.parameterTensors + counts, metadata: [:], to: file)
    let other = try Self.state(model: .shufflenetV2, seed: 50)
    try other.readParameters(from: file)
    #expect(try other.parametersDigest() == state.parametersDigest())
  }
}
