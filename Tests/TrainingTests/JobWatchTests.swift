import Testing
import Training

/// What the watchdog concludes from what ranks say, at times that the tests choose.
@Suite struct JobWatchTests {
  /// A job of ranks on two hosts, all in step 41, of which some do something else.
  private struct Job {
    var watch = JobWatch(limit: 60)
    var statuses: [RankStatus]

    init(_ operations: [Operation]) {
      statuses = operations.enumerated().map {
        RankStatus(rank: $0, process: 100 + $0, operation: $1, detail: 2, step: 41, progress: 7)
      }
    }

    /// Everybody but some speaks at a time.
    mutating func hear(_ now: Double, without silent: Set<Int> = []) {
      for status in statuses where !silent.contains(status.rank) {
        watch.hear(status, host: status.rank < 2 ? "node0" : "node1", at: now)
      }
    }

    func hang(at now: Double) -> JobWatch.Hang? {
      if case .hang(let hang)? = watch.verdict(at: now) { hang } else { nil }
    }
  }

  private func ranks(_ seen: [JobWatch.Seen]?) -> [Int]? { seen?.map(\.status.rank) }

  @Test func whoeverDoesSomethingPreventsAHang() {
    var job = Job([.summing, .summing, .computing])
    for second in 0...200 {
      // Another instruction, or only another count.
      if second % 50 == 0 { job.statuses[2].detail += 1 }
      job.hear(Double(second))
      #expect(job.watch.verdict(at: Double(second)) == nil)
    }
    for second in 201...262 { job.hear(Double(second)) }
    // The limit, and three words more in which a host would be found to be silent.
    #expect(job.hang(at: 262) == nil)
    job.hear(263)
    let hang = job.hang(at: 263)
    #expect(ranks(hang?.missing) == [2] && ranks(hang?.waiting) == [0, 1] && hang?.seconds == 63)
  }

  @Test func theOneThatIsStoppedIsNamed() {
    var job = Job([.summing, .summing, .summing])
    job.hear(0)
    job.statuses[1].life = .stopped
    job.hear(61)
    let hang = job.hang(at: 61)
    #expect(ranks(hang?.missing) == [1] && ranks(hang?.waiting) == [0, 2])
    var report = WatchReport()
    report.names.buckets = ["a", "b", "fc1.weight … fc2.bias"]
    report.directory = "runs/x"
    let text = hang.map { report.hang($0, at: 61) }
    #expect(
      text
        == "step 42: no rank has done anything for 1m01s. Rank 1 (node0, process 101) is stopped, waiting in the sum of "
        + "bucket 2 (fc1.weight … fc2.bias) for 1m01s. Ranks 0, 2 are waiting in the sum of bucket 2 (fc1.weight … fc2.bias). "
        + "The job is ended; the same command with --run-dir runs/x goes on from the last checkpoint.")
  }

  @Test func aHostThatSaysNothingIsNamed() {
    var job = Job([.summing, .summing, .summing, .computing])
    job.hear(0)
    for second in 1...65 { job.hear(Double(second), without: [2, 3]) }
    let hang = job.hang(at: 65)
    #expect(ranks(hang?.missing) == [2, 3] && ranks(hang?.waiting) == [0, 1])
    let text = hang.map { WatchReport().hang($0, at: 65) } ?? ""
    #expect(
      text.contains("Nothing is heard of rank 2 (node1, process 102), which was last waiting in a sum"), "\(text)")
  }

  /// A rank that waits in something else than the others, or a step behind, is out of step.
  @Test func theOneOutOfStepIsNamed() {
    var job = Job([.summing, .exchanging, .summing])
    job.hear(0)
    job.hear(63)
    #expect(ranks(job.hang(at: 63)?.missing) == [1])
    job = Job([.summing, .summing, .summing, .summing])
    job.statuses[3].step = 40
    job.hear(0)
    job.hear(63)
    #expect(ranks(job.hang(at: 63)?.missing) == [3])
    let text = job.hang(at: 63).map { WatchReport().hang($0, at: 63) } ?? ""
    #expect(
      text.contains(
        "Rank 3 (node1, process 103) is out of step: in step 41, waiting in a sum of gradients, for 1m03s. Ranks 0, 1, 2 are in "
          + "step 42, waiting in a sum of gradients. "), "\(text)")
  }

  /// Which of two is right nobody can know.
  @Test func ofTwoTheOneAheadIsNamed() {
    for (operations, ahead) in [([Operation.summing, .exchanging], 1), ([.exchanging, .summing], 0)] {
      var job = Job(operations)
      job.hear(0)
      job.hear(60)
      #expect(ranks(job.hang(at: 60)?.missing) == [ahead])
    }
  }

  /// All in the same place: the network.
  @Test func nobodyIsNamedWhereAllWaitAlike() {
    var job = Job([.exchanging, .exchanging])
    job.hear(0)
    job.hear(60)
    let hang = job.hang(at: 60)
    #expect(ranks(hang?.missing) == [] && ranks(hang?.waiting) == [0, 1])
    #expect(
      hang.map { WatchReport().hang($0, at: 60) }?.contains("the network between them, or MPI, does not deliver")
        == true)
  }

  /// Where all ranks stop at once because one host has, it is silent by the time that the hang is found, at any limit.
  /// It is, too, where it spoke a little later than anybody did anything.
  @Test(arguments: [1.0, 2, 3, 4, 5, 8, 60]) func aHostThatTakesTheOthersAlongIsNamed(limit: Double) {
    var job = Job([.summing, .summing, .summing, .summing])
    job.watch = JobWatch(limit: limit)
    job.hear(0)
    for tenth in 1...Int(10 * limit) { job.hear(Double(tenth) / 10, without: [2, 3]) }
    let hang = job.hang(at: limit)
    #expect(ranks(hang?.missing) == [2, 3] && hang?.missing.allSatisfy(\.isSilent) == true)
    job = Job([.summing, .summing, .summing, .summing])
    job.watch = JobWatch(limit: limit)
    job.hear(0)
    job.hear(0.9 * limit)
    for tenth in Int(9 * limit)...Int(40 * limit) {
      let now = Double(tenth) / 10
      job.hear(now, without: [2, 3])
      guard let hang = job.hang(at: now) else { continue }
      return #expect(ranks(hang.missing) == (limit > 6 ? [] : [2, 3]), "after \(now) s")
    }
    #expect(Bool(false), "no hang")
  }

  @Test func planningMayTakeLong() {
    var job = Job([.planning, .exchanging])
    job.hear(0)
    job.hear(600)
    #expect(job.watch.verdict(at: 600) == nil)
    // Unless its host is silent.
    job.hear(700, without: [0])
    #expect(ranks(job.hang(at: 700)?.missing) == [0])
  }

  @Test func aRankThatIsGoneIsToldAtOnce() {
    var job = Job([.summing, .computing])
    job.hear(0)
    job.statuses[1].life = .dead
    job.hear(0.2)
    guard case .death(let dead)? = job.watch.verdict(at: 0.2) else { return #expect(Bool(false), "no verdict") }
    #expect(ranks(dead) == [1])
    #expect(WatchReport().death(dead).hasPrefix("Rank 1 (node0, process 101) was ended by signal 9, or by another"))
    job.statuses[1].signal = 11
    job.hear(0.3)
    guard case .death(let faulty)? = job.watch.verdict(at: 0.3) else { return #expect(Bool(false), "no verdict") }
    #expect(
      WatchReport().death(faulty).hasPrefix(
        "Rank 1 (node0, process 101) was ended by signal 11 in step 42, computing. "))
    // One that ended by itself has said why.
    job.statuses[1].life = .ended
    job.hear(0.4)
    #expect(job.watch.verdict(at: 0.4) == nil)
  }

  @Test func statusesGoThroughLines() {
    var status = RankStatus(
      rank: 3, process: 4711, life: .stopped, signal: 0, operation: .takingBatch, detail: 5, step: 1_000_000,
      progress: .max)
    #expect(RankStatus(line: status.line) == status)
    status.file = "/data/a file with spaces.gz"
    #expect(RankStatus(line: status.line) == status)
    for line in [
      "", "alive", "rank 1 2 running 0 99 0 0 0", "rank x 2 running 0 1 0 0 0", "rank 1 2 running 0 1 0 0 0",
    ] {
      #expect(RankStatus(line: line) == nil, "\(line)")
    }
  }
}
