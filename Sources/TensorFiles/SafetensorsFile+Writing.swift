extension SafetensorsFile {
  /// Writes tensors to a safetensors file, which appears whole or not at all (`AtomicFile`).
  ///
  /// The order in the file is that of the safetensors library: wider elements first, so that each is aligned, then by
  /// name. Names must be unique and not `__metadata__`. Equal tensors and metadata give equal bytes.
  /// - Parameter goesOn: called after every tensor, and whenever 64 MiB more are on the disk.
  /// - Returns: the SHA-256 of the file's bytes.
  /// - Throws: `TensorFileError` of kind `.cannotWrite`, or what a source throws.
  @discardableResult
  public static func write(
    _ sources: [TensorSource], metadata: [String: String] = [:], to path: String, goesOn: () -> Void = {}
  ) throws -> SHA256.Digest {
    let ordered = sources.sorted {
      let (a, b) = ($0.description, $1.description)
      return a.type.size != b.type.size ? a.type.size > b.type.size : precedes(a.name, b.name)
    }
    let names = Set(sources.map(\.description.name))
    precondition(names.count == sources.count && !names.contains("__metadata__"), "names of tensors: \(names.sorted())")

    var file = try AtomicFile(path: path)
    var hash = SHA256()
    let header = SafetensorsHeader.encode(ordered.map(\.description), metadata: metadata)
    header.withUnsafeBytes { hash.update($0) }
    try file.append(header)
    var unflushed = 0
    for source in ordered {
      try source.forEachPiece {
        hash.update($0)
        try file.append($0)
        unflushed += $0.count
        if unflushed >= 64 << 20 {
          try file.flush()
          goesOn()
          unflushed = 0
        }
      }
      goesOn()
    }
    try file.commit()
    return hash.finish()
  }
}
