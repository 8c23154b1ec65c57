import Networks

extension KernelChoice {
  /// The faster kernel of each operation that has two, timed in steps of the largest training batch over zeros, on one
  /// worker. Takes some steps' time twice over.
  public static func measured(_ configuration: Executor.Configuration) throws -> KernelChoice {
    let own = try times(configuration, .own)
    let library = try times(configuration, .library)
    var choice = KernelChoice(.rules)
    for (operation, time) in own {
      guard let other = library[operation] else { continue }
      choice.exceptions[operation] = time <= other ? .own : .library
    }
    return choice
  }

  /// Milliseconds of each operation that has a choice, the least of several rounds; layers of one shape together.
  private static func times(_ configuration: Executor.Configuration, _ policy: Policy) throws -> [String: Double] {
    var configuration = configuration
    configuration.kernelChoice = KernelChoice(policy)
    let measurement = try StepMeasurement(configuration)
    var least: [String: Double] = [:]
    for round in 0..<4 {
      let profile = try measurement.step()
      // The first round meets cold memory.
      if round == 0 { continue }
      var sums: [String: Double] = [:]
      for (operation, places) in measurement.choices {
        sums[operation] = profile.filter { places.contains(Plan.Place(operation: $0.operation, layer: $0.layer)) }
          .reduce(0) { $0 + $1.milliseconds }
      }
      least.merge(sums, uniquingKeysWith: min)
    }
    return least
  }
}
