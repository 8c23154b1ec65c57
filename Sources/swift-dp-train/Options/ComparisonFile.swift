import Foundation
import Training
import Yams

/// A YAML file of runs to compare: settings of all, and those in which each differs.
///
///     base:
///       model: lenet5
///       epochs: 5
///     runs:
///       ring: {}
///       tree:
///         all-reduce: double-tree
struct ComparisonFile {
  /// In the order of the file.
  let runs: [(name: String, settings: Settings)]

  /// - Parameters:
  ///   - changes: `key=value` of settings that are stronger than those of base.
  ///   - last: settings that are stronger than all of the file.
  init(path: String, changes: [String], last: RecipeOptions) throws {
    let text: String
    do { text = try String(contentsOfFile: path, encoding: .utf8) } catch {
      throw TrainingError(.badConfiguration, "\(path): cannot be read as text; check the path.")
    }
    guard let root = try ConfigurationFile.root(text, path: path)?.mapping else {
      throw TrainingError(.badConfiguration, "\(path): has no runs; write `runs:` with a name and settings for each.")
    }
    for (key, _) in root where key.string != "base" && key.string != "runs" {
      throw TrainingError(
        .badConfiguration,
        "\(path): \(key.string ?? "a key that is no word") stands beside base and runs; put settings of all runs below base."
      )
    }
    let base = try RecipeOptions(root["base"], place: "\(path): base")
    let changed = try Self.options(changes)
    guard let mapping = root["runs"]?.mapping, !mapping.isEmpty else {
      throw TrainingError(.badConfiguration, "\(path): has no runs; write `runs:` with a name and settings for each.")
    }
    runs = try mapping.map { key, value in
      guard let name = key.string, name.wholeMatch(of: /[A-Za-z0-9][A-Za-z0-9._-]{0,39}/) != nil else {
        throw TrainingError(
          .badConfiguration,
          "\(path): a run cannot be called \(key.string ?? "that"); give up to 40 letters, digits, dots, dashes and "
            + "underscores, a letter or digit first.")
      }
      let place = "\(path): run \(name)"
      let own = try RecipeOptions(value, place: place)
      do {
        let settings = try Settings(base, changed, own, last)
        // What a run has of its own must have an effect.
        try own.checkUse(in: settings.recipe)
        return (name, settings)
      } catch let error as TrainingError { throw TrainingError(error.code, "\(place): \(error.description)") }
    }
  }

  private static func options(_ changes: [String]) throws -> RecipeOptions {
    let pairs = try changes.map { change in
      guard let equals = change.firstIndex(of: "=") else {
        throw invalid("--base \(change)", "give a setting and its value, as model=cnn")
      }
      return (Node(String(change[..<equals])), Node(String(change[change.index(after: equals)...])))
    }
    return try RecipeOptions(.mapping(Node.Mapping(pairs)), place: "--base")
  }

}

extension RecipeOptions {
  /// The options of a mapping of settings, or of nothing.
  fileprivate init(_ node: Node?, place: String) throws {
    guard let node, node.null == nil else {
      try self.init([], place: place)
      return
    }
    guard let mapping = node.mapping else {
      throw TrainingError(.badConfiguration, "\(place): is not a list of settings; write one `key: value` a line.")
    }
    try self.init(try ConfigurationFile.arguments(mapping, place: place), place: place)
  }
}
