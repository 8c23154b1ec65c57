/// The crash states of a sequence of calls: after each call, what a crash there may leave.
///
/// All combinations would be too many. Tried are, after each call,
///
/// - all changes of names and none, each with the unsafe bytes of all files kept, lost, cut in half and set to zero,
/// - the first 1, 2, 3, … changes of names, as a journal keeps them,
/// - all of them but one, and one alone, for each, with bytes kept and with bytes lost,
/// - one file's bytes lost and all others' kept, for each,
/// - and `random` combinations in which a coin decides of every change.
struct CrashStates {
  var random = 4
  var seed: UInt64 = 1

  struct Crash {
    /// How many calls were made.
    var calls: Int
    var state: CrashState
    var fileSystem: FileSystem
  }

  /// Calls `visit` with each different state after each call; a state that did not change with a call comes once.
  ///
  /// - Parameters:
  ///   - range: after which numbers of calls a crash is tried; nil for all.
  ///   - requirement: what must hold from the present on. A state is visited again where this has changed.
  func forEach<Requirement: Hashable>(
    of calls: [Call], in start: FileSystem = FileSystem(), after range: ClosedRange<Int>? = nil,
    requirement: (FileSystem) -> Requirement,
    _ visit: (Crash, Requirement) throws -> Void
  ) rethrows {
    var seen: [Requirement: Set<CrashState>] = [:]
    var fileSystem = start
    for count in 0...calls.count {
      if count > 0 { fileSystem.apply(calls[count - 1]) }
      let required = requirement(fileSystem)
      guard range?.contains(count) != false else { continue }
      for state in states(of: fileSystem, after: count)
      where seen[required, default: []].insert(state).inserted {
        try visit(Crash(calls: count, state: state, fileSystem: fileSystem), required)
      }
    }
  }

  private func states(of fileSystem: FileSystem, after calls: Int) -> [CrashState] {
    let changes = fileSystem.pendingNames.count
    var states: [CrashState] = []
    func add(_ loss: CrashState.Loss, keeping kept: (Int) -> Bool) {
      states.append(fileSystem.state(keeping: kept) { _ in loss })
    }
    for loss in [CrashState.Loss.nothing, .everything, .half, .bytes] {
      add(loss) { _ in true }
      add(loss) { _ in false }
    }
    for change in 0..<changes {
      for loss in [CrashState.Loss.nothing, .everything] {
        add(loss) { $0 < change }
        add(loss) { $0 != change }
        add(loss) { $0 == change }
      }
    }
    for (node, file) in fileSystem.files where !file.pending.isEmpty {
      states.append(fileSystem.state(keeping: { _ in true }) { $0 == node ? .everything : .nothing })
    }
    for draw in 0..<random {
      var coins = Coins(seed: seed &* 1_000_003 &+ UInt64(calls * random + draw))
      let kept = (0..<changes).map { _ in coins.toss() }
      let losses = [CrashState.Loss.nothing, .everything, .half, .bytes, .some(seed: coins.next())]
      let first = coins.next()
      states.append(
        fileSystem.state(keeping: { kept[$0] }) { node in
          var coins = Coins(seed: first &+ UInt64(node))
          return losses.randomElement(using: &coins)!
        })
    }
    return states
  }
}
