import TensorFiles

/// What differs between two checkpoints.
public struct CheckpointDifference: Sendable {
  /// What they say of themselves, each as "step was 100, is 150"; settings one by one.
  public var statements: [String] = []
  /// Tensors of one of the two, by name.
  public var onlyInFirst: [String] = []
  public var onlyInSecond: [String] = []
  /// Tensors of both that differ, in the order of names.
  public var tensors: [Tensor] = []

  public struct Tensor: Sendable, Hashable {
    public var name: String
    public var elements: Int
    /// Elements whose bits differ; nil where the shapes or types do.
    public var differing: Int?
    /// The greatest distance of two of them.
    public var distance: Double
  }

  public var isEmpty: Bool {
    statements.isEmpty && onlyInFirst.isEmpty && onlyInSecond.isEmpty && tensors.isEmpty
  }

  /// Reads both whole, tensor by tensor.
  /// - Throws: 65 where one is damaged.
  public init(_ first: Checkpoint, _ second: Checkpoint) throws {
    for checkpoint in [first, second] { try checkpoint.verify() }
    let (old, new) = (first.manifest, second.manifest)
    func compare(_ name: String, _ before: String, _ now: String) {
      if before != now { statements.append("\(name) was \(before), is \(now)") }
    }
    compare("step", grouped(old.step), grouped(new.step))
    compare("data set", old.data ?? "unknown", new.data ?? "unknown")
    compare("plan", old.plan, new.plan)
    compare("made with", old.fingerprint, new.fingerprint)
    statements += RunChanges.settings(old.configuration, new.configuration)
    try classifying { try compareTensors(first, second) }
  }

  private mutating func compareTensors(_ first: Checkpoint, _ second: Checkpoint) throws {
    let old = try SafetensorsFile(path: first.statePath)
    let new = try SafetensorsFile(path: second.statePath)
    let names = (Set(old.tensors.map(\.name)), Set(new.tensors.map(\.name)))
    onlyInFirst = names.0.subtracting(names.1).sorted()
    onlyInSecond = names.1.subtracting(names.0).sorted()
    for tensor in old.tensors where names.1.contains(tensor.name) {
      guard let other = new.tensor(named: tensor.name) else { continue }
      var difference = Tensor(name: tensor.name, elements: tensor.count, differing: nil, distance: 0)
      guard other.shape == tensor.shape, other.type == tensor.type else {
        tensors.append(difference)
        continue
      }
      var differing = 0
      if tensor.type == .i64 {
        for (a, b) in try zip(old.integers(tensor.name), new.integers(tensor.name)) where a != b {
          differing += 1
          difference.distance = max(difference.distance, Double(a.distance(to: b).magnitude))
        }
      } else {
        for (a, b) in try zip(old.floats(tensor.name), new.floats(tensor.name))
        where a.bitPattern != b.bitPattern {
          differing += 1
          difference.distance = max(difference.distance, Double(abs(a - b)))
        }
      }
      difference.differing = differing
      if differing > 0 { tensors.append(difference) }
    }
  }
}
