import CMPI

/// An MPI function that did not succeed.
public struct MPIError: Error, Hashable, Sendable, CustomStringConvertible {
  /// The C function's name, such as `MPI_Send`.
  public let function: String
  /// The library's error code.
  public let code: Int32
  /// The library's text for the code.
  public let text: String
  /// Rank of the caller in the world.
  public let rank: Int

  public var description: String { "\(function) failed on rank \(rank): \(text)." }

  init(function: String, code: Int32) {
    self.function = function
    self.code = code
    text = cString(capacity: cmpi_max_error_string()) { MPI_Error_string(code, $0, $1) } ?? "error code \(code)"
    // Asking for the rank is itself an error, and a fatal one, while MPI is not initialised.
    var rank: Int32 = 0
    var initialized: Int32 = 0
    _ = MPI_Initialized(&initialized)
    if initialized != 0 { _ = MPI_Comm_rank(cmpi_comm_world().raw, &rank) }
    self.rank = Int(rank)
  }
}

/// Throws unless `code` is MPI's success.
@inline(__always)
func check(_ code: Int32, _ function: StaticString) throws(MPIError) {
  if code != cmpi_success() { throw MPIError(function: "\(function)", code: code) }
}

/// The text that an MPI function writes to a buffer and gives the length of; nil if the function fails.
func cString(capacity: Int32, _ fill: (UnsafeMutablePointer<CChar>, UnsafeMutablePointer<Int32>) -> Int32) -> String? {
  withUnsafeTemporaryAllocation(of: CChar.self, capacity: Int(capacity) + 1) { buffer in
    buffer.initialize(repeating: 0)
    var length: Int32 = 0
    guard let base = buffer.baseAddress, fill(base, &length) == cmpi_success() else { return nil }
    return String(decoding: buffer.prefix(Int(length)).map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }
}
