/// What went wrong with a tensor file: one sentence that names the file, what was found, and what to do.
public struct TensorFileError: Error, Sendable, Hashable, CustomStringConvertible {
  /// The kinds of trouble, which callers map to exit codes.
  public enum Kind: Sendable, Hashable {
    /// The system refuses to open or read the file.
    case cannotRead
    /// The file breaks the rules of its format: truncated, damaged, or made to deceive.
    case malformed
    /// The file is sound, but holds another tensor, shape or type than asked for.
    case doesNotFit
    /// The system refuses to write, flush or rename the file.
    case cannotWrite
  }

  public let kind: Kind
  public let path: String
  public let description: String

  init(_ kind: Kind, _ path: String, _ found: String, _ remedy: String) {
    self.kind = kind
    self.path = path
    description = "\(path): \(found); \(remedy)."
  }

  static func malformed(_ path: String, _ found: String) -> TensorFileError {
    TensorFileError(.malformed, path, found, "copy or export the file again")
  }

  static func cannotRead(_ path: String, _ doing: String, errno code: Int32) -> TensorFileError {
    TensorFileError(.cannotRead, path, "cannot \(doing) it (\(errnoText(code)))", "check the path and its permissions")
  }

  static func cannotWrite(_ path: String, _ doing: String, errno code: Int32) -> TensorFileError {
    TensorFileError(
      .cannotWrite, path, "cannot \(doing) (\(errnoText(code)))", "check the path, its permissions and the free space")
  }
}

/// A shape from a file, cut to what fits a line.
func brief(_ shape: [Int]) -> String {
  shape.count <= 12 ? "\(shape)" : "[" + shape.prefix(12).map { "\($0), " }.joined() + "… (\(shape.count) extents)]"
}

/// A name from a file, quoted, with control characters escaped and cut to what fits a line.
func quoted(_ name: String) -> String {
  name.count <= 100 ? name.debugDescription : String(name.prefix(100)).debugDescription + "…"
}
