import TestSupport
import Testing

/// How a job ends: exit codes, and who says what how often.
@Suite(.serialized) struct EndsOfAJobTests {
  private func job(_ arguments: String..., ranks: Int = 4, options: [String] = []) throws -> CommandResult {
    try mpirun(
      np: ranks, [product("mpi-conformance")] + arguments, options: ["--bind-to", "none"] + options, timeLimit: 30)
  }

  private func lines(_ text: String) -> [Substring] { text.split(separator: "\n").filter { $0.hasPrefix("error (") } }

  @Test(arguments: [0, 75]) func whatAllReturnIsTheJobsCode(code: Int) throws {
    let job = try job("return", "\(code)")
    #expect(job.exitCode == code && lines(job.standardError) == [], "\(job.transcript)")
  }

  @Test(arguments: [0, 3]) func aFailingRankEndsTheOthersWithItsCode(rank: Int) throws {
    let job = try job("fail", "\(rank)", "72")
    #expect(job.exitCode == 72 && !job.timedOut, "\(job.transcript)")
    #expect(lines(job.standardError) == ["error (72): rank \(rank) cannot go on."], "\(job.transcript)")
  }

  @Test func anErrorOfMPIEndsTheJobWith71() throws {
    let job = try job("fail-mpi", "1")
    #expect(job.exitCode == 71 && !job.timedOut, "\(job.transcript)")
    let sentences = lines(job.standardError)
    #expect(sentences.count == 1 && sentences[0].contains("MPI_Send failed on rank 1"), "\(job.transcript)")
  }

  /// Unwinding passes a window and a request under way; neither may wait for the other ranks.
  @Test func aRankThatUnwindsFromAWindowEndsTheOthers() throws {
    let job = try job("fail-in-window", "2")
    #expect(job.exitCode == 65 && !job.timedOut, "\(job.transcript)")
    #expect(lines(job.standardError) == ["error (65): rank 2 unwinds."], "\(job.transcript)")
  }

  @Test func errorsAtStartAreAgreedAndPrintedOnce() throws {
    for rank in 0..<4 {
      let job = try job("fail-at-start", "\(rank)", "60")
      #expect(job.exitCode == 60 + rank && !job.timedOut, "\(job.transcript)")
      #expect(lines(job.standardError) == ["error (\(60 + rank)): rank \(rank) found it."], "\(job.transcript)")
    }
  }

  /// `mpirun -q` hides its own notices: what remains is our sentence.
  @Test func quietMpirunLeavesOurSentence() throws {
    let agreed = try job("fail-at-start", "0", "64", options: ["-q"])
    #expect(agreed.exitCode == 64, "\(agreed.transcript)")
    #expect(agreed.standardOutput + agreed.standardError == "error (64): rank 0 found it.\n", "\(agreed.transcript)")
  }

  @Test func oneRankWithoutLauncherEndsWithItsCode() throws {
    for (arguments, code, sentence) in [
      (["fail", "0", "65"], 65, "error (65): rank 0 cannot go on.\n"),
      (["fail-at-start", "0", "74"], 74, "error (74): rank 0 found it.\n"),
      (["return", "75"], 75, ""),
    ] {
      let job = try run([product("mpi-conformance")] + arguments, timeLimit: 20)
      #expect(job.exitCode == Int32(code) && job.standardError == sentence, "\(job.transcript)")
    }
  }

  /// What a foreign launcher leaves: N processes, each a world of one.
  @Test func aForeignLauncherIsRefusedOnce() throws {
    for rank in 0..<2 {
      let job = try run(
        [product("mpi-conformance"), "world"], environment: ["PMI_RANK": "\(rank)", "PMI_SIZE": "2"], timeLimit: 20)
      #expect(job.exitCode == 78 && job.standardOutput == "", "\(job.transcript)")
      #expect(lines(job.standardError).count == (rank == 0 ? 1 : 0), "\(job.transcript)")
    }
    let step = try run(
      [product("mpi-conformance"), "world"], environment: ["SLURM_PROCID": "0", "SLURM_STEP_NUM_TASKS": "4"],
      timeLimit: 20)
    #expect(step.exitCode == 78 && step.standardError.contains("srun --mpi=pmix"), "\(step.transcript)")
  }

  /// A batch script of Slurm may run the plain program as one rank, and `mpirun` in it.
  @Test func aSlurmBatchScriptIsNotAStep() throws {
    let batch = ["SLURM_NTASKS": "4", "SLURM_PROCID": "0", "SLURM_LOCALID": "0"]
    let plain = try run([product("mpi-conformance"), "world"], environment: batch, timeLimit: 20)
    #expect(plain.exitCode == 0 && plain.standardOutput == "rank 0 of 1\n", "\(plain.transcript)")
    let job = try mpirun(np: 2, [product("mpi-conformance"), "world"], environment: batch, timeLimit: 20)
    let ranks = job.standardOutput.split(separator: "\n").sorted()
    #expect(job.exitCode == 0 && ranks == ["rank 0 of 2", "rank 1 of 2"], "\(job.transcript)")
  }
}
