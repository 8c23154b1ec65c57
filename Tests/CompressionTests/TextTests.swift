import Compression
import Testing

@Suite struct TextTests {
  @Test func whatIsWrittenIsRead() throws {
    let others: [GradientCompression] = [
      .deepGradientCompression(ratio: 0.001, warmUpEpochs: 0), .topK(ratio: 1e-5), .powerSGD(rank: 128),
    ]
    for compression in everyCompression + others {
      #expect(try GradientCompression(parsing: compression.description) == compression)
    }
    #expect(try GradientCompression(parsing: "dgc:0.001") == .deepGradientCompression(ratio: 0.001, warmUpEpochs: 4))
    #expect(GradientCompression.topK(ratio: 1).description == "top-k:1")
  }

  /// What help shows can be given, numbers in the place of names.
  @Test func theFormsOfHelpAreRead() throws {
    for (form, meaning) in GradientCompression.forms {
      let text = form.replacing(/\[:EPOCHS\]/, with: ":3").replacing(/LEVELS|RANK/, with: "4")
        .replacing(/RATIO/, with: "0.1")
      #expect(throws: Never.self) { try GradientCompression(parsing: text) }
      #expect(!meaning.isEmpty)
    }
  }

  @Test func errorsAreSentences() {
    let bad: [(String, String)] = [
      ("", "none, float16"), ("zip", "none, float16"), ("float16:2", "without a value"), ("qsgd", "as qsgd:16"),
      ("qsgd:0", "1 to 127"), ("qsgd:128", "1 to 127"), ("qsgd:x", "1 to 127"), ("top-k:0", "above 0"),
      ("top-k:1.5", "up to 1"), ("top-k:nan", "above 0"), ("random-k:", "above 0"), ("dgc:0.1:-1", "0 to 1000"),
      ("dgc:0.1:2:3", "dgc:RATIO"), ("powersgd:0", "1 to 128"), ("powersgd", "powersgd:2"),
    ]
    for (text, remedy) in bad {
      let error = #expect(throws: CompressionError.self) { try GradientCompression(parsing: text) }
      let sentence = error?.description ?? ""
      // Foundation finds nothing in nothing.
      #expect(
        (text.isEmpty || sentence.contains(text)) && sentence.contains(remedy) && sentence.hasSuffix("."), "\(sentence)"
      )
    }
  }

  @Test func whatCodecsKeep() {
    func slots(_ compression: GradientCompression) -> [String]? { compression.codec()?.codec.slots }
    #expect(slots(.none) == nil && slots(.float16) == [] && slots(.qsgd(levels: 4)) == [])
    #expect(slots(.sign) == ["residual"] && slots(.powerSGD(rank: 1)) == ["residual"])
    #expect(slots(.deepGradientCompression(ratio: 0.1)) == ["momentum", "accumulated"])
    for compression in everyCompression {
      let codec = compression.codec()?.codec
      // Those of matrices, those that draw by element, and those for which padding would not stay zero.
      let isStandard =
        switch compression {
        case .oneBit, .powerSGD, .sign, .qsgd, .ternGrad, .randomK: true
        default: false
        }
      let takesMomentum = if case .deepGradientCompression = compression { true } else { false }
      #expect(codec?.wantsStandardLayout ?? false == isStandard)
      #expect(codec?.takesOverMomentum ?? false == takesMomentum)
    }
  }
}

@Suite struct CodecTensorTests {
  @Test func smallAndOneDimensionalTensorsStayDense() {
    func isCompressed(_ shape: [Int]) -> Bool {
      CodecTensor(name: "t", elements: 5..<5 + shape.reduce(1, *), shape: shape).isCompressed
    }
    #expect(isCompressed([32, 32]) && isCompressed([64, 3, 3, 3]) && isCompressed([1, 1024]))
    #expect(!isCompressed([31, 33]) && !isCompressed([4096]) && !isCompressed([]))
    let kernel = CodecTensor(name: "t", elements: 5..<5 + 64 * 27, shape: [64, 3, 3, 3])
    #expect(kernel.rows == 64 && kernel.columns == 27)
    let bias = CodecTensor(name: "b", elements: 0..<10, shape: [10])
    #expect(bias.rows == 10 && bias.columns == 1)
    // Casts take all.
    #expect(HalfPrecision(.float16).compresses(bias) && !EightBit().compresses(bias))
  }
}
