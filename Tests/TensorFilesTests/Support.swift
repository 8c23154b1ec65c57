import Glibc
import TensorFiles

/// A directory of the system's temporary place, removed with what is in it at the end of its life.
struct TemporaryDirectory: ~Copyable {
  let path: String

  init() {
    var template = Array("/tmp/tensor-files-XXXXXX".utf8CString)
    guard let made = mkdtemp(&template) else { fatalError("no temporary directory") }
    path = String(cString: made)
  }

  deinit {
    for name in names { unlink("\(path)/\(name)") }
    rmdir(path)
  }

  /// The files in it.
  var names: [String] {
    guard let directory = opendir(path) else { return [] }
    defer { closedir(directory) }
    var names: [String] = []
    while let entry = readdir(directory) {
      let name = withUnsafePointer(to: &entry.pointee.d_name) {
        $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
      }
      if name != "." && name != ".." { names.append(name) }
    }
    return names.sorted()
  }
}

/// The path of a file under `References`.
func reference(_ name: String) -> String {
  "/" + #filePath.split(separator: "/").dropLast().joined(separator: "/") + "/References/" + name
}

/// All bytes of a file.
func contents(of path: String) -> [UInt8] {
  guard let file = fopen(path, "rb") else { fatalError("no file \(path)") }
  defer { fclose(file) }
  var bytes: [UInt8] = []
  while case let byte = getc(file), byte != EOF { bytes.append(UInt8(byte)) }
  return bytes
}

/// A safetensors file of a header text and `dataSize` bytes 0, 1, 2, …
func safetensors(_ header: String, dataSize: Int) -> [UInt8] {
  let json = Array(header.utf8)
  return (0..<8).map { UInt8(truncatingIfNeeded: json.count >> (8 * $0)) } + json
    + (0..<dataSize).map { UInt8(truncatingIfNeeded: $0) }
}

/// The error of opening (and reading every tensor of) a file of these bytes, or nil.
func errorOfReading(_ bytes: [UInt8], in directory: borrowing TemporaryDirectory) -> TensorFileError? {
  let path = "\(directory.path)/file.safetensors"
  do {
    // Without AtomicFile's flushing, which a thousand files need not wait for.
    guard let out = fopen(path, "wb") else { fatalError("cannot write \(path)") }
    fwrite(bytes, 1, bytes.count, out)
    fclose(out)
    let file = try SafetensorsFile(path: path)
    for tensor in file.tensors {
      var raw = [UInt8](repeating: 0, count: tensor.byteCount)
      try raw.withUnsafeMutableBytes { try file.readBytes(tensor.name, into: $0) }
      if tensor.type.isFloatingPoint { _ = try file.floats(tensor.name) }
    }
    return nil
  } catch { return error as? TensorFileError }
}
