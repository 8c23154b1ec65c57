import TensorFiles
import Training

extension FuzzedReader {
  /// Opens a checkpoint's directory, whose manifest is the input.
  static let manifest = FuzzedReader(
    name: "manifest",
    seeds: [
      seed,
      seed.replacing("\"format\" : 1", with: "\"format\" : 1, \"format\" : 2"),
      seed.replacing("\"step\" : 6", with: "\"step\" : 9223372036854775808"),
      seed.replacing("2.5", with: "1e999"),
      "[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]",
    ].map { Array($0.utf8) },
    words: [
      "{", "}", "[", "]", ",", ":", "\"", "null", "true", "1e400", "-0", "9223372036854775808", "\\ud800", "\"format\"",
      "\"step\"", "\"files\"", "\"best\"", "\"..\"",
    ],
    // The JSON library keeps a map of the text, and values of 16 bytes and more for text of two.
    allowance: { 48 * $0.count + (16 << 10) }
  ) { input, bytes in
    // FIXME: a manifest of 513 brackets ends the program (`jsonNesting`). Once `Checkpoint` refuses it this line goes.
    if jsonNesting(bytes) > 500 { throw NestedTooDeep() }
    _ = try Checkpoint(path: input.directory(holding: ["manifest.json"]))
  }

  private static let seed = """
    {
      "best" : { "correct" : 1, "loss" : 2.85, "step" : 6 },
      "configuration" : "model: lenet5\\nsteps: 6\\n",
      "epoch" : 3,
      "files" : { "state.safetensors" : "00ff" },
      "fingerprint" : "numerics 1",
      "format" : 1,
      "kernels" : null,
      "loss" : 2.5,
      "plan" : "52c7",
      "stateSHA256" : "3728",
      "step" : 6
    }
    """
}

private struct NestedTooDeep: Error {}
