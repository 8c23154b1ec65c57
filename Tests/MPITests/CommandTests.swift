import TestSupport
import Testing

/// The helper that other tests rely on to end what hangs.
@Suite struct CommandTests {
  @Test func outputAndExitCodeAreCaptured() throws {
    let result = try run(
      ["sh", "-c", "echo out; echo $WORD ${GONE-none} >&2; exit 7"], environment: ["WORD": "err", "GONE": nil])
    #expect(result.exitCode == 7 && result.standardOutput == "out\n" && result.standardError == "err none\n")
    #expect(!result.timedOut)
  }

  @Test func aSignalCountsAs128More() throws { #expect(try run(["sh", "-c", "kill -9 $$"]).exitCode == 137) }

  @Test func theDirectoryIsSet() throws {
    let directory = try TemporaryDirectory()
    #expect(try run(["pwd"], in: directory.url).standardOutput == directory.url.path + "\n")
  }

  @Test func theTimeLimitEndsTheWholeGroup() throws {
    let result = try run(["sh", "-c", "sleep 30 & echo $!; wait"], timeLimit: 0.2)
    #expect(result.timedOut && result.seconds < 5 && result.exitCode == 143)
    let child = result.standardOutput.split(separator: "\n").first.map(String.init) ?? ""
    // A killed process may stay a zombie until its new parent asks; it does not sleep any more.
    let state = try run(["sh", "-c", "sleep 0.1; ps -o stat= -p \(child)"]).standardOutput
    #expect(!state.hasPrefix("S"), "process \(child) still runs: \(state)")
  }

  private struct Refusal: Error {}

  @Test func anInterventionActsOnceAfterItsText() throws {
    let directory = try TemporaryDirectory()
    let file = directory.url.appendingPathComponent("go").path
    var calls = 0
    let result = try run(
      ["sh", "-c", "echo ready; until [ -e \(file) ]; do sleep 0.01; done; echo gone"], timeLimit: 10,
      intervention: Intervention(afterOutput: "ready") {
        calls += 1
        try "".write(toFile: file, atomically: false, encoding: .utf8)
      })
    #expect(calls == 1 && result.exitCode == 0 && result.standardOutput == "ready\ngone\n", "\(result.transcript)")
    #expect(throws: Refusal.self) {
      try run(
        ["sh", "-c", "echo ready; sleep 1"],
        intervention: Intervention(afterOutput: "ready") { throw Refusal() })
    }
  }

  @Test func aProgramThatIsNotThereIsAnError() {
    #expect(throws: CommandNotStarted.self) { try run(["/nowhere/program"]) }
  }
}
