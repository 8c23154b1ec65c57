import Glibc
import Optimizers
import Testing

@Suite struct ScheduleTests {
  func expectEqual(_ schedule: LearningRateSchedule, _ name: String, from first: Int = 0) throws {
    let file = try openReference("schedules")
    let theirs = try doubles(name, of: file)
    #expect(theirs.count == 60)
    for step in first..<60 {
      let ours = schedule.rate(at: step)
      #expect(abs(ours - theirs[step]) < 1e-12, "\(name) step \(step): \(ours), \(theirs[step])")
    }
  }

  @Test func ratesOfPyTorch() throws {
    try expectEqual(.init(peak: 0.4, shape: .cosine(final: 0.01), totalSteps: 60), "cosine")
    try expectEqual(
      .init(peak: 0.4, shape: .cosine(final: 0.01), totalSteps: 60, warmupSteps: 10, warmupStart: 0.1),
      "cosine-after-warmup")
    try expectEqual(.init(peak: 0.4, shape: .step(milestones: [20, 35, 50], factor: 0.1), totalSteps: 60), "step")
    try expectEqual(.init(peak: 0.4, shape: .polynomial(power: 2, final: 0), totalSteps: 50), "polynomial")
    try expectEqual(.init(peak: 0.4, totalSteps: 60, warmupSteps: 10, warmupStart: 0.1), "warmup")
    try expectEqual(
      .init(
        peak: 0.4, shape: .polynomial(power: 2, final: 1e-4, decaySteps: 51), totalSteps: 60, warmupSteps: 10), "mlperf"
    )
  }

  @Test func ends() throws {
    let cosine = try LearningRateSchedule(peak: 0.4, shape: .cosine(final: 0.1), totalSteps: 100, warmupSteps: 20)
    #expect(cosine.rate(at: 0) == 0 && cosine.rate(at: 20) == 0.4 && cosine.rate(at: 100) == 0.1)
    #expect(cosine.rate(at: 60) == 0.25 && cosine.rate(at: 1_000_000) == 0.1)
    let power = try LearningRateSchedule(
      peak: 2, shape: .polynomial(power: 2, final: 1), totalSteps: 10, warmupSteps: 2)
    #expect(power.rate(at: 1) == 1 && power.rate(at: 2) == 2 && power.rate(at: 6) == 1.25 && power.rate(at: 10) == 1)
    // A fall of its own length: it arrives early and stays, or is cut off by the end.
    let short = try LearningRateSchedule(
      peak: 2, shape: .polynomial(power: 1, final: 1, decaySteps: 4), totalSteps: 10, warmupSteps: 2)
    #expect((2...8).map(short.rate) == [2, 1.75, 1.5, 1.25, 1, 1, 1])
    let long = try LearningRateSchedule(
      peak: 2, shape: .polynomial(power: 1, final: 1, decaySteps: 16), totalSteps: 10, warmupSteps: 2)
    #expect(long.rate(at: 9) == 1.5625 && long.rate(at: 18) == 1 && long.rate(at: 100) == 1)
    // Milestones count from the beginning of training, and a step on a milestone has the new rate.
    let step = try LearningRateSchedule(
      peak: 8, shape: .step(milestones: [4, 6], factor: 0.5), totalSteps: 10, warmupSteps: 4)
    #expect((0..<8).map(step.rate) == [0, 2, 4, 6, 4, 4, 2, 2])
    // A replay of the first steps of a run is no error.
    let cut = try LearningRateSchedule(peak: 8, totalSteps: 2, warmupSteps: 4)
    #expect((0..<5).map(cut.rate) == [0, 2, 4, 6, 8])
    #expect(try LearningRateSchedule(peak: 1, shape: .cosine(final: 0), totalSteps: 0).rate(at: 0) == 0)
  }

  @Test func warmUpGrowsByEqualIncrements() throws {
    // Goyal et al.: from 0.1 to 3.2 over 5 epochs of 157 steps.
    let schedule = try LearningRateSchedule(peak: 3.2, totalSteps: 90 * 157, warmupSteps: 5 * 157, warmupStart: 0.1)
    let increments = (0..<(5 * 157)).map { schedule.rate(at: $0 + 1) - schedule.rate(at: $0) }
    #expect(schedule.rate(at: 0) == 0.1 && schedule.rate(at: 5 * 157) == 3.2)
    #expect(increments.allSatisfy { abs($0 - 3.1 / (5 * 157)) < 1e-14 })
  }

  @Test func spans() {
    #expect(TrainingSpan("30") == .epochs(30) && TrainingSpan("0.5ep") == .epochs(0.5))
    #expect(TrainingSpan("500st") == .steps(500))
    for text in ["", "ep", "st", "-1", "-1st", "1.5st", "nan", "inf", "1e999", "3x", "st5"] {
      #expect(TrainingSpan(text) == nil, "\(text)")
    }
    #expect(TrainingSpan.epochs(0.5).steps(stepsPerEpoch: 157) == 79)
    #expect(TrainingSpan.epochs(30).steps(stepsPerEpoch: 157) == 4710)
    #expect(TrainingSpan.steps(12).steps(stepsPerEpoch: 157) == 12)
    #expect(TrainingSpan.epochs(1e300).steps(stepsPerEpoch: 157) == .max)
    #expect("\(TrainingSpan.epochs(1.5)) \(TrainingSpan.steps(7))" == "1.5ep 7st")
  }

  @Test func settingsThatCannotWork() {
    func text(
      peak: Double = 1, _ shape: LearningRateSchedule.Shape = .constant, total: Int = 100, warmup: Int = 0,
      start: Double = 0
    ) -> String {
      do {
        _ = try LearningRateSchedule(
          peak: peak, shape: shape, totalSteps: total, warmupSteps: warmup, warmupStart: start)
        return ""
      } catch { return error.description }
    }
    #expect(text() == "")
    #expect(text(peak: -0.1) == "--learning-rate is -0.1; give a positive number.")
    #expect(text(peak: .infinity).hasPrefix("--learning-rate is inf"))
    #expect(text(start: 2) == "--warmup-start is 2.0; give a rate from 0 to the highest one (1.0).")
    #expect(
      text(.polynomial(power: 1, final: 0, decaySteps: 0)) == "--decay-steps is 0; give at least 1, or leave it out.")
    #expect(text(warmup: -1).hasPrefix("--warmup-epochs is -1 of 100 steps"))
    #expect(
      text(.cosine(final: 0), warmup: 100)
        == "--warmup-epochs takes 100 steps, but the whole run has 100; "
        + "shorten the warm-up, train longer, or use --schedule constant.")
    #expect(text(.cosine(final: 2)).hasPrefix("--final-learning-rate is 2.0"))
    #expect(text(.cosine(final: .nan)).hasPrefix("--final-learning-rate is nan"))
    #expect(text(.polynomial(power: 0, final: 0)).hasPrefix("--polynomial-power is 0.0"))
    #expect(text(.step(milestones: [], factor: 0.1)).hasPrefix("--schedule step has no milestones"))
    #expect(text(.step(milestones: [5, 5], factor: 0.1)).hasPrefix("--milestones are the steps [5, 5]"))
    #expect(text(.step(milestones: [5], factor: 0.1), warmup: 6).hasPrefix("--milestones are the steps [5]"))
    #expect(text(.step(milestones: [5], factor: 0)).hasPrefix("--step-factor is 0.0"))
  }
}
