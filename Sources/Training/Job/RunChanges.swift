import Foundation

/// What of a run's settings has changed since a checkpoint was made.
enum RunChanges {
  /// Settings that decide no bit, and the number of servers, beside which there are no bits to keep.
  private static let free: Set<String> = ["data-dir", "recompute", "servers"]

  /// Of which a text has one.
  private static let lengths: Set<String> = ["epochs", "steps"]

  /// The settings that differ between two texts as `config.yaml` has them, each as "momentum was 0.9, is 0.8", sorted.
  ///
  /// A setting that a text does not have, because the program that wrote it knew none of the kind, has its default.
  static func settings(_ before: String, _ now: String) -> [String] {
    let defaults = fields(Recipe().configurationText()).filter { !lengths.contains($0.key) }
    let (old, new) = (
      fields(before).merging(defaults) { own, _ in own }, fields(now).merging(defaults) { own, _ in own }
    )
    return Set(old.keys).union(new.keys).subtracting(free).filter { old[$0] != new[$0] }.sorted()
      .map { "\($0) was \(old[$0] ?? "null"), is \(new[$0] ?? "null")" }
  }

  private static func fields(_ text: String) -> [String: String] {
    Dictionary(lines(text), uniquingKeysWith: { first, _ in first })
  }

  /// Keys and values of a text as `config.yaml` has them, in its order.
  static func lines(_ text: String) -> [(key: String, value: String)] {
    text.split(separator: "\n").compactMap { line in
      let parts = line.split(separator: ":", maxSplits: 1)
      return parts.count == 2 ? (String(parts[0]), parts[1].trimmingCharacters(in: .whitespaces)) : nil
    }
  }
}
