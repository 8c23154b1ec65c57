import Glibc
import TensorFiles
import Testing

@Suite struct ReadingTests {
  @Test func modelWrittenByPyTorch() throws {
    let file = try SafetensorsFile(path: reference("model.safetensors"))
    #expect(file.metadata == ["format": "pt"])
    #expect(
      file.tensors.map(\.name) == [
        "bn1.bias", "bn1.num_batches_tracked", "bn1.running_mean", "bn1.running_var", "bn1.weight", "conv1.weight",
        "fc.bias", "fc.weight",
      ])
    #expect(try file.tensor(named: "conv1.weight", shape: [3, 1, 3, 3]).type == .f32)
    #expect(try file.floats("bn1.running_var") == [1, 1, 1])
    #expect(try file.integers("bn1.num_batches_tracked") == [0])
    #expect(file.tensor(named: "fc.weight")?.shape == [2, 5])
    #expect(file.tensor(named: "fc2.weight") == nil)
    let digest = try tensorsDigest(
      file.tensors.map { tensor in
        tensor.type == .i64
          ? TensorSource(name: tensor.name, shape: tensor.shape, integers: try file.integers(tensor.name))
          : TensorSource(name: tensor.name, shape: tensor.shape, values: try file.floats(tensor.name))
      })
    // Printed by Tests/References/make_safetensors_references.py.
    #expect(digest.description == "ae916cc622daf8cae3ca4a9871602aa191cff55db33d8041ee38b1e8f9e67147")
  }

  @Test func everyConvertibleType() throws {
    let file = try SafetensorsFile(path: reference("types.safetensors"))
    #expect(try file.floats("single") == [0.1])
    #expect(file.tensor(named: "single")?.shape == [])
    let doubles: [Float] = [0.1, -0.0, 3e38, 0x1p-149]
    #expect(try file.floats("double").map(\.bitPattern) == doubles.map(\.bitPattern))
    let third: Float = 0x1.554p-2
    let halves: [Float] = [0, -0.0, 1, -1.5, 65504, 0x1p-14, 0x1p-24, -0x1p-24 * 1023, third, .infinity]
    #expect(try file.floats("half").map(\.bitPattern) == halves.map(\.bitPattern))
    let brain = try file.floats("brain")
    #expect(brain[0...3].map(\.bitPattern) == [0, -0.0, 1, -2.5].map { (value: Float) in value.bitPattern })
    #expect(brain[6] == 0x1.56p-2 && brain[7] == -.infinity)
    #expect(try file.floats("empty") == [])
    #expect(try file.integers("counter") == [-7])
    #expect(try file.floats("größe \"q\" \\ \n") == [0, 1, 2])
    var mask = [UInt8](repeating: 9, count: 3)
    try mask.withUnsafeMutableBytes { try file.readBytes("mask", into: $0) }
    #expect(mask == [1, 0, 1])
  }

  @Test func everyHalf() throws {
    let directory = TemporaryDirectory()
    let path = "\(directory.path)/halves.safetensors"
    var bytes = safetensors(#"{"h":{"dtype":"F16","shape":[65536],"data_offsets":[0,131072]}}"#, dataSize: 0)
    for bits in 0..<65536 { bytes += [UInt8(bits & 255), UInt8(bits >> 8)] }
    try AtomicFile.write(bytes, to: path)
    let values = try SafetensorsFile(path: path).floats("h")
    let wrong = (0..<65536).filter { bits in
      let sign: Float = bits & 0x8000 == 0 ? 1 : -1
      let (exponent, fraction) = (bits >> 10 & 31, Float(bits & 1023) / 1024)
      if exponent == 31 { return fraction == 0 ? values[bits] != sign * .infinity : !values[bits].isNaN }
      let power = exp2f(Float(max(exponent, 1) - 15))
      return (sign * power * (exponent == 0 ? fraction : 1 + fraction)).bitPattern != values[bits].bitPattern
    }
    #expect(wrong == [])
  }

  @Test func whatDoesNotFitIsSaidInOneSentence() throws {
    let path = reference("types.safetensors")
    let file = try SafetensorsFile(path: path)
    func text(_ body: () throws -> Void) -> String {
      do { try body() } catch let error as TensorFileError {
        #expect(error.kind == .doesNotFit)
        return error.description
      } catch {}
      return ""
    }
    #expect(
      text { _ = try file.floats("counter") } == path
        + ": tensor \"counter\" has elements of type I64 where floating-point numbers are needed; "
        + "give the file of a matching model, or skip this tensor.")
    #expect(text { _ = try file.integers("single") }.contains("type F32 where 64-bit integers are needed"))
    #expect(text { _ = try file.floats("fc.weight") }.contains("there is no tensor \"fc.weight\" among its 8"))
    #expect(text { try file.tensor(named: "half", shape: [2, 5]) }.contains("the shape [10] where [2, 5] is needed"))
    let big = try SafetensorsFile(path: reference("beyond-float.safetensors"))
    #expect(text { _ = try big.floats("big") }.contains("holds 1e+39, beyond the range of 32-bit numbers"))
  }

  @Test func unreadablePaths() {
    for (path, kind, part) in [
      ("/nowhere/at/all", TensorFileError.Kind.cannotRead, "cannot open it (No such file or directory)"),
      ("/tmp", .cannotRead, "it is not a regular file"),
      ("/dev/null", .cannotRead, "it is not a regular file"),
    ] {
      do {
        _ = try SafetensorsFile(path: path)
        Issue.record("\(path) was read")
      } catch {
        #expect(error.kind == kind && error.path == path && error.description.contains(part))
      }
    }
  }

  @Test func fileCutShortAfterOpening() throws {
    let directory = TemporaryDirectory()
    let path = "\(directory.path)/cut.safetensors"
    try SafetensorsFile.write([TensorSource(name: "a", shape: [4], values: [1, 2, 3, 4])], to: path)
    let file = try SafetensorsFile(path: path)
    truncate(path, off_t(contents(of: path).count - 1))
    #expect(throws: TensorFileError.self) { try file.floats("a") }
  }
}
