import Foundation

/// The names of this program's functions by their addresses, from the symbol table of its file (ELF, 64 bits).
///
/// The system's own list holds exported functions only, and the stacks of a program are mostly of others.
struct ExecutableSymbols {
  private let addresses: [UInt64]
  private let names: [String]

  /// Nil where the file has no such table, as after `strip`.
  init?(path: String = "/proc/self/exe") {
    guard let file = try? Data(contentsOf: URL(fileURLWithPath: path), options: .alwaysMapped), file.count > 64,
      file.prefix(6).elementsEqual([0x7f, 0x45, 0x4c, 0x46, 2, 1])
    else { return nil }
    func number<T: FixedWidthInteger>(_ type: T.Type, at offset: Int) -> Int? {
      guard offset >= 0, offset + MemoryLayout<T>.size <= file.count else { return nil }
      let value = file.withUnsafeBytes { $0.loadUnaligned(fromByteOffset: offset, as: T.self) }
      return Int(exactly: T(littleEndian: value))
    }
    guard let sections = number(UInt64.self, at: 40), let size = number(UInt16.self, at: 58),
      let count = number(UInt16.self, at: 60)
    else { return nil }
    /// Where a section lies: (offset, bytes, linked section).
    func section(_ index: Int) -> (offset: Int, bytes: Int, link: Int)? {
      let start = sections + index * size
      guard let offset = number(UInt64.self, at: start + 24), let bytes = number(UInt64.self, at: start + 32),
        let link = number(UInt32.self, at: start + 40), offset + bytes <= file.count
      else { return nil }
      return (offset, bytes, link)
    }
    let symbolTable = 2
    guard let index = (0..<count).first(where: { number(UInt32.self, at: sections + $0 * size + 4) == symbolTable }),
      let table = section(index), let texts = section(table.link)
    else { return nil }
    var found: [(address: UInt64, name: Int)] = []
    for entry in stride(from: table.offset, to: table.offset + table.bytes - 23, by: 24) {
      guard let name = number(UInt32.self, at: entry), let info = number(UInt8.self, at: entry + 4),
        let address = number(UInt64.self, at: entry + 8), info & 15 == 2, address > 0
      else { continue }
      found.append((UInt64(address), texts.offset + name))
    }
    found.sort { $0.address < $1.address }
    addresses = found.map(\.address)
    names = found.map { symbol in
      String(decoding: file[symbol.name...].prefix { $0 != 0 }, as: UTF8.self)
    }
  }

  /// The function that holds an address, as it is written in its source.
  func name(at address: UInt64) -> String? {
    var (low, high) = (0, addresses.count)
    while low < high {
      let middle = (low + high) / 2
      if addresses[middle] <= address { low = middle + 1 } else { high = middle }
    }
    return low > 0 ? demangled(names[low - 1]) : nil
  }

  /// Adds names to the lines of a file of stacks that have only an offset.
  func annotate(path: String) {
    guard let text = try? String(contentsOfFile: path, encoding: .utf8) else { return }
    let lines = text.split(separator: "\n", omittingEmptySubsequences: false).map { line -> String in
      guard let match = line.firstMatch(of: #/swift-dp-train\(\+0x([0-9a-f]+)\)/#),
        let address = UInt64(match.1, radix: 16), let name = name(at: address), !line.contains("  ")
      else { return String(line) }
      return "\(line)  \(name)"
    }
    try? lines.joined(separator: "\n").write(toFile: path, atomically: true, encoding: .utf8)
  }
}

@_silgen_name("swift_demangle")
private func swiftDemangle(
  _ name: UnsafePointer<CChar>?, _ length: Int, _ buffer: UnsafeMutablePointer<CChar>?,
  _ size: UnsafeMutablePointer<Int>?, _ flags: UInt32
) -> UnsafeMutablePointer<CChar>?

private func demangled(_ name: String) -> String {
  guard let text = swiftDemangle(name, name.utf8.count, nil, nil, 0) else { return name }
  defer { free(text) }
  return String(cString: text)
}
