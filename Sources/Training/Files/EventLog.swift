import Foundation

/// What `events.jsonl` says of a run, be it under way.
public struct EventLog: Sendable {
  /// In the order in which they were written, over all starts.
  public private(set) var events: [RunEvent] = []
  /// Numbers, from 1, of lines that are no event: only a machine that failed leaves such.
  public private(set) var damagedLines: [Int] = []

  /// - Parameter text: of the file. A last line without an end is one that is being written, and is left out. Events of kinds
  ///   that are not known are passed over.
  public init(_ text: some Sequence<UInt8>) {
    let text = Array(text)
    guard let end = text.lastIndex(of: UInt8(ascii: "\n")) else { return }
    let lines = text[..<end].split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
    for (index, line) in lines.enumerated() {
      do {
        let fields = try decodeJSON(EventFields.self, from: Data(line))
        if let event = RunEvent(fields) { events.append(event) }
      } catch {
        damagedLines.append(index + 1)
      }
    }
  }

  /// - Parameter directory: of a run.
  /// - Throws: 65 where the file cannot be read.
  public init(run directory: String) throws {
    let path = Self.path(run: directory)
    guard let data = FileManager.default.contents(atPath: path) else {
      throw TrainingError(.badData, "\(path): cannot be read; give the directory of a run.")
    }
    self.init(data)
  }

  static func path(run directory: String) -> String { directory + "/events.jsonl" }
}
