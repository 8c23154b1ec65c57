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

  @Test func allChecksHoldWithoutLauncher() throws {
    // No mpirun to be found, as on a machine that has the library only.
    let job = try run([product("mpi-conformance")], environment: ["PATH": "/nowhere"])
    #expect(job.exitCode == 0 && job.standardOutput.hasSuffix("checks hold\n"), "\(job.transcript)")
  }
}
