import Collectives
import MPI
import TensorFiles

/// Ranks that were started with other settings, or read other files, would wait for one another or train nonsense.
/// Hosts differ so where a file is not copied to all of them.

extension Communicator {
  /// Ends the job because a rank is unlike rank 0. Collective.
  ///
  /// - Parameter sentence: from what the two are called, as "rank 2 on node1".
  func refuse(_ stranger: Int, _ code: ExitCode, _ sentence: (_ stranger: String, _ first: String) -> String) throws {
    let hosts = try allGather(MPILibrary.processorName)
    func name(_ rank: Int) -> String { "rank \(rank) on \(hosts[rank])" }
    try agree { throw TrainingError(code, sentence(name(stranger), name(0))) }
  }
}

extension TrainingJob {
  /// Stops where a rank has other settings than rank 0. Collective.
  ///
  /// Where the data and the run's directory are is each host's own affair.
  func checkEqual(on world: Communicator) throws {
    let own: [(key: String, value: String?)] =
      recipe.settings() + [
        ("transport", sharing.transport.rawValue), ("update", sharing.update.rawValue),
        ("overlap", sharing.overlap.rawValue),
        ("save-every", saveEvery.map(\.description).joined(separator: ",")),
        ("check-every", checkEvery.map(String.init)),
        ("record-gradients", recordGradientsEvery.map(String.init)), ("watchdog", "\(watchdogSeconds)"),
        ("log-every", "\(logEvery)"), ("evaluate-every", evaluateEvery.map(String.init)),
        ("dry-run", dryRun.map(String.init)), ("delay", delay.map(\.description)),
        ("seconds of training", secondsOfTraining.map { "\($0)" }),
      ]
    let all = try world.allGather(own.map { "\($0.key) \($0.value ?? "not given")" }.joined(separator: "\n"))
    guard let stranger = all.firstIndex(where: { $0 != all[0] }) else { return }
    let pairs = zip(all[stranger].split(separator: "\n"), all[0].split(separator: "\n")).filter { $0 != $1 }
    let list = pairs.map { "\($0), there \($1)" }.joined(separator: "; ")
    try world.refuse(stranger, .badConfiguration) { stranger, first in
      "\(stranger) has other settings than \(first) (\(list)); give all ranks the same arguments and the same --config."
    }
  }
}

extension TrainingData {
  /// Stops where a rank has read other data than rank 0. Collective.
  func checkEqual(on world: Communicator) throws {
    let digests = try world.allGather([digest])
    guard let stranger = digests.firstIndex(where: { $0 != digests[0] }) else { return }
    try world.refuse(stranger, .badData) { stranger, first in
      "\(stranger) has read other data than \(first) (\(name)); give all hosts the same files."
    }
  }
}

extension Fingerprint {
  /// Stops where a rank would compute other bits than rank 0. Collective.
  func checkEqual(on world: Communicator) throws {
    let all = try world.allGather(description)
    guard let stranger = all.firstIndex(where: { $0 != all[0] }) else { return }
    try world.refuse(stranger, .badConfiguration) {
      "\($0) computes with other bits than \($1): it has \(all[stranger]), rank 0 has \(all[0]); use hosts of one kind."
    }
  }
}

extension Trainer {
  /// Stops where a rank would sum otherwise than most: other buckets, another strategy, other kernels. Collective.
  func checkSchedulesAreEqual() throws {
    let buckets = zip(reducer.buckets, reducer.strategies).map { "\($0) \($1?.name ?? "native")" }
    let text = "plan \(planDigest), \(resources.placement), " + buckets.joined(separator: ", ")
    let strangers = try world.ranksThatDiffer(SHA256.hash(Array(text.utf8)).bytes)
    guard let stranger = strangers.first else { return }
    let all = try world.allGather("plan \(planDigest), \(count(buckets.count, "bucket"))")
    try world.refuse(stranger, .rankFailed) { name, _ in
      "\(name) has planned other sums than the rest (\(all[stranger]); rank 0 has \(all[0])): give all hosts the same program "
        + "and libraries; `swift-dp-train doctor` says which there are."
    }
  }
}
