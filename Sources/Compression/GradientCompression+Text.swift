extension GradientCompression: CustomStringConvertible {
  public var description: String {
    switch self {
    case .none: "none"
    case .float16: "float16"
    case .bfloat16: "bfloat16"
    case .eightBit: "8-bit"
    case .oneBit: "1-bit"
    case .sign: "sign"
    case .qsgd(let levels): "qsgd:\(levels)"
    case .ternGrad: "terngrad"
    case .topK(let ratio): "top-k:\(Self.text(ratio))"
    case .randomK(let ratio): "random-k:\(Self.text(ratio))"
    case .deepGradientCompression(let ratio, let epochs):
      "dgc:\(Self.text(ratio))\(epochs == Self.usualWarmUp ? "" : ":\(epochs)")"
    case .powerSGD(let rank): "powersgd:\(rank)"
    }
  }

  /// All forms, and what they do: for help.
  public static let forms: [(form: String, meaning: String)] = [
    ("none", "gradients as they are"),
    ("float16", "16 bits, precise to 11 of them, up to 65,504"),
    ("bfloat16", "16 bits, precise to 8, with the range of a float"),
    ("8-bit", "a scale for 256 elements, with error feedback"),
    ("1-bit", "signs, and two means for each output, with error feedback"),
    ("sign", "signs and the mean magnitude, with error feedback (EF-SignSGD)"),
    ("qsgd:LEVELS", "rounded at random to 1 to 127 levels, without bias"),
    ("terngrad", "rounded at random to −s, 0 or s, without bias"),
    ("top-k:RATIO", "the largest elements, with error feedback"),
    ("random-k:RATIO", "elements drawn at random, with error feedback"),
    ("dgc:RATIO[:EPOCHS]", "the largest sums of velocities, after 4 (or EPOCHS) epochs with more of them"),
    ("powersgd:RANK", "two thin factors of each matrix, with error feedback"),
  ]

  /// The choice that a text of the command line means.
  /// - Throws: a sentence that names what was given and what to give.
  public init(parsing text: String) throws(CompressionError) {
    let parts = text.split(separator: ":", omittingEmptySubsequences: false).map(String.init)
    let (name, values) = (parts[0], Array(parts.dropFirst()))
    guard let known = Self.known[name] else {
      let names = Self.forms.map(\.form).joined(separator: ", ")
      throw CompressionError("compression \(text) is not known; give one of \(names).")
    }
    guard known.values.contains(values.count) else {
      throw CompressionError("compression \(text) cannot be; give \(known.form), as \(known.example).")
    }
    guard let choice = known.make(values) else {
      throw CompressionError("compression \(text) cannot be; give \(known.limits), as \(known.example).")
    }
    self = choice
  }

  private static let usualWarmUp = 4

  /// A name and what may follow it.
  private struct Known: Sendable {
    let form: String
    var example: String
    var values = 0...0
    var limits = ""
    let make: @Sendable ([String]) -> GradientCompression?
  }

  private static let known: [String: Known] = {
    let ratios = "a ratio above 0 and up to 1"
    func fixed(_ choice: GradientCompression) -> Known {
      Known(form: "it without a value", example: choice.description) { _ in choice }
    }
    return [
      "none": fixed(.none), "float16": fixed(.float16), "bfloat16": fixed(.bfloat16), "8-bit": fixed(.eightBit),
      "1-bit": fixed(.oneBit), "sign": fixed(.sign), "terngrad": fixed(.ternGrad),
      "qsgd": Known(form: "qsgd:LEVELS", example: "qsgd:16", values: 1...1, limits: "1 to 127 levels") { values in
        Int(values[0]).flatMap { QuantisedLevels.possibleLevels.contains($0) ? .qsgd(levels: $0) : nil }
      },
      "top-k": Known(form: "top-k:RATIO", example: "top-k:0.01", values: 1...1, limits: ratios) {
        ratio($0[0]).map { .topK(ratio: $0) }
      },
      "random-k": Known(form: "random-k:RATIO", example: "random-k:0.01", values: 1...1, limits: ratios) {
        ratio($0[0]).map { .randomK(ratio: $0) }
      },
      "dgc": Known(
        form: "dgc:RATIO or dgc:RATIO:EPOCHS", example: "dgc:0.001:4", values: 1...2,
        limits: "\(ratios) and 0 to 1000 epochs"
      ) { values in
        guard let ratio = ratio(values[0]), let epochs = values.count == 1 ? usualWarmUp : Int(values[1]),
          (0...1000).contains(epochs)
        else { return nil }
        return .deepGradientCompression(ratio: ratio, warmUpEpochs: epochs)
      },
      "powersgd": Known(form: "powersgd:RANK", example: "powersgd:2", values: 1...1, limits: "a rank of 1 to 128") {
        Int($0[0]).flatMap { (1...128).contains($0) ? .powerSGD(rank: $0) : nil }
      },
    ]
  }()

  private static func ratio(_ text: String) -> Double? {
    Double(text).flatMap { $0 > 0 && $0 <= 1 ? $0 : nil }
  }

  /// 1 instead of 1.0.
  private static func text(_ ratio: Double) -> String { ratio == 1 ? "1" : "\(ratio)" }
}

/// A compression that cannot be: one sentence.
public struct CompressionError: Error, Sendable, Hashable, CustomStringConvertible {
  public let description: String

  init(_ description: String) { self.description = description }
}
