import ArgumentParser
import Foundation
import Models
import Networks
import Training

struct CheckpointCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "checkpoint", abstract: "Look at checkpoints, check them, take the parameters out.",
    subcommands: [List.self, Show.self, Verify.self, Diff.self, Export.self])

  /// The checkpoints that a directory stands for, newest first: those of a run, or itself.
  static func checkpoints(in directory: String) throws -> [String] {
    let files = FileManager.default
    guard files.fileExists(atPath: directory) else {
      throw TrainingError(.badData, "\(directory): is not there; give the directory of a run or of a checkpoint.")
    }
    guard files.fileExists(atPath: directory + "/checkpoints") else { return [directory] }
    return try CheckpointStore(directory: directory + "/checkpoints").paths()
  }

  /// Likewise, where there must be one.
  static func existingCheckpoints(in directory: String) throws -> [String] {
    let paths = try checkpoints(in: directory)
    if paths.isEmpty {
      throw TrainingError(.badData, "\(directory): holds no checkpoint yet; let the run go on to its first.")
    }
    return paths
  }

  struct List: ParsableCommand {
    static let configuration = CommandConfiguration(abstract: "The checkpoints of a run, newest first.")

    @Argument(help: ArgumentHelp("Directory of a run.", valueName: "run")) var directory: String

    func run() throws {
      guard FileManager.default.fileExists(atPath: directory + "/checkpoints") else {
        throw TrainingError(.badData, "\(directory): holds no run; give the directory of a run (--run-dir of train).")
      }
      var table = Table([
        ("step", .trailing), ("epoch", .trailing), ("size", .trailing), ("best correct", .trailing),
        ("checkpoint", .leading),
      ])
      for path in try CheckpointStore(directory: directory + "/checkpoints").paths() {
        guard let checkpoint = try? Checkpoint(path: path) else {
          table.add(["?", "?", "", "", "\(path) (damaged)"])
          continue
        }
        let manifest = checkpoint.manifest
        table.add([
          grouped(manifest.step), decimal(manifest.epoch, 2), size(checkpoint.byteCount),
          manifest.best.map { grouped($0.correct) } ?? "", path,
        ])
      }
      show(table.lines)
    }
  }

  struct Show: ParsableCommand {
    static let configuration = CommandConfiguration(abstract: "What a checkpoint says of itself, and its tensors.")

    @Argument(help: "Directory of a checkpoint.") var checkpoint: String

    func run() throws {
      let checkpoint = try Checkpoint(path: checkpoint)
      let manifest = checkpoint.manifest
      var facts = Facts()
      facts.add("checkpoint", checkpoint.path)
      facts.add("step", "\(grouped(manifest.step)), epoch \(decimal(manifest.epoch, 2))")
      if let best = manifest.best {
        facts.add(
          "best", "\(grouped(best.correct)) correct, loss \(decimal(best.loss, 4)) at step \(grouped(best.step))")
      }
      facts.add("state", manifest.stateSHA256)
      facts.add("plan", manifest.plan)
      facts.add("made by", manifest.fingerprint)
      facts.add("size", size(checkpoint.byteCount))
      facts.add("files", manifest.files.sorted { $0.key < $1.key }.map { "\($0.key)  \($0.value)" })
      facts.add("settings", manifest.configuration.split(separator: "\n").map(String.init))
      var table = Table([("tensor", .leading), ("type", .leading), ("shape", .leading), ("elements", .trailing)])
      for tensor in try checkpoint.tensors() {
        table.add([tensor.name, tensor.type.rawValue, shapeText(tensor.shape), grouped(tensor.count)])
      }
      show(facts.lines + [""] + table.lines)
    }
  }

  struct Verify: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Compare the files of checkpoints with their digests.",
      discussion: "A line for each; exit code 65 if any is damaged.")

    @Argument(help: "Directories of checkpoints, or of runs for all of theirs.") var directories: [String]

    func run() throws {
      var isDamaged = false
      for path in try directories.flatMap(CheckpointCommand.existingCheckpoints) {
        do {
          try Checkpoint(path: path).verifyContents()
          print("ok       \(path)")
        } catch {
          isDamaged = true
          print("damaged  \(path)  \(error)")
        }
      }
      if isDamaged { throw ArgumentParser.ExitCode(Training.ExitCode.badData.rawValue) }
    }
  }

  struct Diff: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "What differs between two checkpoints: settings, position, tensors.",
      discussion: "Exit code 0 if nothing does, 1 if something does.")

    @Argument(help: "Directory of a checkpoint.") var first: String
    @Argument(help: "Directory of another.") var second: String

    func run() throws {
      let difference = try CheckpointDifference(Checkpoint(path: first), Checkpoint(path: second))
      if difference.isEmpty { return print("the same state, of the same run") }
      var lines = difference.statements
      lines += difference.onlyInFirst.map { "\($0) is in \(first) only" }
      lines += difference.onlyInSecond.map { "\($0) is in \(second) only" }
      var table = Table([
        ("tensor", .leading), ("elements", .trailing), ("differ", .trailing), ("by at most", .trailing),
      ])
      for tensor in difference.tensors {
        table.add([
          tensor.name, grouped(tensor.elements), tensor.differing.map(grouped) ?? "another shape",
          significant(tensor.distance),
        ])
      }
      show(lines + (difference.tensors.isEmpty ? [] : [""] + table.lines))
      throw ArgumentParser.ExitCode(1)
    }
  }

  struct Export: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Write the parameters of a checkpoint as a safetensors file for PyTorch or --init.",
      discussion: """
        Of a run's directory the newest checkpoint is taken. With --model it is the parameters that a new run of that \
        model and seed starts from. A run that averages parameters (--average-parameters) has two sets of them.
        """)

    @Argument(help: "Directory of a checkpoint or of a run.") var directory: String?
    @Option(help: "Export the start of a built-in model instead, as `models list` names it.") var model: String?
    @Option(help: "With --model: the seed of the run. (default: 42)") var seed: UInt64?
    @Flag(help: "With --model: as train --zero-init-residual starts it.") var zeroInitResidual = false
    @Option(help: "trained, which training goes on with, or average (default: average where there is one).")
    var parameters: String?
    @Option(help: "With --model: images as CxHxW (default: those that the model is known by).") var input: String?
    @Option(help: "With --model: classes (default: as many as the model is known by).") var classes: Int?
    @Option(help: "The file to write.") var output: String

    func validate() throws {
      if (directory == nil) == (model == nil) {
        throw TrainingError(.badConfiguration, "checkpoint export needs a directory or --model, one of them.")
      }
      if model == nil {
        if zeroInitResidual { throw invalid("--zero-init-residual without --model", "give a model") }
        let needless: [(Any?, String)] = [(seed, "--seed"), (input, "--input"), (classes, "--classes")]
        for (value, flag) in needless {
          if let value { throw invalid("\(flag) \(value) without --model", "give a model, or leave it out") }
        }
      }
      if parameters != nil && model != nil {
        throw invalid("--parameters with --model", "give the checkpoint of a run")
      }
      if let classes { try checkClasses(classes) }
    }

    func run() throws {
      if let model {
        let name: ModelName = try known(model, flag: "--model")
        let shape = try imageShape(input, of: name, flag: "--input")
        let classes = classes ?? name.usualClasses
        let network = name.network(input: .init(shape.channels, shape.height, shape.width), classes: classes)
        try checkSize(model, parameters: network.traced(batchSize: 1).parameterCount)
        let seed = seed ?? 42
        try network.writeStartParameters(seed: seed, zeroingResiduals: zeroInitResidual, to: output)
        print("\(output)  start of \(name.rawValue) on \(shape), \(classes) classes, seed \(seed)")
        return
      }
      let directory = directory ?? ""
      let path = try CheckpointCommand.existingCheckpoints(in: directory)[0]
      let checkpoint = try Checkpoint(path: path)
      let chosen = try parameters.map { (text) throws -> Checkpoint.Parameters in try known(text, flag: "--parameters")
      }
      let written = try checkpoint.exportParameters(chosen, to: output)
      let what = written == .average ? "averaged parameters" : "parameters"
      print("\(output)  \(what) of \(path), step \(grouped(checkpoint.manifest.step))")
    }
  }
}
