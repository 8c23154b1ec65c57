extension FuzzedReader {
  /// Turns a file for `--config` into arguments.
  static let configuration = FuzzedReader(
    name: "configuration",
    seeds: [
      "model: cnn\nepochs: 10\nnesterov: true\nlearning-rate: 0.1 # comment\n",
      "{model: \"mlp\", steps: 3, data-dir: ~}", "--- \nseed: !!int 0x2A\n...\n", "? model\n: |\n  cnn\n",
      "a: &a [x, x]\nb: [*a, *a]\n", "model: cnn\nmodel: mlp\n", "", "%YAML 1.1\n---\nsteps: 1_000\n",
      "[[[[[[[[[[[[[[[[", "? ? ? ? ?", "- - - - -",
    ].map { Array($0.utf8) },
    words: [
      "model", "epochs", "steps", "seed", "batch-size", "data-dir", ": ", "- ", "? ", "| \n", "> \n", "&a ", "*a",
      "!!str ",
      "<<: ", "\n---\n", "\n...\n", "%TAG ! x\n", "~", "true", "[", "]", "{", "}", "\"", "\\x00", "\u{85}", "\u{FEFF}",
    ],
    // A node of the YAML library is some hundred bytes for a text of one.
    allowance: { 2048 * $0.count + (512 << 10) }
  ) { input, _ in
    let file = try ConfigurationFile(path: input.path)
    precondition(file.arguments.allSatisfy { $0.hasPrefix("--") }, "\(file.arguments)")
  }
}
