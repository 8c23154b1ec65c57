import CKernels
import COneDNN
import Foundation

/// What the bits of a run depend on beside its recipe (numerics contract, rule 11).
public struct Fingerprint: Sendable, Hashable, CustomStringConvertible {
  /// Raised with every change of this program that changes trained bits.
  public static let numericsRevision = 3

  /// Names and values, in a fixed order.
  public let fields: [Field]

  public struct Field: Sendable, Hashable {
    public let name: String
    public let value: String

    public init(name: String, value: String) { (self.name, self.value) = (name, value) }
  }

  /// The fingerprint of this program on this machine.
  public static func ofThisMachine() -> Fingerprint {
    func cache(_ name: Int) -> String { "\(sysconf(Int32(name)) / 1024) KiB" }
    let own = ["baseline", "AVX2", "AVX-512"][Int(ck_effective_instruction_set().rawValue)]
    return Fingerprint(fields: [
      Field(name: "numerics", value: String(numericsRevision)),
      Field(name: "oneDNN", value: String(cString: odn_version())),
      Field(name: "oneDNN instruction set", value: String(cString: odn_instruction_set())),
      Field(name: "own instruction set", value: own),
      Field(name: "level-1 cache", value: cache(Int(_SC_LEVEL1_DCACHE_SIZE))),
      Field(name: "level-2 cache", value: cache(Int(_SC_LEVEL2_CACHE_SIZE))),
      Field(name: "level-3 cache", value: cache(Int(_SC_LEVEL3_CACHE_SIZE))),
      Field(name: "C library", value: String(cString: ck_c_library_version())),
    ])
  }

  public init(fields: [Field]) { self.fields = fields }

  /// The value of a field.
  public subscript(name: String) -> String { fields.first { $0.name == name }?.value ?? "" }

  /// One line; equal fingerprints give equal lines.
  public var description: String { fields.map { "\($0.name) \($0.value)" }.joined(separator: ", ") }

  /// Where another one differs, given as its line: "level-2 cache 512 KiB (here 1024 KiB)"; the whole line where that has
  /// other fields.
  public func differences(inLine line: String) -> String {
    let parts = line.components(separatedBy: ", ")
    guard parts.count == fields.count, zip(parts, fields).allSatisfy({ $0.hasPrefix($1.name + " ") }) else {
      return "\(line) (here \(self))"
    }
    return zip(parts, fields).filter { $0 != "\($1.name) \($1.value)" }.map { "\($0) (here \($1.value))" }
      .joined(separator: ", ")
  }
}
