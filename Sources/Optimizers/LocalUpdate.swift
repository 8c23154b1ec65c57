/// Whole updates on one thread, with all the memory that they need: the loop of `Optimizer`'s documentation. Nothing is
/// allocated after `init`.
///
/// By itself it takes all blocks. Several threads or processes that share the vectors each take a slice of them.
public struct LocalUpdate: ~Copyable {
  /// One part of an update, made at the same time as the others over the same vectors.
  public struct Slice {
    /// The blocks that this part updates. The parts' blocks make up the layout's.
    public var blocks: Range<Int>
    /// What all parts see: `optimizer.sumCount` numbers.
    public var sums: UnsafeMutablePointer<Double>
    /// Waits for all parts; what any of them stored before is seen by all after.
    public var wait: () -> Void

    public init(blocks: Range<Int>, sums: UnsafeMutablePointer<Double>, wait: @escaping () -> Void) {
      (self.blocks, self.sums, self.wait) = (blocks, sums, wait)
    }
  }

  public let optimizer: Optimizer
  private let slice: Slice?
  private var sums: [Double]
  private var norms: UpdateNorms
  private var workspace = UpdateWorkspace()

  public init(_ optimizer: Optimizer, slice: Slice? = nil) {
    self.optimizer = optimizer
    self.slice = slice
    sums = Array(repeating: 0, count: slice == nil ? optimizer.sumCount : 0)
    norms = UpdateNorms(optimizer.layout)
  }

  /// Takes one step and returns the norm of the gradient over the whole model, if `measuringNorm` asks for it or the
  /// chain needs it to begin with; else nil. Of a slice, all parts are done with the vectors when it returns.
  @discardableResult
  public mutating func step(_ vectors: UpdateVectors, at step: UpdateStep, measuringNorm: Bool = false) -> Double? {
    let blocks = slice?.blocks ?? 0..<optimizer.layout.blocks.count
    var gradientNorm: Double?
    for (index, pass) in optimizer.passes.enumerated() {
      if pass.reach > .element || (index == 0 && measuringNorm) {
        // All parts have read the sums of the pass before.
        if index > 0 { slice?.wait() }
        measure(pass, blocks, vectors)
        if index == 0 { gradientNorm = norms.model }
      }
      optimizer.run(pass, blocks: blocks, vectors, at: step, norms: norms, &workspace)
    }
    slice?.wait()
    return gradientNorm
  }

  private mutating func measure(_ pass: Optimizer.Pass, _ blocks: Range<Int>, _ vectors: UpdateVectors) {
    if let slice {
      optimizer.measure(pass, blocks: blocks, vectors, into: slice.sums)
      slice.wait()
      return optimizer.combine(slice.sums, for: pass, into: &norms)
    }
    sums.withUnsafeMutableBufferPointer { buffer in
      // Nothing to measure in a model without parameters.
      guard let sums = buffer.baseAddress else { return }
      optimizer.measure(pass, blocks: blocks, vectors, into: sums)
      optimizer.combine(sums, for: pass, into: &norms)
    }
  }
}
