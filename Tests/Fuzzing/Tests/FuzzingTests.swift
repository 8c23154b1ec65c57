import Foundation
import FuzzedReaders
import Testing

/// Every reader of files, fed with damaged ones: it takes or refuses each, in memory bounded by the file's size.
///
/// The mutations are the same in every run. `Tests/Fuzzing/run` tries millions that no run has seen before.
@Suite(.serialized) struct FuzzingTests {
  private static let names = FuzzedReader.all.map(\.name)

  private func reader(_ name: String) -> FuzzedReader { FuzzedReader.all.first { $0.name == name }! }

  /// The files under `Corpus`: those on which a reader once failed.
  private func kept(_ name: String) -> [[UInt8]] {
    let directory = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .appendingPathComponent("Corpus/\(name)")
    let names = (try? FileManager.default.contentsOfDirectory(atPath: directory.path)) ?? []
    return names.sorted().compactMap {
      FileManager.default.contents(atPath: directory.appendingPathComponent($0).path).map { Array($0) }
    }
  }

  private func expectBounded(_ outcome: FuzzedReader.Outcome, _ bytes: [UInt8]) {
    guard outcome.peak > outcome.allowance else { return }
    let input = Data(bytes.prefix(4096)).base64EncodedString()
    Issue.record("\(outcome.peak) bytes for \(bytes.count), allowed are \(outcome.allowance); in base 64: \(input)")
  }

  @Test(arguments: names) func damagedFiles(_ name: String) {
    let reader = reader(name)
    let file = InputFile()
    var mutator = Mutator(reader, corpus: kept(name), seed: 1)
    var (taken, refused) = (0, 0)
    for _ in 0..<10_000 {
      let bytes = mutator.next()
      let outcome = reader.read(bytes, with: file)
      expectBounded(outcome, bytes)
      if outcome.error == nil {
        taken += 1
        if taken < 1000 { mutator.keep(bytes) }
      } else {
        refused += 1
      }
    }
    // Damage that is always refused, or never, would test one way through the reader only.
    // (A manifest with any damage at all is refused.)
    #expect((taken > 20 || name == "manifest") && refused > 1000, "\(taken) were taken, \(refused) refused")
  }

  @Test(arguments: names) func keptFiles(_ name: String) {
    let file = InputFile()
    for bytes in reader(name).seeds + kept(name) { expectBounded(reader(name).read(bytes, with: file), bytes) }
  }

  /// The counter sees what it is there for.
  @Test func memoryIsCounted() {
    let greedy = FuzzedReader.greedy
    let outcome = greedy.read([1], with: InputFile())
    #expect(outcome.peak >= 1 << 20 && outcome.peak < 3 << 20)
  }
}
