import Testing
import Training

@Suite struct EventLogTests {
  private func log(_ lines: [String], end: String = "\n") -> EventLog {
    EventLog((lines.joined(separator: "\n") + end).utf8)
  }

  @Test func eventsAreRead() {
    let log = log([
      #"{"event":"started","time":1}"#,
      #"{"event":"step","step":1,"epoch":0,"loss":2.5,"gradient_norm":"nan","time":2,"training_seconds":0.5,"#
        + #""trained_samples":64,"sent_bytes":10,"gradient_bytes":20}"#,
      #"{"event":"step","step":2,"epoch":0,"loss":"inf","time":2}"#,
      #"{"event":"evaluated","step":2,"epoch":1,"loss":2,"correct":5,"total":10,"is_best":true,"time":3}"#,
      #"{"event":"checkpoint","step":2,"path":"c","bytes":3,"seconds":1,"waited":0,"time":3}"#,
      #"{"event":"gradients","step":2,"digests":["a","b"],"time":3}"#, #"{"event":"finished","step":2,"time":3}"#,
    ])
    var totals = RunTotals()
    (totals.seconds, totals.samples, totals.sentBytes, totals.gradientBytes) = (0.5, 64, 10, 20)
    #expect(
      log.events == [
        .started(), .step(.init(step: 1, loss: 2.5, totals: totals)), .step(.init(step: 2, loss: .infinity)),
        .evaluated(.init(step: 2, epoch: 1, correct: 5, total: 10, loss: 2)), .saved(step: 2, path: "c"),
        .gradients(step: 2, digests: ["a", "b"]), .finished(step: 2),
      ])
    #expect(log.damagedLines == [])
  }

  /// The half line of a process that is writing, what other programs write, and what a failing machine leaves.
  @Test func whatIsNoEventIsPassedOver() {
    let finished = #"{"event":"finished","step":2,"time":3}"#
    let other = #"{"event":"staleness","step":3,"time":3}"#
    let lacking = #"{"event":"evaluated","step":3,"time":3}"#
    let log = log([finished, other, lacking, "\0\0\0", #"{"event":3,"time":1}"#, "", finished, finished], end: "")
    #expect(log.events == [.finished(step: 2), .finished(step: 2)])
    #expect(log.damagedLines == [4, 5, 6])
    #expect(EventLog([]).events == [])
    #expect(EventLog("half".utf8).events == [])
  }

  private func step(_ step: Int) -> RunEvent { .step(.init(step: step, loss: Double(step))) }
  private func evaluation(_ step: Int) -> RunEvent {
    .evaluated(.init(step: step, epoch: 1, correct: step, total: 100, loss: 1))
  }

  /// A run that goes on from step 10 does 11 to 20 again.
  @Test func aCurveHasEachStepOnce() {
    let curve = RunCurve([
      .started(), step(1), step(10), evaluation(10), step(20), evaluation(20), .started(), step(15), evaluation(15),
      step(20), evaluation(20), evaluation(20),
    ])
    #expect(curve.steps.map(\.step) == [1, 10, 15, 20])
    #expect(curve.evaluations.map(\.step) == [10, 15, 20])
    #expect(curve.losses(over: .steps).map(\.x) == [1, 10, 15, 20])
    #expect(curve.accuracies(over: .steps).map(\.y) == [10, 15, 20])
    // These steps did not count.
    #expect(curve.losses(over: .seconds).isEmpty && curve.accuracies(over: .bytes).isEmpty && curve.totals == nil)
  }
}
