import CKernels

/// The flat vectors that an update works on, each of `layout.count` elements. The memory is the caller's.
///
/// Vectors that start at equal offsets within 4 KiB pages share cache sets; placed about 1 KiB apart, they run faster.
public struct UpdateVectors: @unchecked Sendable {
  // Sound to send: the struct only names memory; `Optimizer.run` is told which blocks of it are whose.
  public let parameters: UnsafeMutablePointer<Float>
  /// Read only by a chain of one pass. Between two passes it holds the update so far.
  public let gradient: UnsafeMutablePointer<Float>
  /// One for each of `Optimizer.slots`, in that order; zero before the first step.
  public let slots: [UnsafeMutablePointer<Float>]

  public init(
    parameters: UnsafeMutablePointer<Float>, gradient: UnsafeMutablePointer<Float>, slots: [UnsafeMutablePointer<Float>]
  ) {
    self.parameters = parameters
    self.gradient = gradient
    self.slots = slots
  }
}

/// A chain of gradient transformations over one layout, executed block by block.
///
/// The chain is cut into *passes*, in front of each transformation that reaches further than the element. Within a pass,
/// all transformations run over a small run of elements before the next run is touched, in the first-level cache. So
/// plain SGD is one pass; with clipping it is still one, but one that needs a norm first:
///
///     for pass in optimizer.passes {
///       if pass.reach > .element {
///         optimizer.measure(pass, blocks: mine, vectors, into: sums)       // then exchange the sums of all blocks
///         optimizer.combine(sums, for: pass, into: &norms)
///       }
///       optimizer.run(pass, blocks: mine, vectors, at: step, norms: norms, &workspace)
///     }
///
/// Where parameters are averaged, the last pass does that too, as soon as it has moved them.
///
/// Any partition of the blocks, over any number of threads or processes, gives the same bits. Nothing is allocated.
public struct Optimizer: Sendable {
  /// Transformations that run together, over one run of elements after another.
  public struct Pass: Sendable, Hashable {
    /// The pass's part of the chain; only its first transformation may reach further than the element.
    public let transformations: Range<Int>
    /// What must be measured before the pass.
    public let reach: GradientTransformation.Reach
  }

  public let layout: UpdateLayout
  public let chain: [GradientTransformation]
  public let passes: [Pass]
  /// Of the parameters after each step, where there is to be one.
  public let average: ParameterAverage?
  /// Names of all slots, in the order of the chain; the same name twice gets a number (`momentum`, `momentum-2`). The
  /// average is the last.
  public let slots: [String]
  private let firstSlots: [Int]
  /// The end of the last pass, where one loop can do it.
  private let descent: MomentumDescent?

  public init(_ layout: UpdateLayout, _ chain: [GradientTransformation], average: ParameterAverage? = nil) {
    self.layout = layout
    self.chain = chain
    self.average = average
    let starts = [0] + chain.indices.filter { $0 > 0 && chain[$0].reach > .element }
    passes = starts.indices.map { index in
      let end = index + 1 < starts.count ? starts[index + 1] : chain.count
      return Pass(transformations: starts[index]..<end, reach: chain.isEmpty ? .element : chain[starts[index]].reach)
    }
    var slots: [String] = []
    var firstSlots: [Int] = []
    for transformation in chain {
      firstSlots.append(slots.count)
      for name in transformation.slots {
        var unique = name
        var number = 2
        while slots.contains(unique) {
          unique = "\(name)-\(number)"
          number += 1
        }
        slots.append(unique)
      }
    }
    precondition(!slots.contains(ParameterAverage.slot), "a transformation has a slot of the average's name")
    if average != nil { slots.append(ParameterAverage.slot) }
    self.slots = slots
    self.firstSlots = firstSlots
    descent = passes.last.flatMap { MomentumDescent(chain, pass: $0.transformations, firstSlots: firstSlots) }
  }

  /// How far the chain reaches: with `.model` no parameter can be updated before the last gradient is there.
  public var reach: GradientTransformation.Reach { passes.map(\.reach).max() ?? .element }

  /// The number of sums that `measure` writes for all blocks together: a block's sum of squares of the update at its
  /// index and, `layout.blocks.count` further, that of the parameters (written only for a reach of parameter).
  public var sumCount: Int { 2 * layout.blocks.count }

  /// Measures what `pass` needs for some blocks; `sums` has `sumCount` elements, of which those blocks' are written.
  public func measure(
    _ pass: Pass, blocks: Range<Int>, _ vectors: UpdateVectors, into sums: UnsafeMutablePointer<Double>
  ) {
    layout.sumSquares(of: UnsafePointer(vectors.gradient), blocks: blocks, into: sums)
    if pass.reach == .parameter {
      layout.sumSquares(of: UnsafePointer(vectors.parameters), blocks: blocks, into: sums + layout.blocks.count)
    }
  }

  /// Turns the sums of all blocks into the norms that `pass` needs.
  public func combine(_ sums: UnsafePointer<Double>, for pass: Pass, into norms: inout UpdateNorms) {
    norms.model = layout.norm(sums)
    if pass.reach == .parameter {
      layout.regionNorms(sums, into: &norms.update)
      layout.regionNorms(sums + layout.blocks.count, into: &norms.parameters)
    }
  }

  /// Runs a pass over some blocks: the last pass ends by subtracting the update from the parameters.
  public func run(
    _ pass: Pass, blocks range: Range<Int>, _ vectors: UpdateVectors, at step: UpdateStep, norms: UpdateNorms?,
    _ workspace: inout UpdateWorkspace
  ) {
    precondition(vectors.slots.count == slots.count, "\(vectors.slots.count) slot vectors for \(slots)")
    precondition(pass.reach == .element || norms != nil, "a pass that reaches further than the element needs norms")
    let isLast = pass.transformations.upperBound == chain.count
    let descent = isLast ? descent : nil
    let applied = pass.transformations.lowerBound..<(descent?.start ?? pass.transformations.upperBound)
    let scratch = workspace.scratch
    let averaged = isLast ? average.flatMap { _ in vectors.slots.last } : nil
    let weight = average?.weight(at: step) ?? 0
    vectors.slots.withUnsafeBufferPointer { slotVectors in
      layout.blocks.withUnsafeBufferPointer { blocks in
        for block in blocks[range] {
          var start = block.elements.lowerBound
          while start < block.elements.upperBound {
            let end = min(start + UpdateWorkspace.length, block.elements.upperBound)
            var part = UpdateBlock(
              block: block, elements: start..<end, step: step, norms: norms, reach: pass.reach, vectors: vectors,
              slotVectors: slotVectors, scratch: scratch)
            for index in applied {
              part.firstSlot = firstSlots[index]
              chain[index].apply(&part)
            }
            if let descent {
              descent.run(
                part, parameters: vectors.parameters + start, trace: descent.trace(of: slotVectors) + start)
            } else if isLast {
              ck_descend(vectors.parameters + start, part.update, part.factor, part.count)
            } else {
              ck_scale(vectors.gradient + start, part.update, part.factor, part.count)
            }
            if let averaged { ck_blend(averaged + start, vectors.parameters + start, weight, part.count) }
            start = end
          }
        }
      }
    }
  }
}
