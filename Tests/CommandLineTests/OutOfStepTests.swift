import Foundation
import TestSupport
import Testing

/// Ranks that wait for ever although each of them runs: one has lost step, or messages are lost. The watchdog names it, and
/// nothing stays behind.
///
/// A library between a rank and MPI (Tests/MPIFaults) leaves calls out, or makes one twice, in the middle of an epoch.
@Suite(.serialized) struct OutOfStepTests {
  /// What becomes of calls, on one of three ranks.
  struct Fault: Sendable, CustomStringConvertible {
    let action: String
    let call: String
    /// Of training's arguments.
    let sharing: String
    let rank: Int
    /// What that rank is said to be at, and what the others, as patterns.
    let own: String
    let others: String

    var description: String { "\(action) \(call) on rank \(rank), \(sharing)" }
  }

  static let sum = #"waiting in the sum of bucket 0 \([a-z0-9. …]+\)"#
  static let metrics = "waiting for the other ranks at the end of the step"
  static let update = "waiting for the other ranks of its node to update parameters"
  static let comparison = "comparing parameters with the other ranks"

  static let faults = [
    Fault(
      action: "skip", call: "allgatherv", sharing: "--transport messages", rank: 2, own: sum, others: metrics),
    Fault(
      action: "repeat", call: "allgatherv", sharing: "--transport messages", rank: 1, own: metrics, others: sum),
    Fault(
      action: "skip", call: "allgatherv", sharing: "--transport shared-memory", rank: 0, own: update, others: metrics),
    Fault(
      action: "repeat", call: "allgather", sharing: "--transport shared-memory --check-every 1", rank: 1,
      own: comparison, others: sum),
  ]

  /// Trains, some ranks with a fault.
  private func train(
    _ call: String, at number: Int = 200, _ action: String, on faulty: Int, of ranks: Int, _ sharing: String,
    in directory: TemporaryDirectory
  ) throws -> CommandResult {
    let program =
      [product("swift-dp-train"), "train", "--run-dir", directory.url.appendingPathComponent("run").path]
      + WatchdogTests.arguments + sharing.split(separator: " ").map(String.init)
    let spoilt =
      [
        "env", "LD_PRELOAD=" + product("libMPIFaults.so"), "MPI_FAULTS_CALL=\(call)", "MPI_FAULTS_ACTION=\(action)",
        "MPI_FAULTS_AT=\(number)",
      ] + program
    let words = (0..<ranks).map { $0 == faulty ? spoilt : program }
    let job = words.dropFirst().reduce(words[0]) { $0 + [":", "-np", "1"] + $1 }
    return try mpirun(np: 1, job, options: ["-q", "--bind-to", "none"], timeLimit: 60, isAlone: false)
  }

  /// The sentence of a hang that was found in time; nothing is left of the job.
  private func sentence(_ job: CommandResult, _ directory: TemporaryDirectory, since before: Set<String>) throws
    -> String
  {
    #expect(job.exitCode == 70 && !job.timedOut, "\(job.transcript)")
    let errors = job.standardError.split(separator: "\n").filter { $0.hasPrefix("error (") }
    #expect(errors.count == 1, "\(job.transcript)")
    try expectNoProcesses(of: directory)
    #expect(try sharedMemoryNames().subtracting(before) == [])
    return errors.first.map(String.init) ?? ""
  }

  @Test(arguments: faults) func aRankOutOfStepIsNamed(_ fault: Fault) throws {
    let before = try sharedMemoryNames()
    let directory = try TemporaryDirectory()
    let job = try train(fault.call, fault.action, on: fault.rank, of: 3, fault.sharing, in: directory)
    let others = (0..<3).filter { $0 != fault.rank }.map(String.init).joined(separator: ", ")
    let pattern = try Regex(
      #"error \(70\): step [0-9,]+: no rank has done anything for [2-5]\.\d s\. Rank \#(fault.rank) \([^ ]+, process \d+\) "#
        + #"is out of step: in step [0-9,]+, \#(fault.own), for \d\.\d s\. Ranks \#(others) are in step [0-9,]+, "#
        + #"\#(fault.others)\. The job is ended; .+"#)
    let sentence = try sentence(job, directory, since: before)
    #expect(sentence.wholeMatch(of: pattern) != nil, "\(job.transcript)")
  }

  /// Nothing that one rank sends arrives any more, so that both wait in the same place: a step sends four messages, and the
  /// last alone would let this rank go on to the end of the step.
  @Test func aNetworkThatLosesMessagesIsNamed() throws {
    let before = try sharedMemoryNames()
    let directory = try TemporaryDirectory()
    let job = try train("isend", at: 197, "lose", on: 1, of: 2, "--transport messages", in: directory)
    let sentence = try sentence(job, directory, since: before)
    #expect(
      sentence.contains(
        #/All ranks are waiting in the sum of bucket \d+ \(.+\): the network between them, or MPI, does not deliver\. The job/#
      ), "\(job.transcript)")
  }
}
