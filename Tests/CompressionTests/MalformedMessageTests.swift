import Compression
import Testing

/// A message that is not as long as it must be stops the rank, instead of reading beyond it.
@Suite struct MalformedMessageTests {
  private static func add(_ codec: any MessageCodec, _ change: (inout [UInt8]) -> Void) {
    let tensor = matrix(20, 60)
    let encoder = Encoder(codec, tensor)
    encoder.sent(gradients(1200, "g"), at: moment())
    var message = encoder.message
    change(&message)
    var sum = [Float](repeating: 0, count: 1200)
    message.withUnsafeBytes { codec.add($0, of: tensor, at: moment(), to: &sum) }
  }

  private static func decode(_ codec: any UnitCodec, change: Int) {
    let tensor = matrix(20, 60)
    let units = 0..<codec.unitCount(of: tensor)
    let bytes = [UInt8](repeating: 0, count: codec.bytes(of: units, in: tensor) + change)
    var values = [Float](repeating: 0, count: 1200)
    bytes.withUnsafeBytes { codec.decode(units, of: tensor, from: $0, to: &values) }
  }

  @Test func messagesAsTheyAreAreTaken() {
    for codec in [
      SignWithFeedback(), QuantisedLevels(levels: 4), TernGrad(), TopK(ratio: 0.1), RandomK(ratio: 0.1),
    ] as [any MessageCodec] { Self.add(codec) { _ in } }
    for codec in [HalfPrecision(.float16), EightBit(), OneBit()] as [any UnitCodec] { Self.decode(codec, change: 0) }
  }

  @Test func signsThatAreTooShort() async {
    await #expect(processExitsWith: .failure) { Self.add(SignWithFeedback()) { $0.removeLast() } }
  }

  @Test func levelsThatAreTooLong() async {
    await #expect(processExitsWith: .failure) { Self.add(QuantisedLevels(levels: 4)) { $0.append(0) } }
  }

  @Test func ternaryThatAreTooShort() async {
    await #expect(processExitsWith: .failure) { Self.add(TernGrad()) { $0.removeLast() } }
  }

  @Test func fewElementsThatAreTooShort() async {
    await #expect(processExitsWith: .failure) { Self.add(TopK(ratio: 0.1)) { $0.removeLast() } }
  }

  @Test func aCountThatIsNotThatOfTheBytes() async {
    await #expect(processExitsWith: .failure) { Self.add(TopK(ratio: 0.1)) { $0[0] += 1 } }
  }

  @Test func anIndexBeyondTheTensor() async {
    await #expect(processExitsWith: .failure) { Self.add(TopK(ratio: 0.1)) { $0[6] = 1 } }
  }

  @Test func anEmptyMessage() async {
    await #expect(processExitsWith: .failure) { Self.add(TopK(ratio: 0.1)) { $0 = [] } }
  }

  @Test func valuesThatAreTooShort() async {
    await #expect(processExitsWith: .failure) { Self.add(RandomK(ratio: 0.1)) { $0.removeLast() } }
  }

  @Test func halvesThatAreTooShort() async {
    await #expect(processExitsWith: .failure) { Self.decode(HalfPrecision(.float16), change: -1) }
  }

  @Test func blocksThatAreTooLong() async {
    await #expect(processExitsWith: .failure) { Self.decode(EightBit(), change: 1) }
  }

  @Test func rowsThatAreTooShort() async {
    await #expect(processExitsWith: .failure) { Self.decode(OneBit(), change: -1) }
  }
}
