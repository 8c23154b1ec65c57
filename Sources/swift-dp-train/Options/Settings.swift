import Training

/// What settings come to.
struct Settings {
  private(set) var recipe = Recipe()
  /// Where the files of the data set are, if that was said.
  private(set) var dataDirectory: String?
  /// Whether it was said how long to train.
  private(set) var hasLength = false

  /// - Parameter sources: later ones over earlier ones.
  init(_ sources: RecipeOptions...) throws {
    for source in sources {
      try source.apply(to: &recipe)
      dataDirectory = source.data.set.dataDir ?? dataDirectory
      hasLength = hasLength || source.batches.epochs != nil || source.batches.steps != nil
    }
    // The chain knows the rest of what cannot be meant; the schedule does once the data are there.
    do {
      _ = try recipe.transformations()
      _ = try recipe.average()
    } catch { throw TrainingError(error) }
  }
}
