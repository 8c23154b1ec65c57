import TensorFiles
import Testing

@Suite struct JSONNestingTests {
  @Test func depths() {
    for (text, depth) in [
      ("", 0), ("1", 0), ("{}", 1), ("[[], []]", 2), (#"{"a": {"b": [1, 2]}, "c": [[]]}"#, 3), (#"["[[[", "]"]"#, 1),
      (#"["\"[[", "\\", [1]]"#, 2), ("[[[", 3), (String(repeating: "[", count: 1000), 1000),
    ] {
      #expect(jsonNesting(text.utf8) == depth, "\(text)")
    }
  }
}
