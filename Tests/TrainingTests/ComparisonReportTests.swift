import Foundation
import TestSupport
import Testing
import Training

@Suite struct ComparisonReportTests {
  private static func totals(_ step: Int, _ seconds: Double, bytes: Int) -> RunTotals {
    var totals = RunTotals()
    (totals.seconds, totals.samples) = (seconds, 64 * step)
    (totals.gradientBytes, totals.sentBytes) = (bytes * step, bytes * step / 2)
    return totals
  }

  /// A run of 20 steps, evaluated after 10 and 20.
  private static func curve(_ seconds: Double, bytes: Int, _ correct: [Int], waiting: Double? = nil) -> RunCurve {
    RunCurve(
      zip([10, 20], correct).flatMap { step, correct -> [RunEvent] in
        let spent = seconds * Double(step) / 20
        return [
          .step(.init(step: step, loss: 10 / Double(step), totals: totals(step, spent, bytes: bytes))),
          .evaluated(.init(step: step, epoch: 1, correct: correct, total: 1000, loss: 1)),
        ]
      } + [.finished(step: 20, shareOfWaiting: waiting)])
  }

  static let report: ComparisonReport = {
    let failure = RunFailure(code: 72, sentence: "training diverged: the \"loss\" of step 3 is infinite.")
    let runs = [
      ComparedRun(
        name: "ring", seed: 1, settings: "seed: 1\nall-reduce: ring\nmomentum: 0.9\n", state: .finished,
        curve: curve(2, bytes: 1000, [900, 880], waiting: 0.1)),
      ComparedRun(
        name: "ring", seed: 2, settings: "seed: 2\nall-reduce: ring\nmomentum: 0.9\n", state: .finished,
        curve: curve(3, bytes: 1000, [900, 910], waiting: 0.2)),
      ComparedRun(
        name: "tree", seed: 1, settings: "seed: 1\nall-reduce: double-tree\nmomentum: 0.9\n", state: .finished,
        curve: curve(4, bytes: 2000, [500, 700])),
      ComparedRun(
        name: "tree", seed: 2, settings: "seed: 2\nall-reduce: double-tree\nmomentum: 0.9\n", state: .waiting,
        curve: RunCurve([.step(.init(step: 5, loss: 1))])),
      ComparedRun(
        name: "bad", seed: 1, settings: "seed: 1\nall-reduce: ring\nmomentum: 0.9\n", state: .failed(failure),
        curve: RunCurve([.step(.init(step: 1, loss: 2, totals: totals(1, 0.1, bytes: 1000)))])),
      ComparedRun(
        name: "bad", seed: 2, settings: "seed: 2\nall-reduce: ring\nmomentum: 0.9\n", state: .waiting,
        curve: RunCurve()),
    ]
    let record = ComparisonRecord(
      command: "mpirun -np 2 swift-dp-train compare m.yaml --out m", ranks: 2, machine: "a machine",
      secondsOfTraining: nil, runs: [])
    return ComparisonReport(record, runs)
  }()

  @Test func theTableIsExact() {
    let text = """
      # Comparison

          mpirun -np 2 swift-dp-train compare m.yaml --out m

      2 ranks; a machine.

      3 of 6 runs finished. Values are means over seeds ± their standard deviation.

      | run | settings | seeds | test accuracy % | best % | train loss | steps | seconds | samples/s | waiting % | gradient bytes/step | sent bytes/step |
      |---|---|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|
      | ring | all-reduce ring | 1, 2 | 89.50 ± 2.12 | 90.50 ± 0.71 | 0.5000 | 20 | 2.5 ± 0.7 | 533 ± 151 | 15 ± 7 | 1000 | 500 |
      | tree | all-reduce double-tree | 1 | 70.00 | 70.00 | 0.5000 | 20 | 4.0 | 320 | – | 2000 | 1000 |
      | bad | all-reduce ring |  | – | – | – | – | – | – | – | – | – |

      Not finished:

      - tree, seed 2: begun, step 5.
      - bad, seed 1: failed (72): training diverged: the "loss" of step 3 is infinite.
      - bad, seed 2: not begun.

      """
    #expect(Self.report.markdown.hasPrefix(text), "\(Self.report.markdown)")
    #expect(Self.report.markdown.hasSuffix("\n![Training loss over bytes](loss-bytes.svg)\n"))
  }

  /// The evaluation that reaches it first counts, in whichever run; others are left out of the means.
  @Test func theTargetIsWhereTheAccuracyFirstIsAsHigh() {
    var report = Self.report
    func figures(_ target: Double) -> [[String]] {
      report.record.target = target
      return report.rows.map { Array($0.figures.suffix(3)) }
    }
    #expect(
      figures(90) == [["2 of 2", "1.2 ± 0.4", "10000"], ["0 of 1", "–", "–"], ["0 of 0", "–", "–"]])
    #expect(figures(90.5) == [["1 of 2", "3.0", "20000"], ["0 of 1", "–", "–"], ["0 of 0", "–", "–"]])
    #expect(figures(70)[1] == ["1 of 1", "4.0", "40000"])
    #expect(report.markdown.contains("| reached 70% | seconds to it | gradient bytes to it |\n"))
    report.record.target = nil
    #expect(report.rows.allSatisfy { $0.figures.count == 9 })
  }

  @Test func theFileOfFiguresIsExact() {
    #expect(
      Self.report.csv == """
        run,seed,state,test_accuracy,best_accuracy,train_loss,steps,seconds,samples_per_second,waiting_percent,\
        gradient_bytes_per_step,sent_bytes_per_step,failure
        ring,1,finished,88.0000,90.0000,0.500000,20,2.000,640.0,10.00,1000,500,
        ring,2,finished,91.0000,91.0000,0.500000,20,3.000,426.7,20.00,1000,500,
        tree,1,finished,70.0000,70.0000,0.500000,20,4.000,320.0,,2000,1000,
        tree,2,begun,,,1.000000,5,,,,,,
        bad,1,failed,,,2.000000,1,0.100,640.0,,1000,500,"training diverged: the ""loss"" of step 3 is infinite."
        bad,2,waiting,,,,0,,,,,,

        """, "\(Self.report.csv)")
  }

  @Test func thePlotsHaveALineForEachSeedAndANameForEachRun() {
    #expect(
      Self.report.plots.map(\.name) == [
        "accuracy-seconds.svg", "accuracy-steps.svg", "accuracy-bytes.svg", "loss-seconds.svg", "loss-steps.svg",
        "loss-bytes.svg",
      ])
    for (name, plot) in Self.report.plots {
      #expect(plot.series.map(\.name) == ["ring", "tree", "bad"], "\(name)")
      #expect(plot.series.map(\.further.count) == [1, 1, 1], "\(name)")
      #expect(plot.svg.components(separatedBy: "<polyline ").count - 1 == 6, "\(name)")
      #expect(plot.svg.components(separatedBy: ">ring</text>").count - 1 == 1, "\(name)")
    }
    #expect(Self.report.plots[2].plot.series[0].points.map(\.x) == [10_000, 20_000])
    #expect(Self.report.plots[0].plot.series[0].further[0].map(\.x) == [1.5, 3])
  }

  @Test func allFilesAreWritten() throws {
    let directory = try TemporaryDirectory()
    try Self.report.write(to: directory.url.path)
    let names = try FileManager.default.contentsOfDirectory(atPath: directory.url.path).sorted()
    #expect(names == (Self.report.plots.map(\.name) + ["report.csv", "report.md"]).sorted())
  }

  @Test func spreads() {
    #expect(Spread([]) == nil)
    #expect(Spread([3])?.text(2) == "3.00")
    #expect(Spread([1, 2, 3])?.text(1) == "2.0 ± 1.0")
    #expect(Spread([7, 7, 7])?.text(0) == "7")
  }
}
