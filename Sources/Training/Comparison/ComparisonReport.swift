/// What a comparison has shown so far.
public struct ComparisonReport: Sendable {
  public var record: ComparisonRecord
  public var runs: [ComparedRun]

  public init(_ record: ComparisonRecord, _ runs: [ComparedRun]) { (self.record, self.runs) = (record, runs) }

  /// A row of the table: the finished runs of one name, one for each seed.
  public struct Row: Sendable {
    public var name: String
    /// Those in which the names differ, as "all-reduce ring, momentum 0.8".
    public var settings: String
    public var seeds: [UInt64]
    /// In percent; nil, as all that follow, where no run is finished.
    public var accuracy: Spread?
    public var bestAccuracy: Spread?
    /// Of the last step.
    public var loss: Spread?
    public var steps: Spread?
    /// Of training (`RunTotals`).
    public var seconds: Spread?
    public var samplesPerSecond: Spread?
    /// Of all ranks' time, in percent.
    public var waiting: Spread?
    public var gradientBytesPerStep: Spread?
    public var sentBytesPerStep: Spread?
    /// Of the runs that reached the target.
    public var target: Target?

    public struct Target: Sendable {
      /// How many runs reached it.
      public var reached: Int
      /// Of training, and bytes of gradients, to the first evaluation that did.
      public var seconds: Spread?
      public var gradientBytes: Spread?
    }
  }

  /// In the order of the file.
  public var rows: [Row] {
    let names = runs.map(\.name).uniqued
    return names.map { name in
      let all = runs.filter { $0.name == name }
      let finished = all.filter { $0.state == .finished }
      let figures = finished.map(RunFigures.init)
      func spread(_ value: (RunFigures) -> Double?) -> Spread? { Spread(figures.compactMap(value)) }
      var row = Row(
        name: name, settings: differences(of: all[0]), seeds: finished.map(\.seed), accuracy: spread(\.accuracy),
        bestAccuracy: spread(\.bestAccuracy), loss: spread(\.loss), steps: spread { Double($0.steps) },
        seconds: spread(\.seconds), samplesPerSecond: spread(\.samplesPerSecond),
        waiting: spread(\.waiting),
        gradientBytesPerStep: spread(\.gradientBytesPerStep), sentBytesPerStep: spread(\.sentBytesPerStep))
      if let target = record.target {
        let seconds = finished.compactMap { $0.curve.place(whereAccuracyIs: target, over: .seconds) }
        let bytes = finished.compactMap { $0.curve.place(whereAccuracyIs: target, over: .bytes) }
        row.target = Row.Target(reached: seconds.count, seconds: Spread(seconds), gradientBytes: Spread(bytes))
      }
      return row
    }
  }

  public var finishedCount: Int { runs.count { $0.state == .finished } }

  /// The settings of a run that not all runs share, seeds aside.
  private func differences(of run: ComparedRun) -> String {
    let all = runs.map { Dictionary(RunChanges.lines($0.settings), uniquingKeysWith: { first, _ in first }) }
    return RunChanges.lines(run.settings)
      .filter { line in line.key != "seed" && all.contains { $0[line.key] != line.value } }
      .map { "\($0.key) \($0.value)" }.joined(separator: ", ")
  }
}

/// The numbers that a run has come to.
struct RunFigures: Sendable {
  /// In percent.
  var accuracy: Double?
  var bestAccuracy: Double?
  var loss: Double?
  var steps: Int
  var seconds: Double?
  var samplesPerSecond: Double?
  /// In percent.
  var waiting: Double?
  var gradientBytesPerStep: Double?
  var sentBytesPerStep: Double?

  init(_ run: ComparedRun) {
    let curve = run.curve
    accuracy = curve.evaluations.last.map { 100 * $0.accuracy }
    bestAccuracy = curve.evaluations.map { 100 * $0.accuracy }.max()
    loss = curve.steps.last?.loss
    steps = curve.steps.last?.step ?? 0
    waiting = curve.shareOfWaiting.map { 100 * $0 }
    guard let totals = curve.totals, steps > 0 else { return }
    seconds = totals.seconds
    samplesPerSecond = totals.samplesPerSecond
    gradientBytesPerStep = Double(totals.gradientBytes) / Double(steps)
    sentBytesPerStep = Double(totals.sentBytes) / Double(steps)
  }
}

extension Array where Element: Hashable {
  /// Each element once, where it is first.
  var uniqued: [Element] {
    var seen: Set<Element> = []
    return filter { seen.insert($0).inserted }
  }
}
