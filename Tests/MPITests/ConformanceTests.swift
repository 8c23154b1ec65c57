import Foundation
import TestSupport
import Testing

/// The binding and the collectives between real ranks: see Tests/mpi-conformance.
@Suite(.serialized) struct ConformanceTests {
  @Test(arguments: 1...4) func allChecksHold(ranks: Int) throws {
    let job = try mpirun(np: ranks, [product("mpi-conformance")])
    #expect(job.exitCode == 0 && job.standardOutput.hasSuffix("checks hold\n"), "\(job.transcript)")
  }

  /// More ranks than cores, and a number that nothing divides: SWIFT_DP_TRAIN_LONG_TESTS=1.
  @Test(
    .enabled(
      if: ProcessInfo.processInfo.environment["SWIFT_DP_TRAIN_LONG_TESTS"] == "1",
      "takes minutes; set SWIFT_DP_TRAIN_LONG_TESTS=1"), arguments: [8, 17])
  func allChecksHoldOnManyRanks(ranks: Int) throws {
    let job = try mpirun(np: ranks, [product("mpi-conformance")], timeLimit: 900)
    #expect(job.exitCode == 0 && job.standardOutput.hasSuffix("checks hold\n"), "\(job.transcript)")
  }

  /// Shared memory has a name for a moment where the system has no nameless files: on one rank, or on all.
  @Test(arguments: [[1], [0, 1, 2]]) func sharedMemoryWithNamesHolds(ranks: [Int]) throws {
    let directory = try TemporaryDirectory()
    let program = [product("mpi-conformance"), "windows"]
    func trace(_ rank: Int) -> String { directory.url.appendingPathComponent("trace-\(rank)").path }
    let words = (0..<3).map { rank in
      // EOPNOTSUPP for each plain open in /dev/shm; shm_open's own is not seen.
      ranks.contains(rank)
        ? [
          "env", "LD_PRELOAD=" + product("libStorageFaults.so"), "STORAGE_FAULTS_ROOT=/dev/shm",
          "STORAGE_FAULTS_ACTION=fail", "STORAGE_FAULTS_CALLS=open", "STORAGE_FAULTS_AT=1", "STORAGE_FAULTS_LASTING=1",
          "STORAGE_FAULTS_ERROR=\(EOPNOTSUPP)", "STORAGE_FAULTS_TRACE=" + trace(rank),
        ] + program : program
    }
    // Open MPI's own segments would fail as well.
    let job = try mpirun(
      np: 1, words.dropFirst().reduce(words[0]) { $0 + [":", "-np", "1"] + $1 },
      environment: ["OMPI_MCA_btl": "tcp,self", "OMPI_MCA_btl_tcp_if_include": "lo"])
    #expect(job.exitCode == 0 && job.standardOutput.hasSuffix("checks hold\n"), "\(job.transcript)")
    for rank in ranks { #expect(contents(ofFile: trace(rank))?.isEmpty == false, "rank \(rank) opened nothing") }
    let names = try FileManager.default.contentsOfDirectory(atPath: "/dev/shm")
    #expect(!names.contains { $0.hasPrefix("swift-dp-train-") }, "\(names)")
  }

  @Test func allChecksHoldWithoutLauncher() throws {
    // No mpirun to be found, as on a machine that has the library only.
    let job = try run([product("mpi-conformance")], environment: ["PATH": "/nowhere"])
    #expect(job.exitCode == 0 && job.standardOutput.hasSuffix("checks hold\n"), "\(job.transcript)")
  }
}
