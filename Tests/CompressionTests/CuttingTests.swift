import Compression
import Testing

/// Units are encoded alike by whoever owns them.
@Suite struct CuttingTests {
  private let codecs: [any UnitCodec] = [
    HalfPrecision(.float16), HalfPrecision(.bfloat16), EightBit(), OneBit(),
  ]

  @Test func everyCutGivesTheBytesOfTheWhole() {
    for codec in codecs {
      for (rows, columns) in [(0, 5), (1, 1), (1, 7), (7, 1), (5, 103), (2, 5000), (300, 33)] {
        let tensor = matrix(rows, columns)
        let gradient = gradients(tensor.count, "g"), old = gradients(tensor.count, "old")
        let count = codec.unitCount(of: tensor)
        let whole = encoded(0..<count, codec, tensor, gradient, old)
        #expect(whole.bytes.count == codec.bytes(of: 0..<count, in: tensor))
        let cuts = Set([0, 1, count / 3, count / 2, count - 1, count]).filter { (0...count).contains($0) }
        for cut in cuts {
          let (first, second) = (0..<cut, cut..<count)
          let a = encoded(first, codec, tensor, gradient, old), b = encoded(second, codec, tensor, gradient, old)
          #expect(a.bytes + b.bytes == whole.bytes, "\(codec), \(rows) × \(columns), cut at \(cut)")
          let middle = codec.elements(of: first, in: tensor).upperBound
          #expect(bits(Array(a.residual[..<middle] + b.residual[middle...])) == bits(whole.residual))
          #expect(bits(Array(a.residual[middle...])) == bits(Array(old[middle...])))
          // Decoding a part leaves the rest alone.
          let values = decoded(second, codec, tensor, b.bytes)
          #expect(values[..<middle].allSatisfy { $0 == 7 })
          let all = decoded(0..<count, codec, tensor, whole.bytes)
          #expect(bits(Array(values[middle...])) == bits(Array(all[middle...])))
        }
      }
    }
  }

  @Test func addingIsDecodingAndAdding() {
    for codec in codecs {
      let tensor = matrix(9, 300)
      let units = 0..<codec.unitCount(of: tensor)
      let gradient = gradients(tensor.count, "g")
      let bytes = encoded(units, codec, tensor, gradient, gradients(tensor.count, "old")).bytes
      var sum = gradient
      bytes.withUnsafeBytes { codec.add(units, of: tensor, from: $0, to: &sum) }
      #expect(sum == zip(gradient, decoded(units, codec, tensor, bytes)).map { $0 + $1 })
    }
  }

  @Test func castsRoundToTheNearest() {
    let tensor = matrix(3, 3000)
    let gradient = gradients(9000, "g")
    func sent(_ codec: any UnitCodec) -> [Float] {
      let units = 0..<codec.unitCount(of: tensor)
      return decoded(units, codec, tensor, encoded(units, codec, tensor, gradient, gradient).bytes)
    }
    #expect(sent(HalfPrecision(.float16)) == gradient.map { Float(Float16($0)) })
    let nearest = gradient.map { value -> Float in
      let low = Float(bitPattern: value.bitPattern & 0xffff_0000), high = Float(bitPattern: low.bitPattern + 0x10000)
      let (down, up) = ((value - low).magnitude, (high - value).magnitude)
      return down < up || (down == up && low.bitPattern & 0x10000 == 0) ? low : high
    }
    #expect(sent(HalfPrecision(.bfloat16)) == nearest)
  }

  private func encoded(
    _ units: Range<Int>, _ codec: any UnitCodec, _ tensor: CodecTensor, _ gradient: [Float], _ old: [Float]
  ) -> (bytes: [UInt8], residual: [Float]) {
    var residual = old
    let length = codec.bytes(of: units, in: tensor)
    var bytes = [UInt8](repeating: 0xee, count: length + 2)
    codec.encode(units, of: tensor, gradient: gradient, residual: &residual, into: &bytes)
    #expect(bytes[length...] == [0xee, 0xee])
    return (Array(bytes[..<length]), residual)
  }

  private func decoded(
    _ units: Range<Int>, _ codec: any UnitCodec, _ tensor: CodecTensor, _ bytes: [UInt8]
  ) -> [Float] {
    var values = [Float](repeating: 7, count: tensor.count)
    bytes.withUnsafeBytes { codec.decode(units, of: tensor, from: $0, to: &values) }
    return values
  }
}
