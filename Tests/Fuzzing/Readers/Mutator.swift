/// Repeatable small damage to files: bytes, numbers and words of the format, pieces moved, cut and put in.
public struct Mutator {
  private let words: [[UInt8]]
  private var corpus: [[UInt8]]
  private var random: Random

  public init(_ reader: FuzzedReader, corpus: [[UInt8]] = [], seed: UInt64) {
    words = reader.words.map { Array($0.utf8) }
    self.corpus = reader.seeds + corpus
    random = Random(state: seed)
  }

  /// The next input. One that a reader took may be given back by `keep`, for more to be made of it.
  public mutating func next() -> [UInt8] {
    var bytes = corpus.randomElement(using: &random)!
    for _ in 0..<Int.random(in: 1...4, using: &random) { damage(&bytes) }
    return bytes
  }

  public mutating func keep(_ bytes: [UInt8]) {
    if bytes.count < 1 << 13 { corpus.append(bytes) }
  }

  private mutating func damage(_ bytes: inout [UInt8]) {
    let position = Int.random(in: 0...bytes.count, using: &random)
    let piece = position..<Int.random(in: position...min(bytes.count, position + 64), using: &random)
    switch Int.random(in: 0..<9, using: &random) {
    case 0 where position < bytes.count: bytes[position] ^= 1 << UInt8.random(in: 0..<8, using: &random)
    case 1 where position < bytes.count:
      bytes[position] = [0, 1, 0x7f, 0x80, 0xff, 0x22, 0x30].randomElement(using: &random)!
    case 2: bytes.removeSubrange(piece)
    case 3: bytes.insert(contentsOf: bytes[piece], at: Int.random(in: 0...bytes.count, using: &random))
    case 4: bytes.insert(contentsOf: words.randomElement(using: &random)!, at: position)
    case 5: bytes.replaceSubrange(piece, with: words.randomElement(using: &random)!)
    case 6: bytes.removeLast(bytes.count - position)
    case 7:
      let other = corpus.randomElement(using: &random)!
      let start = Int.random(in: 0...other.count, using: &random)
      bytes.insert(contentsOf: other[start..<min(other.count, start + 32)], at: position)
    default: changeNumber(&bytes, from: position)
    }
  }

  /// Replaces the next decimal number by one at the edge of what programs can hold, or by a near one.
  private mutating func changeNumber(_ bytes: inout [UInt8], from position: Int) {
    func isDigit(_ byte: UInt8) -> Bool { (0x30...0x39).contains(byte) }
    guard let start = bytes[position...].firstIndex(where: isDigit) else { return }
    let end = bytes[start...].firstIndex { !isDigit($0) } ?? bytes.count
    let value = Int(String(decoding: bytes[start..<end], as: UTF8.self)) ?? 0
    let numbers = [
      "0", "1", "-1", "\(value &+ 1)", "\(value &- 1)", "\(value &* 2)", "2147483648", "4294967296",
      "4611686018427387904", "9223372036854775807", "9223372036854775808", "18446744073709551616", "00", "1.5",
    ]
    bytes.replaceSubrange(start..<end, with: Array(numbers.randomElement(using: &random)!.utf8))
  }
}

/// SplitMix64 (Steele et al., "Fast splittable pseudorandom number generators", 2014).
private struct Random: RandomNumberGenerator {
  var state: UInt64

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }
}
