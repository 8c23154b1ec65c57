import Foundation
import FuzzedReaders

/// libFuzzer around one reader; built by `Tests/Fuzzing/run`.
///
///     fuzz-readers safetensors [libFuzzer's arguments]
///     fuzz-readers safetensors --write-seeds DIRECTORY WORDS
@main struct FuzzReaders {
  static func main() {
    let names = FuzzedReader.all.map(\.name)
    guard CommandLine.argc >= 2, let index = names.firstIndex(of: CommandLine.arguments[1]) else {
      print("give one of \(names.joined(separator: ", "))")
      return
    }
    chosen = FuzzedReader.all[index]
    if CommandLine.arguments.count == 5 && CommandLine.arguments[2] == "--write-seeds" {
      writeSeeds(CommandLine.arguments[3], words: CommandLine.arguments[4])
      return
    }
    // The reader's name is not for libFuzzer.
    let arguments = [CommandLine.arguments[0]] + CommandLine.arguments[2...]
    fuzz(arguments)
  }
}

/// Writes the chosen reader's seeds as files, and its words in the form of libFuzzer's dictionaries.
private func writeSeeds(_ directory: String, words path: String) {
  do {
    for (index, seed) in chosen.seeds.enumerated() {
      try Data(seed).write(to: URL(fileURLWithPath: "\(directory)/seed-\(index)"))
    }
    let lines = chosen.words.map { word in
      "\"" + word.utf8.map { "\\x" + ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined() + "\"\n"
    }
    try Data(lines.joined().utf8).write(to: URL(fileURLWithPath: path))
  } catch {
    print("\(error)")
    exit(74)
  }
}

nonisolated(unsafe) private var chosen = FuzzedReader.all[0]
nonisolated(unsafe) private let file = InputFile()

/// Ends the process where the reader takes more memory than its allowance.
private func check(_ bytes: [UInt8]) {
  let outcome = chosen.read(bytes, with: file)
  precondition(
    outcome.peak <= outcome.allowance,
    "\(chosen.name) took \(outcome.peak) bytes for an input of \(bytes.count), allowed are \(outcome.allowance)")
}

#if FUZZING
  @_silgen_name("LLVMFuzzerRunDriver") private func runDriver(
    _ count: UnsafeMutablePointer<CInt>,
    _ arguments: UnsafeMutablePointer<UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>>,
    _ callback: @convention(c) (UnsafePointer<UInt8>?, Int) -> CInt
  ) -> CInt

  private func fuzz(_ arguments: [String]) {
    var count = CInt(arguments.count)
    let texts = UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>.allocate(capacity: arguments.count + 1)
    for (index, argument) in arguments.enumerated() { texts[index] = strdup(argument) }
    texts[arguments.count] = nil
    var pointer = texts
    _ = runDriver(&count, &pointer) { bytes, size in
      check(Array(UnsafeBufferPointer(start: bytes, count: size)))
      return 0
    }
  }
#else
  private func fuzz(_ arguments: [String]) {
    print("built without libFuzzer: start Tests/Fuzzing/run")
  }
#endif
