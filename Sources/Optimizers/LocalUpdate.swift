/// Whole updates on one thread, with all the memory that they need: the loop of `Optimizer`'s documentation. Nothing is
/// allocated after `init`.
///
/// By itself it takes all blocks. Several threads or processes that share the vectors each take a part of them.
public struct LocalUpdate: ~Copyable {
  /// How those who update parts of the same vectors at the same time know of each other.
  public struct Sharing {
    /// What all of them see: `optimizer.sumCount` numbers.
    public var sums: UnsafeMutablePointer<Double>
    /// Waits for all of them; what any stored before is seen by all after.
    public var wait: () -> Void

    public init(sums: UnsafeMutablePointer<Double>, wait: @escaping () -> Void) {
      (self.sums, self.wait) = (sums, wait)
    }
  }

  public let optimizer: Optimizer
  private let stages: [Range<Int>]
  private let sharing: Sharing?
  /// Stages of the step at hand that are updated.
  private var begun = 0
  private var sums: [Double]
  private var norms: UpdateNorms
  private var workspace = UpdateWorkspace()

  /// - Parameter stages: the blocks to update, in the order in which their gradients come; those of all who share the vectors
  ///   make up the layout's. Nil for all blocks at once.
  public init(_ optimizer: Optimizer, stages: [Range<Int>]? = nil, sharing: Sharing? = nil) {
    self.optimizer = optimizer
    self.stages = stages ?? [0..<optimizer.layout.blocks.count]
    self.sharing = sharing
    sums = Array(repeating: 0, count: sharing == nil ? optimizer.sumCount : 0)
    norms = UpdateNorms(optimizer.layout)
  }

  /// Updates the first stages of a step, whose gradients are there, as far as the chain allows: all of them if it reaches no
  /// further than the element, else none. `step` does the rest.
  public mutating func begin(stages count: Int, _ vectors: UpdateVectors, at step: UpdateStep) {
    guard optimizer.reach == .element, let pass = optimizer.passes.first else { return }
    while begun < count {
      optimizer.run(pass, blocks: stages[begun], vectors, at: step, norms: nil, &workspace)
      begun += 1
    }
  }

  /// Takes one step and returns the norm of the gradient over the whole model, if `measuringNorm` asks for it or the
  /// chain needs it to begin with; else nil. Whoever shares the vectors is done with them when it returns.
  @discardableResult
  public mutating func step(_ vectors: UpdateVectors, at step: UpdateStep, measuringNorm: Bool = false) -> Double? {
    var gradientNorm: Double?
    for (index, pass) in optimizer.passes.enumerated() {
      if pass.reach > .element || (index == 0 && measuringNorm) {
        // All have read the sums of the pass before.
        if index > 0 { sharing?.wait() }
        measure(pass, vectors)
        if index == 0 { gradientNorm = norms.model }
      }
      // Some are updated already only where there is one pass.
      for blocks in stages[begun...] {
        optimizer.run(pass, blocks: blocks, vectors, at: step, norms: norms, &workspace)
      }
    }
    begun = 0
    sharing?.wait()
    return gradientNorm
  }

  private mutating func measure(_ pass: Optimizer.Pass, _ vectors: UpdateVectors) {
    if let sharing {
      for blocks in stages { optimizer.measure(pass, blocks: blocks, vectors, into: sharing.sums) }
      sharing.wait()
      return optimizer.combine(sharing.sums, for: pass, into: &norms)
    }
    sums.withUnsafeMutableBufferPointer { buffer in
      // Nothing to measure in a model without parameters.
      guard let sums = buffer.baseAddress else { return }
      for blocks in stages { optimizer.measure(pass, blocks: blocks, vectors, into: sums) }
      optimizer.combine(sums, for: pass, into: &norms)
    }
  }
}
