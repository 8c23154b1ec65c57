import Foundation
import TestSupport
import Testing

/// Random kills, requests to stop and stopped ranks at random moments, each time gone on from on a random number of ranks: no
/// acknowledged checkpoint is lost, nothing is left behind, and the bits are those of the run that was never touched.
///
/// Eight disturbances in the suite; 200 kills and 60 others in some twenty minutes with
///
///     SWIFT_DP_TRAIN_LONG_TESTS=1 launch/test --filter KillLoopTests
///
/// SWIFT_DP_TRAIN_KILL_SEED repeats the choices of another seed, though not the moments to the microsecond.
@Suite(.serialized) struct KillLoopTests {
  private static let environment = ProcessInfo.processInfo.environment
  private static let isLong = environment["SWIFT_DP_TRAIN_LONG_TESTS"] == "1"
  private static let seed = environment["SWIFT_DP_TRAIN_KILL_SEED"].flatMap { UInt64($0) } ?? 1

  @Test func aRunThatIsDisturbedAgainAndAgainHasTheUntouchedBits() throws {
    var loop = try KillLoop(seed: Self.seed)
    guard Self.isLong else { return try loop.run(Disturbance.allCases) }
    loop.progress = { Self.say($0) }
    let kills = (0..<200).map { Disturbance.kills[$0 % Disturbance.kills.count] }
    let others = (0..<60).map { Disturbance.others[$0 % Disturbance.others.count] }
    try loop.run(kills + others)
    Self.say("seed \(Self.seed): \(loop.finishedRuns) runs were finished; disturbed at")
    for (place, count) in loop.places.sorted(by: { $0.key < $1.key }) { Self.say("  \(place): \(count)") }
  }

  /// What shards keep for themselves comes back too: one disturbance for one of them, in the long form twelve for each.
  @Test(
    arguments: zip(
      ["--compress=dgc:0.05:1"]
        + (isLong
          ? [
            "--method=local --local-steps=7", "--method=easgd --local-steps=3", "--method=stochastic-push",
            "--compress=1-bit", "--compress=powersgd:2",
            "--compress=8-bit", "--compress=qsgd:4",
          ] : []),
      Disturbance.kills + Disturbance.others))
  func theStateOfShardsComesBack(_ method: String, _ disturbance: Disturbance) throws {
    var loop = try KillLoop(seed: Self.seed, method: method.split(separator: " ").map(String.init))
    let all = Self.isLong ? (0..<12).map { Disturbance.allCases[$0 % Disturbance.allCases.count] } : [disturbance]
    try loop.run(all)
  }

  /// At once, also into a file.
  private static func say(_ line: String) { FileHandle.standardError.write(Data("\(line)\n".utf8)) }
}
