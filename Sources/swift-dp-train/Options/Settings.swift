import Training

/// What settings come to.
struct Settings {
  private(set) var recipe = Recipe()
  private(set) var inputs = InputFiles()
  /// Whether it was said how long to train.
  private(set) var hasLength = false

  /// - Parameter sources: later ones over earlier ones.
  init(_ sources: RecipeOptions...) throws {
    for source in sources {
      try source.apply(to: &recipe)
      source.data.apply(to: &inputs)
      hasLength = hasLength || source.batches.epochs != nil || source.batches.steps != nil
    }
    if inputs.parameters == nil && !inputs.skippedLayers.isEmpty {
      throw invalid("--init-skip without --init", "name the file that the other parameters come from")
    }
    // The chain knows the rest of what cannot be meant; the schedule does once the data are there.
    do {
      _ = try recipe.transformations()
      _ = try recipe.average()
    } catch { throw TrainingError(error) }
  }
}
