import COneDNN

/// Copies tensors of flat vectors between the kernels' layouts and the standard one, with kernels that are made once.
///
/// In a vector in the standard layout a tensor begins where its entry does, row-major and without padding.
public final class StandardReorder {
  private let tensors: [Tensor]

  private struct Tensor {
    let start: Int
    let count: Int
    /// Nil where both layouts are the same.
    let kernels: (toStandard: Kernel, fromStandard: Kernel)?
  }

  private let scratch: FloatBuffer

  /// - Parameter entries: of the layout.
  public init(_ entries: [ParameterLayout.Entry]) throws {
    let team = odn_threads()
    odn_set_threads(1)
    defer { odn_set_threads(team) }
    var floats = 1
    func kernel(_ source: Layout, _ destination: Layout, _ name: String) throws -> Kernel {
      let kernel = try Kernel(odn_reorder(source.pointer, destination.pointer), "reordering \(name)")
      try kernel.build()
      floats = max(floats, try kernel.layout(ODN_SCRATCHPAD).bytes / MemoryLayout<Float>.stride + 1)
      return kernel
    }
    tensors = try entries.map { entry in
      let (start, count, name) = (entry.range.lowerBound, entry.parameter.count, entry.parameter.name)
      if entry.layout.text == entry.plain.text { return Tensor(start: start, count: count, kernels: nil) }
      return Tensor(
        start: start, count: count,
        kernels: (try kernel(entry.layout, entry.plain, name), try kernel(entry.plain, entry.layout, name)))
    }
    scratch = try FloatBuffer(count: floats)
  }

  /// From the kernels' layouts to the standard one.
  public func toStandard(_ vector: UnsafePointer<Float>, _ standard: UnsafeMutablePointer<Float>) throws {
    try run(vector, standard) { $0.toStandard }
  }

  /// From the standard layout to the kernels'; the padding becomes zero.
  public func fromStandard(_ standard: UnsafePointer<Float>, _ vector: UnsafeMutablePointer<Float>) throws {
    try run(standard, vector) { $0.fromStandard }
  }

  private func run(
    _ source: UnsafePointer<Float>, _ destination: UnsafeMutablePointer<Float>,
    _ choose: ((toStandard: Kernel, fromStandard: Kernel)) -> Kernel
  ) throws {
    let team = odn_threads()
    odn_set_threads(1)
    defer { odn_set_threads(team) }
    for tensor in tensors {
      guard let kernels = tensor.kernels else {
        (destination + tensor.start).update(from: source + tensor.start, count: tensor.count)
        continue
      }
      let kernel = choose(kernels)
      try kernel.bind(ODN_SRC, to: UnsafeMutableRawPointer(mutating: source + tensor.start))
      try kernel.bind(ODN_DST, to: destination + tensor.start)
      try kernel.bind(ODN_SCRATCHPAD, to: scratch.pointer)
      try kernel.run()
    }
  }
}
