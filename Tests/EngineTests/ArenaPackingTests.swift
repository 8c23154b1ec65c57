import Engine
import Testing

/// No two storages that live at one time share a byte, and little is wasted.
@Suite struct ArenaPackingTests {
  typealias Storage = ArenaPacking.Storage

  /// What is wrong with a packing; nil if it is sound.
  private func fault(_ storages: [Storage]) -> String? {
    let packing = ArenaPacking(storages)
    func live(_ a: Storage, _ b: Storage) -> Bool { a.first <= b.last && b.first <= a.last }
    for (index, storage) in storages.enumerated() where storage.bytes > 0 {
      let place = packing.offsets[index]..<packing.offsets[index] + storage.bytes
      if place.lowerBound < 0 || place.lowerBound % ArenaPacking.alignment != 0 { return "\(index) at \(place)" }
      if place.upperBound > packing.bytes { return "\(index) ends after the arena" }
      for other in storages.indices.dropFirst(index + 1)
      where storages[other].bytes > 0 && live(storage, storages[other]) {
        let place2 = packing.offsets[other]..<packing.offsets[other] + storages[other].bytes
        if place.overlaps(place2) { return "\(index) at \(place) and \(other) at \(place2)" }
      }
    }
    func rounded(_ bytes: Int) -> Int {
      (bytes + ArenaPacking.alignment - 1) / ArenaPacking.alignment * ArenaPacking.alignment
    }
    if packing.bytes > storages.reduce(0, { $0 + rounded($1.bytes) }) { return "more than side by side" }
    // As much as lives at any one time is needed in any case.
    for time in 0...(storages.map(\.last).max() ?? 0) {
      let needed = storages.filter { $0.first <= time && time <= $0.last }.reduce(0) { $0 + $1.bytes }
      if packing.bytes < needed { return "less than lives at \(time)" }
    }
    return nil
  }

  @Test func allSmallCases() {
    let lives = (0..<3).flatMap { first in (first..<3).map { (first, $0) } }
    let all = lives.flatMap { life in
      [0, 1, 64, 65].map { Storage(bytes: $0, first: life.0, last: life.1) }
    }
    var faults: [String] = []
    for a in all {
      for b in all {
        for c in all { if let fault = fault([a, b, c]) { faults.append("\([a, b, c]): \(fault)") } }
      }
    }
    #expect(faults == [])
  }

  @Test func manyRandomLifetimes() {
    var generator = SystemRandomNumberGeneratorWithSeed(11)
    var faults: [String] = []
    for _ in 0..<400 {
      let storages = (0..<Int.random(in: 0...60, using: &generator)).map { _ in
        let first = Int.random(in: 0..<40, using: &generator)
        return Storage(
          bytes: Int.random(in: 0...3, using: &generator) * Int.random(in: 0...1000, using: &generator), first: first,
          last: min(39, first + Int.random(in: 0...12, using: &generator)))
      }
      if let fault = fault(storages) { faults.append("\(storages): \(fault)") }
    }
    #expect(faults == [])
  }

  /// A chain of layers, each reading the one before: two places are enough.
  @Test func aChainTakesTwoPlaces() {
    let storages = (0..<20).map { Storage(bytes: 1024, first: $0, last: $0 + 1) }
    #expect(ArenaPacking(storages).bytes == 2048)
  }
}
