import Collectives
import MPI
import TensorFiles

/// Ranks that were started with other settings, or read other files, would wait for one another or train nonsense.
/// Hosts differ so where a file is not copied to all of them.

extension TrainingJob {
  /// Stops where a rank has other settings than rank 0. Collective.
  ///
  /// Where the data and the run's directory are is each host's own affair.
  func checkEqual(on world: Communicator) throws {
    let own: [(key: String, value: String?)] =
      recipe.settings(dataDirectory: nil) + [
        ("save-every", saveEvery.map(\.description).joined(separator: ",")),
        ("check-every", checkEvery.map(String.init)),
        ("record-gradients", recordGradientsEvery.map(String.init)), ("watchdog", "\(watchdogSeconds)"),
        ("log-every", "\(logEvery)"),
        ("dry-run", dryRun.map(String.init)), ("seconds of training", secondsOfTraining.map { "\($0)" }),
      ]
    let all = try world.allGather(own.map { "\($0.key) \($0.value ?? "not given")" }.joined(separator: "\n"))
    guard let stranger = all.firstIndex(where: { $0 != all[0] }) else { return }
    let pairs = zip(all[stranger].split(separator: "\n"), all[0].split(separator: "\n")).filter { $0 != $1 }
    let list = pairs.map { "\($0), there \($1)" }.joined(separator: "; ")
    let hosts = try world.allGather(MPILibrary.processorName)
    try world.agree {
      throw TrainingError(
        .badConfiguration,
        "rank \(stranger) on \(hosts[stranger]) has other settings than rank 0 on \(hosts[0]) (\(list)); "
          + "give all ranks the same arguments and the same --config.")
    }
  }
}

extension TrainingData {
  /// Stops where a rank has read other data than rank 0. Collective.
  func checkEqual(on world: Communicator) throws {
    let digests = try world.allGather([digest])
    guard let stranger = digests.firstIndex(where: { $0 != digests[0] }) else { return }
    let hosts = try world.allGather(MPILibrary.processorName)
    try world.agree {
      throw TrainingError(
        .badData,
        "rank \(stranger) on \(hosts[stranger]) has read other data than rank 0 on \(hosts[0]) (\(name)); "
          + "give all hosts the same files.")
    }
  }
}

extension Trainer {
  /// Stops where a rank would sum otherwise than rank 0: other buckets, another strategy, other kernels. Collective.
  func checkSchedulesAreEqual() throws {
    let buckets = zip(reducer.buckets, reducer.strategies).map { "\($0) \($1?.name ?? "native")" }
    let text = "plan \(planDigest), \(resources.placement), " + buckets.joined(separator: ", ")
    let strangers = try world.ranksThatDiffer(SHA256.hash(Array(text.utf8)).bytes)
    guard let stranger = strangers.first else { return }
    let all = try world.allGather("plan \(planDigest), \(count(buckets.count, "bucket"))")
    let hosts = try world.allGather(MPILibrary.processorName)
    try world.agree {
      throw TrainingError(
        .rankFailed,
        "rank \(stranger) on \(hosts[stranger]) has planned other sums than the rest (\(all[stranger]); rank 0 has \(all[0])): "
          + "give all hosts the same program and libraries; `swift-dp-train doctor` says which there are.")
    }
  }
}
