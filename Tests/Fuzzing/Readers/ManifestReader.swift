import Foundation
import TensorFiles
import Training

extension FuzzedReader {
  /// Opens a checkpoint's directory, whose manifest is the input.
  static let manifest = FuzzedReader(
    name: "manifest", seeds: plain + [sealed(plain[0])!, sealed(plain[0])! + [UInt8(ascii: " ")]], words: words,
    allowance: allowance
  ) { input, bytes in
    try read(input, bytes)
  }

  /// The same of a manifest with a digest that is right, so that mutations are of what is in it.
  static let sealedManifest = FuzzedReader(
    name: "manifest-sealed", seeds: plain, words: words, allowance: allowance
  ) { input, bytes in
    guard jsonNesting(bytes) < 500, let sealed = sealed(bytes) else { throw NotAManifest() }
    input.fill(sealed)
    try read(input, sealed)
  }

  private static func read(_ input: InputFile, _ bytes: [UInt8]) throws {
    let manifest = try Checkpoint(path: input.directory(holding: ["manifest.json"])).manifest
    precondition(manifest.step >= 0 && manifest.files["state.safetensors"] != nil)
  }

  /// A text in the form in which manifests are written, with its digest; nil for what is no manifest.
  private static func sealed(_ text: [UInt8]) -> [UInt8]? {
    let decoder = JSONDecoder()
    decoder.nonConformingFloatDecodingStrategy = .convertFromString(
      positiveInfinity: "inf", negativeInfinity: "-inf", nan: "nan")
    func written(_ text: Data) throws -> Data {
      try RunDirectory.json(decoder.decode(Checkpoint.Manifest.self, from: text), pretty: true)
    }
    guard let plain = try? written(Data(text)) else { return nil }
    let digest = SHA256.hash(Array(plain)).description
    // The field's place does not matter: it is written again in the right one.
    return try? Array(written(Data("{\"manifestSHA256\":\"\(digest)\",".utf8) + plain.dropFirst()))
  }

  private static let plain = [
    seed,
    seed.replacing("\"format\" : 2", with: "\"format\" : 2, \"format\" : 3"),
    seed.replacing("\"step\" : 6", with: "\"step\" : 9223372036854775808"),
    seed.replacing("2.5", with: "1e999"),
    seed.replacing("2.5", with: "\"nan\""),
    seed.replacing("\"state.safetensors\"", with: "\"../state.safetensors\""),
    "[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]",
  ].map { Array($0.utf8) }

  private static let words = [
    "{", "}", "[", "]", ",", ":", "\"", "null", "true", "1e400", "-0", "9223372036854775808", "\\ud800", "\"format\"",
    "\"step\"", "\"files\"", "\"best\"", "\"..\"", "\"nan\"",
  ]

  /// The JSON library keeps a map of the text, and values of 16 bytes and more for text of two; the manifest is written
  /// again to be compared.
  private static let allowance: @Sendable ([UInt8]) -> Int = { 64 * $0.count + (32 << 10) }

  private static let seed = """
    {
      "best" : { "correct" : 1, "loss" : 2.85, "step" : 6 },
      "configuration" : "model: lenet5\\nsteps: 6\\n",
      "data" : "a1b2",
      "epoch" : 3,
      "files" : { "state.safetensors" : "00ff" },
      "fingerprint" : "numerics 1",
      "format" : 2,
      "loss" : 2.5,
      "plan" : "52c7",
      "stateSHA256" : "3728",
      "step" : 6
    }
    """
}

private struct NotAManifest: Error {}
