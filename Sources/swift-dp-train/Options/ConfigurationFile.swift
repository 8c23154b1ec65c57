import Foundation
import Training
import Yams

/// A YAML file whose keys are the long flags of `train` without their dashes:
///
///     model: cnn
///     epochs: 10
///     nesterov: true
///
/// It is turned into arguments that stand in front of those on the command line, so that a flag overrides the file and
/// there is one place that knows what a setting means.
struct ConfigurationFile {
  let path: String
  /// `--model cnn --epochs 10 --nesterov`.
  let arguments: [String]

  init(path: String) throws {
    let text: String
    do { text = try String(contentsOfFile: path, encoding: .utf8) } catch {
      throw TrainingError(.badConfiguration, "--config \(path): cannot be read as text; check the path.")
    }
    try self.init(text: text, path: path)
  }

  init(text: String, path: String) throws {
    self.path = path
    guard let root = try Self.root(text, path: path) else {
      arguments = []
      return
    }
    guard let mapping = root.mapping else {
      throw TrainingError(.badConfiguration, "\(path): is not a list of settings; write one `key: value` a line.")
    }
    arguments = try Self.arguments(mapping, place: path)
  }

  /// What a YAML file holds; nil for nothing.
  static func root(_ text: String, path: String) throws -> Node? {
    // A file of a few lines whose names stand for one another can take for ever, and settings need none.
    if let match = text.firstMatch(of: #/(?m)^[^#"'\n]*?(?:^|[\s:\[\{,?\-])[&*][A-Za-z0-9_]/#) {
      let line = text[..<match.range.lowerBound].count(where: \.isNewline) + 1
      throw TrainingError(
        .badConfiguration, "\(path): line \(line) has a YAML anchor or alias (& or *); write one `key: value` a line.")
    }
    do { return try Yams.compose(yaml: text) } catch {
      let line = "\(error)".split(separator: "\n").first.map(String.init) ?? ""
      throw TrainingError(.badConfiguration, "\(path): is not YAML (\(line)); write one `key: value` a line.")
    }
  }

  /// Settings as arguments of `train`.
  ///
  /// - Parameter place: where they stand, for errors.
  static func arguments(_ mapping: Node.Mapping, place: String) throws -> [String] {
    var arguments: [String] = []
    for (key, value) in mapping {
      guard let name = key.string, Self.keys.contains(name) else {
        throw TrainingError(
          .badConfiguration,
          "\(place): there is no setting \(key.string ?? "of that form"); see swift-dp-train train --help.")
      }
      guard let scalar = value.scalar else {
        throw TrainingError(.badConfiguration, "\(place): \(name) is not a single value; write `\(name): value`.")
      }
      // What is in quotes is a text, whatever it looks like.
      let isQuoted = scalar.style == .singleQuoted || scalar.style == .doubleQuoted
      switch scalar.string {
      case _ where isQuoted: arguments.append("--\(name)=\(scalar.string)")
      case "true": arguments.append("--\(name)")
      case "false": arguments.append("--no-\(name)")
      case "", "null", "~": continue
      default: arguments.append("--\(name)=\(scalar.string)")
      }
    }
    return arguments
  }

  /// The settings that a file may have: all of a recipe, and the files that a run reads.
  static let keys = Set(Recipe().settings().map(\.key) + ["epochs", "steps"])
}
