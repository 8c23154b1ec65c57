extension GradientTransformation {
  /// Multiplies by the step's learning rate, rounded to Float.
  public static var scaleByLearningRate: GradientTransformation {
    var transformation = GradientTransformation(name: "scaleByLearningRate") { block in
      block.factor *= Float(block.step.learningRate)
    }
    transformation.part = .rate
    return transformation
  }
}
