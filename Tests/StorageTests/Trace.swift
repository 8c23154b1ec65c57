import Foundation
import TestSupport

/// One call of a program on the directory tree under test, with paths relative to it.
struct Call {
  enum Kind: UInt16, CaseIterable {
    case open, write, fsync, rename, link, unlink, rmdir, mkdir, truncate, close, lock
  }

  var kind: Kind
  /// Whether the library made it fail or fall short.
  var isInjected = false
  /// The open file.
  var descriptor: Int32 = -1
  /// What the call returned.
  var result: Int64 = 0
  var error: Int32 = 0
  /// Of `open`.
  var flags: Int32 = 0
  /// Of a write its place, of a truncation the new size.
  var offset = 0
  var path = ""
  /// The second name of `rename` and `link`.
  var other = ""
  /// What was written.
  var data: [UInt8] = []

  var succeeded: Bool { result >= 0 }
}

extension Call: CustomStringConvertible {
  var description: String {
    let names = other.isEmpty ? path : "\(path) → \(other)"
    let size = kind == .write ? " \(data.count) bytes at \(offset)" : ""
    return "\(kind) \(names)\(size)" + (succeeded ? "" : " (error \(error))")
  }
}

/// Reads the calls that `libStorageFaults` recorded, in their order (Tests/StorageFaults/include/storage_faults.h).
func readTrace(_ path: String) throws -> [Call] {
  let bytes = Array(try Data(contentsOf: URL(fileURLWithPath: path)))
  var calls: [Call] = []
  var position = 0
  func value<T: FixedWidthInteger>(_ type: T.Type) -> T {
    defer { position += MemoryLayout<T>.size }
    return bytes.withUnsafeBytes { T(littleEndian: $0.loadUnaligned(fromByteOffset: position, as: T.self)) }
  }
  func text(_ size: UInt32) -> String {
    defer { position += Int(size) }
    return String(decoding: bytes[position..<position + Int(size)], as: UTF8.self)
  }
  while position < bytes.count {
    var call = Call(kind: Call.Kind(rawValue: value(UInt16.self))!)
    call.isInjected = value(UInt16.self) != 0
    call.descriptor = value(Int32.self)
    call.result = value(Int64.self)
    call.error = value(Int32.self)
    call.flags = value(Int32.self)
    call.offset = Int(value(Int64.self))
    let (pathSize, otherSize, dataSize) = (value(UInt32.self), value(UInt32.self), value(UInt64.self))
    call.path = text(pathSize)
    call.other = text(otherSize)
    call.data = Array(bytes[position..<position + Int(dataSize)])
    position += Int(dataSize)
    calls.append(call)
  }
  return calls
}
