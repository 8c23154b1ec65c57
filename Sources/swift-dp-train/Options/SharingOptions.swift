import ArgumentParser
import Training

/// How the ranks of a node work together. None of this changes a bit.
struct SharingOptions: ParsableArguments {
  @Option(
    help: """
      shared-memory, messages, or auto: shared memory where all ranks are on one node that has room for it (default: \
      auto).
      """)
  var transport: String?
  @Option(
    help: """
      sliced: over shared memory the ranks have one set of parameters and update a part each; replicated: a set on each \
      rank (default: sliced).
      """)
  var update: String?

  func sharing() throws -> Sharing {
    var sharing = Sharing()
    if let transport { sharing.transport = try known(transport, flag: "--transport") }
    if let update { sharing.update = try known(update, flag: "--update") }
    return sharing
  }
}
