import CKernels
import Testing

/// Channels put together anew against a copy one by one, under every instruction set: the same bits, and zeros in the
/// padding.
@Suite struct GatherChannelsTests {
  // In processes of their own, because the limit is one for the whole process and other tests run beside these.
  @Test func baselineCopiesEachChannel() async {
    await #expect(processExitsWith: .success) { GatherCase.expectNoMismatch(CK_BASELINE) }
  }

  @Test func avx2CopiesEachChannel() async {
    await #expect(processExitsWith: .success) { GatherCase.expectNoMismatch(CK_AVX2) }
  }

  @Test func avx512CopiesEachChannel() async {
    await #expect(processExitsWith: .success) { GatherCase.expectNoMismatch(CK_AVX512) }
  }

  @Test func theComparisonSeesADifference() {
    let example = GatherCase(batch: 2, area: 3, sources: [5, 20], channels: [24, 0, -1, 7])
    #expect(example.isExact(of: 1) && !example.isExact(of: 1, expecting: [24, 0, -1, 6]))
  }
}

private struct GatherCase {
  let batch: Int
  let area: Int
  /// The channels of each source.
  let sources: [Int]
  let channels: [Int32]
  var storage = CK_IN_FLOAT32

  /// Whether `parts` of the kernel give what copying `expected` channels (the case's own, unless given) gives.
  func isExact(of parts: Int32, expecting expected: [Int32]? = nil) -> Bool {
    let blocks = Blocks(Int(ck_block()))
    let numbers = sources.indices.map { source in
      (0..<batch * sources[source] * area).map {
        storage == CK_IN_FLOAT32 ? Float(1 + source * 100_000 + $0) : Float(1 + (source * 37 + $0) % 251)
      }
    }
    let memory = sources.indices.map { source in
      var values = [Float](repeating: 0, count: blocks.imageCount(batch, sources[source], area))
      for (value, place) in zip(numbers[source], blocks.images(batch, sources[source], area)) { values[place] = value }
      return StoredImage(values, storage)
    }
    let stored = StoredImage(count: blocks.imageCount(batch, channels.count, area), storage)
    let pointers = memory.map { UnsafeRawPointer?($0.memory) }
    pointers.withUnsafeBufferPointer { pointers in
      sources.map(Int32.init).withUnsafeBufferPointer { counts in
        channels.withUnsafeBufferPointer { channels in
          var job = ck_gather_channels_job(
            storage: storage, batch: batch, area: area, sources: pointers.baseAddress,
            source_channels: counts.baseAddress, source_count: Int32(counts.count), result: stored.memory,
            channels: channels.baseAddress, channel_count: Int32(channels.count))
          withExtendedLifetime(memory) { ck_gather_channels(&job, nil, parts) }
        }
      }
    }
    let result = stored.values
    let places = blocks.images(batch, channels.count, area)
    var slow = [Float](repeating: 0, count: result.count)
    for image in 0..<batch {
      for (channel, from) in (expected ?? channels).enumerated() where from >= 0 {
        var (source, inside) = (0, Int(from))
        while inside >= sources[source] {
          inside -= sources[source]
          source += 1
        }
        for pixel in 0..<area {
          slow[places[(image * channels.count + channel) * area + pixel]] =
            numbers[source][(image * sources[source] + inside) * area + pixel]
        }
      }
    }
    return result.map(\.bitPattern) == slow.map(\.bitPattern)
  }

  static func expectNoMismatch(_ set: ck_instruction_set) {
    ck_limit_instruction_set(set)
    var wrong: [String] = []
    var state: UInt32 = 5
    for sources in [[1], [17], [8, 8], [58, 58], [3, 40, 1], [116, 116]] {
      let total = sources.reduce(0, +)
      let half = total / 2
      let shuffled = (0..<total).map { Int32($0 % 2 * half + $0 / 2) }
      let random = (0..<33).map { _ in
        state = state &* 1_664_525 &+ 1_013_904_223
        return Int32(state >> 8) % Int32(total + 1) - 1
      }
      let orders: [[Int32]] = [(0..<total).map { Int32($0) }, shuffled, Array(shuffled.prefix(half)), random, [-1], []]
      for channels in orders {
        for (batch, area) in [(1, 1), (2, 5), (3, 16)] {
          for parts in 1...3 {
            for storage in [CK_IN_FLOAT32, CK_IN_BFLOAT16] {
              let example = GatherCase(
                batch: batch, area: area, sources: sources, channels: channels, storage: storage)
              if !example.isExact(of: Int32(parts)) { wrong.append("\(example) in \(parts)") }
            }
          }
        }
      }
    }
    for line in wrong.prefix(20) { print(line) }
    #expect(wrong.isEmpty)
  }
}
