import COneDNN
import Networks

/// A graph made concrete for one thread: kernels in order, and where each of their arguments lies.
///
/// A plan is a pure function of (graph, parameter layout, team size, library, instruction set): every worker makes its
/// own and all are alike.
package struct Plan {
  /// Where an argument of a kernel lies. Offsets count floats, but bytes in the arena.
  package enum Location: Hashable {
    /// In the arena of the worker, in a storage whose place is known once all lifetimes are.
    case arena(storage: Int)
    case parameters(Int)
    case gradients(Int)
    /// External memory, row-major; number 0 is the batch's images.
    case external(Int)
  }

  struct Binding {
    let argument: Kernel.Argument
    let location: Location
  }

  enum Instruction {
    case kernel(Kernel, [Binding])
    /// The scratch memory is none where the kernel needs none.
    case own(any OwnKernel, scratch: Location?)
    /// CKernels/loss.h; a gradient that is nil is not wanted.
    case loss(logits: Location, gradient: Location?, samples: Int, classes: Int, smoothing: Double)
    /// CKernels/dropout.h, forward and backward alike.
    case dropout(
      source: Location, destination: Location, samples: Int, features: Int, layer: String, probability: Float)
    /// Zeros, for what the next kernel leaves out.
    case clear(Location, bytes: Int)
    /// The shard's contribution to one layer's running statistics: mean × weight, variance × weight × m/max(m − 1, 1).
    case statistics(
      mean: Location, variance: Location, toMean: Location, toVariance: Location, channels: Int, samples: Int)
  }

  struct Step {
    let instruction: Instruction
    /// The operation and the layer it belongs to, for tables of time.
    let operation: String
    let layer: String
  }

  /// An operation of a layer, as tables of time name it.
  struct Place: Hashable {
    let operation: String
    let layer: String
  }

  var steps: [Step] = []
  /// By the text of an operation that had a choice of kernels, where it stands (`KernelChoice`).
  var choices: [String: Set<Place>] = [:]
  /// The arena's storages, packed by `ArenaPacking`.
  var offsets: [Int] = []
  package internal(set) var arenaBytes = 0
  /// Values that outlive the run, where the caller asked for them.
  package internal(set) var kept: [Graph.ValueID: (location: Location, layout: Layout)] = [:]
  /// For each parameter of the graph, the step after which its gradient is final and its value is read no more.
  var freeAfter: [Int: Int] = [:]
  /// One line an instruction: operation, layer, implementation, layouts. Its digest names the plan.
  package var text: [String] = []
}
