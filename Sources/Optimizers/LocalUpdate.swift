/// Whole updates on one thread, with all the memory that they need: the loop of `Optimizer`'s documentation with every
/// block for its slice. Nothing is allocated after `init`.
public struct LocalUpdate: ~Copyable {
  public let optimizer: Optimizer
  private var sums: [Double]
  private var norms: UpdateNorms
  private var workspace = UpdateWorkspace()

  public init(_ optimizer: Optimizer) {
    self.optimizer = optimizer
    sums = Array(repeating: 0, count: optimizer.sumCount)
    norms = UpdateNorms(optimizer.layout)
  }

  /// Takes one step and returns the norm of the gradient over the whole model, if `measuringNorm` asks for it or the
  /// chain needs it to begin with; else nil.
  @discardableResult
  public mutating func step(_ vectors: UpdateVectors, at step: UpdateStep, measuringNorm: Bool = false) -> Double? {
    let blocks = 0..<optimizer.layout.blocks.count
    var gradientNorm: Double?
    for (index, pass) in optimizer.passes.enumerated() {
      if pass.reach > .element || (index == 0 && measuringNorm) {
        sums.withUnsafeMutableBufferPointer { buffer in
          // Nothing to measure in a model without parameters.
          guard let sums = buffer.baseAddress else { return }
          optimizer.measure(pass, blocks: blocks, vectors, into: sums)
          optimizer.combine(sums, for: pass, into: &norms)
        }
        if index == 0 { gradientNorm = norms.model }
      }
      optimizer.run(pass, blocks: blocks, vectors, at: step, norms: norms, &workspace)
    }
    return gradientNorm
  }
}
