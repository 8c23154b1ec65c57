import Foundation

/// A directory tree that a crash may leave.
struct CrashState: Hashable {
  /// What of a file's unsafe changes is lost.
  enum Loss: Hashable {
    case nothing
    case everything
    /// The later half of them, the last one that is kept cut in two.
    case half
    /// Their bytes, but not the size, as where a file's size reaches the disk before its blocks do.
    case bytes
    /// Each by the toss of a coin; bytes that are missing before others are zero.
    case some(seed: UInt64)
  }

  /// Which bytes a file has.
  struct Content: Hashable {
    var node: FileSystem.Node
    var version: Int
    var loss: Loss
  }

  var files: [String: Content] = [:]
  var directories: Set<String> = []
}

extension FileSystem {
  /// The tree where of the changes of names only some have happened, and of the files' bytes some are lost.
  ///
  /// - Parameter loss: called for files that have something to lose.
  func state(keeping kept: (Int) -> Bool, loss: (Node) -> CrashState.Loss) -> CrashState {
    var names = durableNames
    for (index, entry) in pendingNames.enumerated() where kept(index) { entry.apply(to: &names) }
    var state = CrashState()
    func visit(_ directory: Node, _ path: String) {
      for (name, node) in names[directory] ?? [:] {
        let path = path.isEmpty ? name : "\(path)/\(name)"
        if let file = files[node] {
          let loss = file.pending.isEmpty ? .nothing : loss(node)
          state.files[path] = CrashState.Content(node: node, version: file.version, loss: loss)
        } else {
          state.directories.insert(path)
          visit(node, path)
        }
      }
    }
    visit(Self.root, "")
    return state
  }

  /// The bytes of a file of the present version.
  func bytes(_ content: CrashState.Content) -> [UInt8] {
    let file = files[content.node]!
    precondition(file.version == content.version)
    var bytes = file.durable
    switch content.loss {
    case .nothing: return file.current
    case .everything: return bytes
    case .half:
      for change in file.pending.prefix(file.pending.count / 2) { change.apply(to: &bytes) }
      if case .write(let data, let offset) = file.pending[file.pending.count / 2] {
        Change.write(Array(data.prefix(data.count / 2)), at: offset).apply(to: &bytes)
      }
    case .bytes:
      for change in file.pending {
        switch change {
        case .write(let data, let offset):
          Change.write([UInt8](repeating: 0, count: data.count), at: offset).apply(to: &bytes)
        case .resize: change.apply(to: &bytes)
        }
      }
    case .some(let seed):
      var coins = Coins(seed: seed)
      for change in file.pending where coins.toss() { change.apply(to: &bytes) }
    }
    return bytes
  }
}

/// Repeatable chance (SplitMix64; Steele et al., "Fast splittable pseudorandom number generators", 2014).
struct Coins: RandomNumberGenerator {
  private var state: UInt64

  init(seed: UInt64) { state = seed }

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }

  mutating func toss() -> Bool { next() >> 63 == 0 }
}
