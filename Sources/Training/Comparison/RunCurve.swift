/// The way of a run from its first step to where it is, without what a restart did again.
public struct RunCurve: Sendable {
  /// Those that were reported.
  public private(set) var steps: [RunEvent.Step] = []
  public private(set) var evaluations: [RunEvent.Evaluation] = []
  /// Of all ranks' time in steps, in waiting for each other; of the last start.
  public private(set) var shareOfWaiting: Double?

  public init(_ events: [RunEvent] = []) {
    for event in events {
      switch event {
      case .step(let step):
        // A run that goes on from a checkpoint repeats what came after it.
        while steps.last?.step ?? 0 >= step.step { steps.removeLast() }
        while evaluations.last?.step ?? 0 >= step.step { evaluations.removeLast() }
        steps.append(step)
      case .evaluated(let evaluation):
        while evaluations.last?.step ?? 0 >= evaluation.step, !evaluations.isEmpty { evaluations.removeLast() }
        evaluations.append(evaluation)
      case .finished(_, let share): shareOfWaiting = share
      default: break
      }
    }
  }

  /// Up to the last step that was reported.
  public var totals: RunTotals? { steps.last?.totals }

  /// What a point is drawn against.
  public enum Scale: String, Sendable, CaseIterable {
    case seconds, steps, bytes
  }

  /// Losses of training steps.
  public func losses(over scale: Scale) -> [(x: Double, y: Double)] {
    steps.compactMap { step in place(step.step, step.totals, scale).map { ($0, step.loss) } }
  }

  /// Test accuracies in percent. Every evaluation follows a step that was reported.
  public func accuracies(over scale: Scale) -> [(x: Double, y: Double)] {
    let totals = Dictionary(steps.map { ($0.step, $0.totals) }, uniquingKeysWith: { _, last in last })
    return evaluations.compactMap { evaluation in
      place(evaluation.step, totals[evaluation.step] ?? nil, scale).map { ($0, 100 * evaluation.accuracy) }
    }
  }

  /// Where a run's test accuracy is first at least so many percent; nil where it never is.
  public func place(whereAccuracyIs target: Double, over scale: Scale) -> Double? {
    accuracies(over: scale).first { $0.y >= target }?.x
  }

  private func place(_ step: Int, _ totals: RunTotals?, _ scale: Scale) -> Double? {
    switch scale {
    case .seconds: totals?.seconds
    case .steps: Double(step)
    case .bytes: totals.map { Double($0.gradientBytes) }
    }
  }
}
