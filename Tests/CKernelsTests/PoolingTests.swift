import CKernels
import Testing

/// Pools against the definition, under every instruction set.
@Suite struct PoolingTests {
  // In processes of their own, because the limit is one for the whole process and other tests run beside these.
  @Test func baselineAgreesWithTheDefinition() async {
    await #expect(processExitsWith: .success) { PoolCase.expectNoMismatch(CK_BASELINE) }
  }

  @Test func avx2AgreesWithTheDefinition() async {
    await #expect(processExitsWith: .success) { PoolCase.expectNoMismatch(CK_AVX2) }
  }

  @Test func avx512AgreesWithTheDefinition() async {
    await #expect(processExitsWith: .success) { PoolCase.expectNoMismatch(CK_AVX512) }
  }

  @Test func theComparisonSeesADifference() {
    let example = PoolCase(batch: 1, channels: 3, extents: (5, 6), kernel: (3, 2), stride: (2, 1), padding: (1, 0))
    #expect(example.mismatches(disturbing: true).count == 5)
  }

  /// A diverged activation must not be hidden by larger neighbours.
  @Test func whatIsNotANumberIsTheLargest() {
    var example = PoolCase(batch: 1, channels: 1, extents: (4, 4), kernel: (2, 2), stride: (2, 2), padding: (0, 0))
    example.source = [.nan, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, .nan, 12, 13, 14, 15]
    let (result, places) = example.maxForward(parts: 1)
    #expect(result[0].isNaN && places[0] == 0)
    #expect(result[1] == 7 && places[1] == 3)
    #expect(result[2] == 13 && places[2] == 3)
    #expect(result[3].isNaN && places[3] == 1)
  }
}

/// One shape with its numbers and what the definition makes of them, row-major [batch, channels, area].
struct PoolCase {
  private let shape: ck_pool
  private let sourceBlocks: (places: [Int], count: Int)
  private let resultBlocks: (places: [Int], count: Int)
  var source: [Float]
  private let diffResult: [Float]

  init(
    batch: Int, channels: Int, extents: (Int, Int), kernel: (Int, Int), stride: (Int, Int), padding: (Int, Int)
  ) {
    let outHeight = (extents.0 + 2 * padding.0 - kernel.0) / stride.0 + 1
    let outWidth = (extents.1 + 2 * padding.1 - kernel.1) / stride.1 + 1
    shape = ck_pool(
      batch: batch, channels: channels, height: extents.0, width: extents.1, out_height: outHeight,
      out_width: outWidth, kernel_height: kernel.0, kernel_width: kernel.1, stride_height: stride.0,
      stride_width: stride.1, padding_top: padding.0, padding_left: padding.1)
    let blocks = Blocks(Int(ck_block()))
    let (area, outArea) = (extents.0 * extents.1, outHeight * outWidth)
    sourceBlocks = (blocks.images(batch, channels, area), blocks.imageCount(batch, channels, area))
    resultBlocks = (blocks.images(batch, channels, outArea), blocks.imageCount(batch, channels, outArea))
    var state: UInt32 = 5
    func values(_ count: Int, levels: Float) -> [Float] {
      (0..<count).map { _ in
        state = state &* 1_664_525 &+ 1_013_904_223
        return (Float(Int32(bitPattern: state)) * 0x1p-31 * levels).rounded() / levels
      }
    }
    // Few levels, so that windows have several largest elements.
    source = values(batch * channels * area, levels: 3)
    diffResult = values(batch * channels * outArea, levels: 0x1p20)
  }

  /// For each result, in order: its index, and the window's elements with their indices and places.
  private func overWindows(_ body: (Int, [(index: Int, place: UInt8)]) -> Void) {
    for image in 0..<(shape.batch * shape.channels) {
      for oh in 0..<shape.out_height {
        for ow in 0..<shape.out_width {
          var elements: [(index: Int, place: UInt8)] = []
          for i in 0..<shape.kernel_height {
            for j in 0..<shape.kernel_width {
              let row = oh * shape.stride_height - shape.padding_top + i
              let column = ow * shape.stride_width - shape.padding_left + j
              guard (0..<shape.height).contains(row), (0..<shape.width).contains(column) else { continue }
              elements.append(
                ((image * shape.height + row) * shape.width + column, UInt8(i * shape.kernel_width + j)))
            }
          }
          body((image * shape.out_height + oh) * shape.out_width + ow, elements)
        }
      }
    }
  }

  private func blocked(_ values: [Float], _ blocks: (places: [Int], count: Int)) -> [Float] {
    var result = [Float](repeating: 0, count: blocks.count)
    for (value, place) in zip(values, blocks.places) { result[place] = value }
    return result
  }

  /// Result and places in blocks.
  func maxForward(parts: Int32) -> (result: [Float], places: [UInt8]) {
    var result = [Float](repeating: .nan, count: resultBlocks.count)
    var places = [UInt8](repeating: 255, count: resultBlocks.count)
    withUnsafePointer(to: shape) {
      ck_max_pool_forward($0, blocked(source, sourceBlocks), &result, &places, nil, parts)
    }
    return (resultBlocks.places.map { result[$0] } + padding(result), resultBlocks.places.map { places[$0] })
  }

  /// What lies beside the channels, behind everything else, so that it is seen not to be zero.
  private func padding(_ values: [Float]) -> [Float] {
    let used = Set(values.count == sourceBlocks.count ? sourceBlocks.places : resultBlocks.places)
    return values.indices.filter { !used.contains($0) }.map { values[$0] }
  }

  private func run(parts: Int32) -> [String: [Float]] {
    let (x, dy) = (blocked(source, sourceBlocks), blocked(diffResult, resultBlocks))
    var runs = [
      "max y": [Float](repeating: .nan, count: resultBlocks.count), "average y": [], "y without places": [],
      "max dx": [Float](repeating: .nan, count: sourceBlocks.count), "average dx": [],
    ]
    let (y, dx) = (runs["max y"] ?? [], runs["max dx"] ?? [])
    var places = [UInt8](repeating: 255, count: resultBlocks.count)
    withUnsafePointer(to: shape) { shape in
      func made(_ start: [Float], _ body: (UnsafeMutablePointer<Float>) -> Void) -> [Float] {
        var values = start
        values.withUnsafeMutableBufferPointer { if let base = $0.baseAddress { body(base) } }
        let order = start.count == sourceBlocks.count ? sourceBlocks.places : resultBlocks.places
        return order.map { values[$0] } + padding(values)
      }
      runs["max y"] = made(y) { ck_max_pool_forward(shape, x, $0, &places, nil, parts) }
      runs["y without places"] = made(y) { ck_max_pool_forward(shape, x, $0, nil, nil, parts) }
      runs["max dx"] = made(dx) { ck_max_pool_backward(shape, places, dy, $0, nil, parts) }
      runs["average y"] = made(y) { ck_average_pool_forward(shape, x, $0, nil, parts) }
      runs["average dx"] = made(dx) { ck_average_pool_backward(shape, dy, $0, nil, parts) }
    }
    return runs
  }

  /// What leaves the definition, maxima by a bit and averages by more than their bound, differs between numbers of
  /// parts, or is not zero in the padding.
  func mismatches(disturbing: Bool = false) -> [String] {
    var maxima = [Float](repeating: 0, count: diffResult.count)
    var (averages, diffAverage) = (maxima, [Float](repeating: 0, count: source.count))
    var diffMaximum = diffAverage
    let area = Float(shape.kernel_height * shape.kernel_width)
    overWindows { result, elements in
      // The first of the largest: `max(by:)` would give the last.
      var largest = elements[0].index
      for (index, _) in elements where source[index] > source[largest] { largest = index }
      maxima[result] = source[largest]
      diffMaximum[largest] += diffResult[result]
      averages[result] = elements.reduce(0) { $0 + source[$1.index] } / area
      for (index, _) in elements { diffAverage[index] += diffResult[result] / area }
    }
    let expected = [
      "max y": maxima, "y without places": maxima, "max dx": diffMaximum, "average y": averages,
      "average dx": diffAverage,
    ]
    let runs = [1, 2, 3].map { run(parts: $0) }
    var wrong: [String] = []
    for (name, values) in runs[0].sorted(by: { $0.key < $1.key }) {
      guard var reference = expected[name] else { continue }
      if disturbing { reference[reference.count / 2] += 0.01 }
      let isExact = !name.hasPrefix("average")
      let padded = reference + [Float](repeating: 0, count: values.count - reference.count)
      // Sums of at most `area` numbers of at most 1.
      let bound = isExact ? 0 : 2e-7 * area
      if !zip(values, padded).allSatisfy({ abs($0 - $1) <= bound }) { wrong.append("\(name) is off: \(shape)") }
      for other in runs[1...] where other[name]?.map(\.bitPattern) != values.map(\.bitPattern) {
        wrong.append("\(name) has other bits in other parts: \(shape)")
      }
    }
    return wrong
  }

  static func expectNoMismatch(_ set: ck_instruction_set) {
    ck_limit_instruction_set(set)
    var wrong: [String] = []
    let kernels = [((1, 1), (1, 1)), ((2, 2), (2, 2)), ((3, 3), (2, 2)), ((2, 3), (2, 3)), ((5, 4), (3, 1))]
    for (kernel, stride) in kernels + [((3, 3), (1, 1)), ((2, 2), (1, 3)), ((3, 3), (3, 3)), ((16, 16), (1, 1))] {
      for extents in [(1, 1), (2, 2), (3, 4), (8, 5), (9, 12), (16, 17)] {
        for padding in [(0, 0), (1, 1), (0, 1), (2, 0)] {
          guard padding.0 < kernel.0, padding.1 < kernel.1, extents.0 + 2 * padding.0 >= kernel.0,
            extents.1 + 2 * padding.1 >= kernel.1
          else { continue }
          let channels = 1 + 13 * (extents.0 % 3)
          wrong += PoolCase(
            batch: 2, channels: channels, extents: extents, kernel: kernel, stride: stride, padding: padding
          ).mismatches()
        }
      }
    }
    for line in wrong.prefix(20) { print(line) }
    #expect(wrong.isEmpty)
  }
}
