import Glibc
import TensorFiles
import Testing

@Suite struct WritingTests {
  static var sources: [TensorSource] {
    [
      TensorSource(name: "steps", shape: [], integers: [12]),
      TensorSource(name: "b.weight", shape: [2, 3], values: [0, 0.25, 0.5, 0.75, 1, 1.25]),
      TensorSource(name: "a.bias", shape: [1], values: [-1]),
    ]
  }

  @Test func sameBytesAsTheSafetensorsLibrary() throws {
    let directory = TemporaryDirectory()
    let path = "\(directory.path)/written.safetensors"
    try SafetensorsFile.write(Self.sources, metadata: ["format": "pt"], to: path)
    #expect(contents(of: path) == contents(of: reference("written.safetensors")))
  }

  @Test func roundTrips() throws {
    let directory = TemporaryDirectory()
    let path = "\(directory.path)/round.safetensors"
    let names = ["", "a", "a\u{0}b", "quote \" backslash \\ slash / newline \n", "größe", "😀", "Z", "z"]
    for shape in [[], [0], [1], [3, 0, 2], [2, 3], [1, 1, 1, 1, 5]] {
      let count = shape.reduce(1, *)
      let values = (0..<count).map { Float(bitPattern: UInt32($0) &* 0x9E37_79B9) }
      let sources = names.map { TensorSource(name: $0, shape: shape, values: values) }
      let metadata = ["plan": "rules", "a \"key\"": "\u{1F}\t", "": ""]
      try SafetensorsFile.write(sources, metadata: metadata, to: path)
      let file = try SafetensorsFile(path: path)
      #expect(file.metadata == metadata)
      #expect(file.tensors.map(\.name) == ["", "Z", "a", "a\u{0}b", "größe", names[3], "z", "😀"])
      for name in names {
        #expect(file.tensor(named: name)?.shape == shape)
        #expect(try file.floats(name).map(\.bitPattern) == values.map(\.bitPattern))
      }
      let header = contents(of: path)[..<8].reversed().reduce(0) { $0 << 8 | Int($1) }
      #expect(header % 8 == 0)
    }
  }

  @Test func piecesOfAnySize() throws {
    let directory = TemporaryDirectory()
    let values = (0..<1000).map { Float($0) }
    var files: [[UInt8]] = []
    for pieceSize in [1, 7, 999, 1000] {
      let source = TensorSource(name: "a", shape: [10, 100]) { emit in
        try values.withUnsafeBufferPointer { all in
          for start in stride(from: 0, to: 1000, by: pieceSize) {
            try emit(UnsafeBufferPointer(rebasing: all[start..<min(start + pieceSize, 1000)]))
          }
        }
      }
      try SafetensorsFile.write([source], to: "\(directory.path)/pieces")
      files.append(contents(of: "\(directory.path)/pieces"))
      #expect(
        try tensorsDigest([source]) == tensorsDigest([TensorSource(name: "a", shape: [10, 100], values: values)]))
    }
    #expect(Set(files).count == 1)
  }

  @Test func anErrorMidwayLeavesTheOldFileAndNothingElse() throws {
    struct Interrupted: Error {}
    let directory = TemporaryDirectory()
    let path = "\(directory.path)/model.safetensors"
    try SafetensorsFile.write(Self.sources, to: path)
    let before = contents(of: path)
    let failing = TensorSource(name: "a", shape: [2]) { emit in
      try [Float(1)].withUnsafeBufferPointer(emit)
      throw Interrupted()
    }
    #expect(throws: Interrupted.self) { try SafetensorsFile.write([failing], to: path) }
    #expect(contents(of: path) == before)
    #expect(directory.names == ["model.safetensors"])
  }

  @Test func temporaryNamesThatAreTakenAreLeftAlone() throws {
    let directory = TemporaryDirectory()
    let stale = "\(directory.path)/.f.\(getpid())-0.temporary"
    try AtomicFile.write([1], to: stale)
    try AtomicFile.write([2], to: "\(directory.path)/f")
    #expect(contents(of: stale) == [1] && contents(of: "\(directory.path)/f") == [2])
    #expect(directory.names.count == 2)
  }

  /// The file that a link leads to is replaced, beside itself; the link stays.
  @Test func linksAreFollowed() throws {
    let directory = TemporaryDirectory()
    let other = TemporaryDirectory()
    let file = "\(other.path)/file"
    try AtomicFile.write([1], to: file)
    let links = [
      ("absolute", file), ("relative", "../\(other.path.dropFirst("/tmp/".count))/file"), ("second", "absolute"),
    ]
    for (index, (name, target)) in links.enumerated() {
      let link = "\(directory.path)/\(name)"
      try #require(symlink(target, link) == 0)
      let bytes = [UInt8(index + 2), 0, 255]
      try AtomicFile.write(bytes, to: link)
      #expect(contents(of: file) == bytes, "\(name)")
    }
    #expect(directory.names == links.map { $0.0 }.sorted())
    #expect(other.names == ["file"])
    for (name, _) in links { #expect(kind(of: "\(directory.path)/\(name)") == S_IFLNK, "\(name)") }

    // To a file that is not there yet.
    let early = "\(other.path)/early"
    try #require(symlink("new", early) == 0)
    try SafetensorsFile.write(Self.sources, metadata: ["format": "pt"], to: early)
    #expect(contents(of: "\(other.path)/new") == contents(of: reference("written.safetensors")))
    #expect(other.names == ["early", "file", "new"])
    #expect(kind(of: early) == S_IFLNK)

    // And to itself.
    let loop = "\(directory.path)/loop"
    try #require(symlink("loop", loop) == 0)
    let error = #expect(throws: TensorFileError.self) { try AtomicFile.write([1], to: loop) }
    #expect(error?.kind == .cannotWrite && error?.path == loop)
  }

  /// No file takes their place.
  @Test func devicesAndPipesAreWrittenTo() throws {
    let directory = TemporaryDirectory()
    let pipe = "\(directory.path)/pipe"
    try #require(mkfifo(pipe, 0o600) == 0)
    // So that nobody has to wait for a reader.
    let reader = open(pipe, O_RDONLY | O_NONBLOCK)
    defer { close(reader) }
    try AtomicFile.write([3, 1, 4], to: pipe)
    var bytes = [UInt8](repeating: 0, count: 16)
    let count = read(reader, &bytes, bytes.count)
    #expect(count == 3 && bytes[..<3] == [3, 1, 4])
    #expect(kind(of: pipe) == S_IFIFO)

    // By links, so that a mistake here costs the machine no device.
    let (null, full) = ("\(directory.path)/null", "\(directory.path)/full")
    try #require(symlink("/dev/null", null) == 0 && symlink("/dev/full", full) == 0)
    try AtomicFile.write([1], to: null)
    let error = #expect(throws: TensorFileError.self) { try AtomicFile.write([1], to: full) }
    #expect(
      error?.description
        == full + ": cannot write to it (No space left on device); check the path, its permissions and the free space.")
    #expect(directory.names == ["full", "null", "pipe"])
    #expect(kind(of: full) == S_IFLNK && kind(of: null) == S_IFLNK)
  }

  private func kind(of path: String) -> mode_t {
    var status = stat()
    return lstat(path, &status) == 0 ? status.st_mode & S_IFMT : 0
  }

  // In a process of its own, because the limit on the size of files is one for the whole process.
  @Test func aDiskThatTakesNoMoreLeavesNothing() async {
    await #expect(processExitsWith: .success) {
      signal(SIGXFSZ, SIG_IGN)
      var limit = rlimit(rlim_cur: 5000, rlim_max: 5000)
      setrlimit(__rlimit_resource_t(RLIMIT_FSIZE.rawValue), &limit)
      let directory = TemporaryDirectory()
      let path = "\(directory.path)/model.safetensors"
      let error = #expect(throws: TensorFileError.self) {
        try SafetensorsFile.write(
          [TensorSource(name: "a", shape: [2000], values: Array(repeating: 1, count: 2000))], to: path)
      }
      #expect(
        error?.description
          == path + ": cannot write to it (File too large); check the path, its permissions and the free space.")
      #expect(directory.names == [])
    }
  }

  @Test func unwritablePaths() {
    for path in ["/nowhere/model.safetensors", "/proc/model.safetensors", "/dev/full/model", "/tmp/"] {
      do {
        try SafetensorsFile.write(Self.sources, to: path)
        Issue.record("\(path) was written")
      } catch let error as TensorFileError {
        #expect(error.kind == .cannotWrite && error.path.hasPrefix(path), "\(error)")
      } catch { Issue.record(error) }
    }
  }
}

@Suite struct DigestTests {
  @Test func sha256OfPublishedMessages() {
    // FIPS 180-4's examples.
    #expect(
      SHA256.hash(Array("abc".utf8)).description == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
    #expect(
      SHA256.hash([]).description == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
    #expect(
      SHA256.hash([UInt8](repeating: 0x61, count: 1_000_000)).description
        == "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0")
  }

  @Test func sha256InPieces() {
    let bytes = (0..<200).map { UInt8($0) }
    for cut in 0...200 {
      var hash = SHA256()
      bytes.withUnsafeBytes { all in
        hash.update(UnsafeRawBufferPointer(rebasing: all[..<cut]))
        hash.update(UnsafeRawBufferPointer(rebasing: all[cut...]))
      }
      #expect(hash.finish() == SHA256.hash(bytes))
    }
  }

  @Test func digestOfTensors() throws {
    // Printed by Tests/References/tensors_digest.py for written.safetensors.
    #expect(
      try tensorsDigest(WritingTests.sources).description
        == "53e11fb44fecbde4e39662227da2b42f4ec5f38112aba8ac01518acfb008e0e1")
    #expect(try tensorsDigest(WritingTests.sources.reversed()) == tensorsDigest(WritingTests.sources))
    #expect(try tensorsDigest([]) == SHA256.hash([]))
  }

  @Test func everythingAboutATensorCounts() throws {
    func digest(_ name: String, _ shape: [Int], _ values: [Float]) throws -> SHA256.Digest {
      try tensorsDigest([TensorSource(name: name, shape: shape, values: values)])
    }
    let all = try Set([
      digest("a", [2, 1], [1, 2]), digest("b", [2, 1], [1, 2]), digest("a", [1, 2], [1, 2]), digest("a", [2], [1, 2]),
      digest("a", [2], [1, 3]), digest("a", [0], []), digest("a", [0, 0], []), digest("", [0], []),
      tensorsDigest([TensorSource(name: "a", shape: [1], integers: [0])]), digest("a", [2], [0, 0]),
      digest("a", [2], [0, -0.0]),
    ])
    #expect(all.count == 11)
  }
}
