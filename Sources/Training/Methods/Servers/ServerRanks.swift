import MPI
import Optimizers

/// Which ranks of a job work and which are parameter servers, and what part of the parameters each server has.
struct ServerRanks {
  let workers: Int
  /// Of each server: the elements of the flat vectors that are its own, and their blocks. Running statistics belong to the
  /// server between whose blocks they lie.
  let parts: [UpdateLayout.Part]

  /// Whether servers take what workers push, rather than workers.
  private let serversTake: Bool

  /// The last `servers` ranks have equal numbers of whole blocks.
  ///
  /// - Parameter count: elements of a flat vector.
  init(ranks: Int, servers: Int, _ layout: UpdateLayout, count: Int) {
    (workers, serversTake) = (ranks - servers, true)
    parts = (0..<servers).map { layout.part($0, of: servers, in: 0..<count) }
  }

  /// The last rank is a coordinator and keeps nothing.
  init(coordinatorBehind workers: Int) {
    (self.workers, serversTake) = (workers, false)
    parts = [UpdateLayout([]).part(0, of: 1, in: 0..<0)]
  }

  var servers: Int { parts.count }

  /// The ranks that take what is pushed.
  var takers: Range<Int> { serversTake ? workers..<workers + servers : 0..<workers }

  /// The number of a rank among the servers; nil for a worker.
  func server(_ rank: Int) -> Int? { rank < workers ? nil : rank - workers }

  /// The rank of a server.
  func rank(ofServer server: Int) -> Int { workers + server }

  /// What each rank holds of a vector that the servers share out.
  var partsOfRanks: [Range<Int>] { Array(repeating: 0..<0, count: workers) + parts.map(\.elements) }
}
