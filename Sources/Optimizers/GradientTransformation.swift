/// A function from update to update: what optimizers are chains of.
///
/// One sentence explains every optimizer: *the gradient runs through a chain of transformations, and what comes out is
/// subtracted from the parameters.* SGD with momentum and weight decay is
///
///     [.addDecayedWeights(5e-4), .trace(momentum: 0.9), .scaleByLearningRate]
///
/// and AdamW, LARS and LAMB are other chains (`Recipes.swift`). The names and the idea are optax's. What a
/// transformation keeps from step to step lies in *slots*, flat vectors over the parameters' layout that start at zero.
public struct GradientTransformation: Sendable {
  /// How much of the update must be known before an element can be transformed.
  public enum Reach: Int, Sendable, Comparable {
    /// The element itself.
    case element
    /// The norms of its parameter: of the update so far and of the weights.
    case parameter
    /// The norm of the update of the whole model: acts after the last bucket.
    case model

    public static func < (a: Reach, b: Reach) -> Bool { a.rawValue < b.rawValue }
  }

  public let name: String
  public let reach: Reach
  /// Names of the slots, in the order in which `apply` numbers them.
  public let slots: [String]
  let apply: @Sendable (inout UpdateBlock) -> Void
  /// What a loop over several transformations at once asks about this one (`MomentumDescent`).
  var part: MomentumDescent.Part?

  /// A transformation; `apply` is called for one run of elements after another, possibly by several threads at once.
  public init(
    name: String, reach: Reach = .element, slots: [String] = [], apply: @escaping @Sendable (inout UpdateBlock) -> Void
  ) {
    self.name = name
    self.reach = reach
    self.slots = slots
    self.apply = apply
  }
}
