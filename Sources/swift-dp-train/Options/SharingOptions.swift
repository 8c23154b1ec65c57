import ArgumentParser
import Training

/// How the ranks of a node work together. None of this changes a bit.
struct SharingOptions: ParsableArguments {
  @Option(
    help: """
      shared-memory, messages, or auto: shared memory within nodes that have several ranks and room for it, messages \
      between nodes (default: auto).
      """)
  var transport: String?
  @Option(
    help: """
      sliced: over shared memory the ranks have one set of parameters and update a part each; replicated: a set on each \
      rank (default: sliced).
      """)
  var update: String?

  @Option(
    help: """
      Sum gradients while the backward pass goes on: on, off, or auto: where there are several nodes (default: auto).
      """)
  var overlap: String?

  func sharing() throws -> Sharing {
    var sharing = Sharing()
    if let transport { sharing.transport = try known(transport, flag: "--transport") }
    if let update { sharing.update = try known(update, flag: "--update") }
    if let overlap { sharing.overlap = try known(overlap, flag: "--overlap") }
    return sharing
  }
}
