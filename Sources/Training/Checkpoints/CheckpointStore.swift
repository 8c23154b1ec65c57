import Foundation
import TensorFiles

/// The checkpoints of one run.
///
///     checkpoints/step-00000200/manifest.json        what it is, and the digests of all
///     checkpoints/step-00000200/state.safetensors    parameters, running statistics, optimizer slots, position
public struct CheckpointStore: Sendable {
  public let directory: String

  public init(directory: String) { self.directory = directory }

  /// The directories of checkpoints, newest first; names that are not theirs are passed over.
  /// - Throws: 65 where there is a directory that cannot be read: a run that had checkpoints must not begin anew.
  public func paths() throws -> [String] { try entries().map(\.path) }

  /// The steps of checkpoints, newest first.
  func steps() throws -> [Int] { try entries().map(\.step) }

  private func entries() throws -> [(step: Int, path: String)] {
    let names = try classifying { try namesOfEntries(in: directory) }
    return names.compactMap { name in Self.step(ofName: name).map { ($0, directory + "/" + name) } }
      .sorted { $0.step > $1.step }
  }

  private static let prefix = "step-"

  private static func step(ofName name: String) -> Int? {
    name.hasPrefix(prefix) ? Int(name.dropFirst(prefix.count)) : nil
  }

  private func path(ofStep step: Int) -> String {
    directory + "/" + Self.prefix + zeroPadded(step, 8)
  }

  /// The newest checkpoint that is whole, and a sentence for each damaged one that was passed over.
  ///
  /// - Parameter goesOn: called again and again while files are read.
  /// - Throws: 65 where they cannot be listed.
  public func newest(goesOn: () -> Void = {}) throws -> (checkpoint: Checkpoint?, damage: [String]) {
    var damage: [String] = []
    for path in try paths() {
      do {
        let checkpoint = try Checkpoint(path: path)
        try checkpoint.verify(goesOn: goesOn)
        return (checkpoint, damage)
      } catch {
        damage.append("\(error)")
      }
    }
    return (nil, damage)
  }

  /// Writes a state. Its directory appears whole or not at all, and is on the disk when this returns.
  ///
  /// A whole checkpoint of the same state that is there already is left alone.
  ///
  /// - Parameters:
  ///   - manifest: without digests, which are filled in.
  ///   - goesOn: called after every tensor.
  /// - Throws: 74; nothing of the new checkpoint is left then.
  public func write(
    _ state: TrainingState, _ manifest: Checkpoint.Manifest, goesOn: () -> Void = {}
  ) throws -> Checkpoint {
    let path = path(ofStep: manifest.step)
    var manifest = manifest
    return try classifying {
      manifest.stateSHA256 = try state.stateDigest().description
      if let there = try? Checkpoint(path: path), there.manifest.stateSHA256 == manifest.stateSHA256,
        (try? there.verify()) != nil
      {
        return there
      }
      let new = try AtomicDirectory(path: path)
      let digest = try SafetensorsFile.write(state.stateTensors, to: new.file(Checkpoint.stateName), goesOn: goesOn)
      manifest.files = [Checkpoint.stateName: digest.description]
      try AtomicFile.write(manifest.sealed(), to: new.file(Checkpoint.manifestName))
      try new.commit()
      return try Checkpoint(path: path)
    }
  }

  /// Removes all checkpoints but that of `step`, which has just been written, the newest before it, and that of one step more.
  ///
  /// Those of later steps are damaged, or the run has been taken back to a state before them: it must not go on from there. What
  /// cannot be removed stays.
  ///
  /// - Parameter count: how many are kept up to `step`.
  public func prune(upTo step: Int, keeping count: Int, andStep kept: Int? = nil) {
    let entries = (try? entries()) ?? []
    let old = entries.filter { $0.step <= step }.dropFirst(count).filter { $0.step != kept }
    for entry in entries.filter({ $0.step > step }) + old { try? AtomicDirectory.remove(entry.path) }
  }

  /// Removes what a job that died in the middle of writing left.
  public func removeLeftovers() { AtomicDirectory.removeLeftovers(in: directory) }
}
