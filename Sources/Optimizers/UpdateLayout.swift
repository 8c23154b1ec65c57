import Determinism

/// The place of one parameter in the flat vectors of parameters, gradients and slots.
public struct ParameterRegion: Sendable, Hashable {
  public let name: String
  /// Elements of the flat vectors. What lies between two regions is padding, which no transformation touches.
  public let elements: Range<Int>
  /// Whether weight decay applies; false for biases and batch-norm parameters where those are excluded.
  public let decays: Bool
  /// Whether layer-wise trust ratios (LARS, LAMB) apply; false for biases and batch-norm parameters as a rule.
  public let adapts: Bool

  public init(name: String, elements: Range<Int>, decays: Bool = true, adapts: Bool = true) {
    self.name = name
    self.elements = elements
    self.decays = decays
    self.adapts = adapts
  }
}

/// Regions of the parameters and the blocks that they are cut into.
///
/// Each region is cut into blocks of 4,096 elements, the last one shorter, so no block crosses a boundary of
/// parameters. Blocks are the grain of everything: a slice of an update is a range of blocks, and a norm is a sum over
/// blocks (numerics contract, rule 5). Block numbers ascend with the elements.
public struct UpdateLayout: Sendable {
  /// Elements of a block, at most.
  public static let blockLength = 4096

  /// A run of elements within one region, with what the transformations ask about that region.
  public struct Block: Sendable, Hashable {
    public let elements: Range<Int>
    public let region: Int
    public let decays: Bool
    public let adapts: Bool
  }

  public let regions: [ParameterRegion]
  public let blocks: [Block]

  /// Elements that a flat vector must have: the end of the last region.
  public var count: Int { regions.last?.elements.upperBound ?? 0 }

  /// Regions must ascend without overlap; they may be empty.
  public init(_ regions: [ParameterRegion]) {
    var blocks: [Block] = []
    var end = 0
    for (index, region) in regions.enumerated() {
      precondition(region.elements.lowerBound >= end, "region \(region.name) starts before \(end)")
      end = region.elements.upperBound
      for start in stride(from: region.elements.lowerBound, to: end, by: Self.blockLength) {
        blocks.append(
          Block(
            elements: start..<min(start + Self.blockLength, end), region: index, decays: region.decays,
            adapts: region.adapts))
      }
    }
    self.regions = regions
    self.blocks = blocks
  }

  /// What one of those who share an update takes of a range of elements.
  public struct Part: Sendable, Hashable {
    public let blocks: Range<Int>
    /// From its first block to the next part's; the first part begins and the last ends with the range.
    public let elements: Range<Int>
  }

  /// One of `count` parts of a range that holds whole blocks and whatever lies between them.
  public func part(_ index: Int, of count: Int, in range: Range<Int>) -> Part {
    func number(of element: Int) -> Int { blocks.firstIndex { $0.elements.lowerBound >= element } ?? blocks.count }
    let (first, end) = (number(of: range.lowerBound), number(of: range.upperBound))
    let own = Determinism.part(index, of: count, in: end - first)
    func start(_ block: Int) -> Int {
      block == 0 ? range.lowerBound : block < end - first ? blocks[first + block].elements.lowerBound : range.upperBound
    }
    return Part(
      blocks: first + own.lowerBound..<first + own.upperBound,
      elements: start(own.lowerBound)..<(index == count - 1 ? range.upperBound : start(own.upperBound)))
  }
}
