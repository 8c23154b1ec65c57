import Determinism
import Optimizers
import TensorFiles

/// Flat vectors of a small model, with what its tests do to them.
final class FlatModel {
  let optimizer: Optimizer
  var parameters: [Float]
  var gradient: [Float]
  var slots: [[Float]]
  private var local: LocalUpdate
  private var workspace = UpdateWorkspace()

  /// Vectors of `layout.count` elements: parameters as given or random, and a gradient of zeros.
  init(
    _ layout: UpdateLayout, _ chain: [GradientTransformation], average: ParameterAverage? = nil,
    parameters: [Float]? = nil, stages: [Range<Int>]? = nil
  ) {
    optimizer = Optimizer(layout, chain, average: average)
    local = LocalUpdate(optimizer, stages: stages)
    self.parameters = parameters ?? randomValues(layout.count, "parameters", step: 0)
    gradient = Array(repeating: 0, count: layout.count)
    slots = optimizer.slots.map { _ in Array(repeating: 0, count: layout.count) }
  }

  /// One step over everything, of which as many stages as given begin early, one after another.
  @discardableResult
  func step(_ step: UpdateStep, measuringNorm: Bool = false, early: Int = 0) -> Double? {
    withVectors { vectors in
      for stages in 0..<early { local.begin(stages: stages + 1, vectors, at: step) }
      return local.step(vectors, at: step, measuringNorm: measuringNorm)
    }
  }

  /// The first stage of a step.
  func begin(_ step: UpdateStep) { withVectors { local.begin(stages: 1, $0, at: step) } }

  /// One step in slices of blocks, the last slice first.
  func step(_ step: UpdateStep, slices: [Range<Int>]) {
    var sums = [Double](repeating: .nan, count: optimizer.sumCount)
    var norms = UpdateNorms(optimizer.layout)
    withVectors { vectors in
      for pass in optimizer.passes {
        if pass.reach > .element {
          sums.withUnsafeMutableBufferPointer { sums in
            guard let sums = sums.baseAddress else { return }
            for slice in slices.reversed() { optimizer.measure(pass, blocks: slice, vectors, into: sums) }
            optimizer.combine(sums, for: pass, into: &norms)
          }
        }
        for slice in slices.reversed() {
          optimizer.run(pass, blocks: slice, vectors, at: step, norms: norms, &workspace)
        }
      }
    }
  }

  private func withVectors<Result>(_ body: (UpdateVectors) -> Result) -> Result {
    let memory = ([parameters, gradient] + slots).map { values in
      let memory = UnsafeMutablePointer<Float>.allocate(capacity: max(values.count, 1))
      memory.initialize(from: values, count: values.count)
      return memory
    }
    defer {
      for vector in memory { vector.deallocate() }
    }
    let result = body(UpdateVectors(parameters: memory[0], gradient: memory[1], slots: Array(memory[2...])))
    let values = memory.map { Array(UnsafeBufferPointer(start: $0, count: optimizer.layout.count)) }
    (parameters, gradient, slots) = (values[0], values[1], Array(values[2...]))
    return result
  }
}

/// Numbers between −1 and 1 that depend on their index, a name and a step only.
func randomValues(_ count: Int, _ purpose: String, step: Int) -> [Float] {
  let stream = RandomStream(seed: 5, purpose: purpose)
  return (0..<count).map { 2 * stream.uniform($0, step: UInt32(step)) - 1 }
}

func bits(_ values: [Float]) -> [UInt32] { values.map(\.bitPattern) }

func bits(_ vectors: [[Float]]) -> [[UInt32]] { vectors.map { $0.map(\.bitPattern) } }

/// A file of numbers that PyTorch made (Tests/References/make_optimizer_references.py).
func openReference(_ name: String) throws -> SafetensorsFile {
  let folder = "/" + #filePath.split(separator: "/").dropLast().joined(separator: "/")
  return try SafetensorsFile(path: "\(folder)/References/\(name).safetensors")
}

/// A tensor of float64 as it is in the file.
func doubles(_ name: String, of file: borrowing SafetensorsFile) throws -> [Double] {
  var values = [Double](repeating: 0, count: file.tensor(named: name)?.count ?? 0)
  try values.withUnsafeMutableBytes { try file.readBytes(name, into: $0) }
  return values
}
