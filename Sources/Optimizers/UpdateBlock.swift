import CKernels

/// What is the same for every element of a step.
public struct UpdateStep: Sendable, Hashable {
  /// The global step, from 0.
  public let number: Int
  public let learningRate: Double
  /// The learning rate of the step before (of this one at step 0), for momentum correction.
  public let previousLearningRate: Double

  public init(number: Int, learningRate: Double, previousLearningRate: Double? = nil) {
    self.number = number
    self.learningRate = learningRate
    self.previousLearningRate = previousLearningRate ?? learningRate
  }

  /// The step of a schedule.
  public init(_ number: Int, of schedule: LearningRateSchedule) {
    self.init(
      number: number, learningRate: schedule.rate(at: number),
      previousLearningRate: schedule.rate(at: max(number - 1, 0)))
  }
}

/// A run of elements of one parameter on its way through a chain of transformations.
///
/// The update so far is `factor · update[i]`. It starts as the gradient itself, is moved to scratch memory by the first
/// transformation that computes something new, and a mere scale only changes `factor`: so a chain reads and writes as
/// much memory as one loop that was written for it.
///
/// The pointers are to `count` elements each and valid during the call only; the memory is the caller's of
/// `Optimizer.run`, which keeps slices apart.
public struct UpdateBlock {
  public let count: Int
  /// Whether weight decay applies to this parameter.
  public let decays: Bool
  /// Whether trust ratios apply to this parameter.
  public let adapts: Bool
  public let step: UpdateStep
  public let parameters: UnsafePointer<Float>
  /// For a reach of model: the norm of the whole update where the transformation stands in the chain. Else 0.
  public let modelNorm: Double
  /// For a reach of parameter: the norm of this parameter's update. Else 0.
  public let updateNorm: Double
  /// For a reach of parameter: the norm of this parameter's weights. Else 0.
  public let parameterNorm: Double

  public private(set) var update: UnsafePointer<Float>
  /// The update still has to be multiplied with this.
  public var factor: Float = 1

  let scratch: UnsafeMutablePointer<Float>
  let slotVectors: UnsafeBufferPointer<UnsafeMutablePointer<Float>>
  let firstElement: Int
  /// The number of the current transformation's first slot among those of the chain.
  var firstSlot = 0

  init(
    block: UpdateLayout.Block, elements: Range<Int>, step: UpdateStep, norms: UpdateNorms?,
    reach: GradientTransformation.Reach, vectors: UpdateVectors,
    slotVectors: UnsafeBufferPointer<UnsafeMutablePointer<Float>>, scratch: UnsafeMutablePointer<Float>
  ) {
    count = elements.count
    firstElement = elements.lowerBound
    decays = block.decays
    adapts = block.adapts
    self.step = step
    parameters = UnsafePointer(vectors.parameters + firstElement)
    update = UnsafePointer(vectors.gradient + firstElement)
    modelNorm = reach == .model ? norms?.model ?? 0 : 0
    updateNorm = reach == .parameter ? norms?.update[block.region] ?? 0 : 0
    parameterNorm = reach == .parameter ? norms?.parameters[block.region] ?? 0 : 0
    self.slotVectors = slotVectors
    self.scratch = scratch
  }

  /// The elements of one of the current transformation's slots.
  public func slot(_ number: Int) -> UnsafeMutablePointer<Float> {
    slotVectors[firstSlot + number] + firstElement
  }

  /// Replaces the update by what `body` writes to its first argument; it must take `factor` into account, which is 1
  /// afterwards. The first argument may be the same memory as `update`.
  public mutating func rewrite(_ body: (UnsafeMutablePointer<Float>) -> Void) {
    body(scratch)
    replace(by: UnsafePointer(scratch))
  }

  /// Replaces the update by memory that holds it already (a slot), which must stay as it is until the block is done.
  public mutating func replace(by values: UnsafePointer<Float>) {
    update = values
    factor = 1
  }
}
