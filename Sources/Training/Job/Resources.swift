import Collectives
import Determinism
import MPI

/// What each rank computes with, resolved once at the start of a job (numerics contract, rule 2).
public struct Resources: Sendable {
  /// S, the run's shards.
  public let shards: Int
  /// T, the threads of each shard, the same everywhere.
  public let threadsPerShard: Int
  public let placement: Placement
  /// Shards that this rank runs at once.
  public let workers: Int
  /// Cores that this rank may use.
  public let cores: [Int]
  public let hosts: Int
  public let ranksOnNode: Int

  /// Resolves shards and threads, and widens this rank's affinity to its share of the node. Collective.
  ///
  /// - Parameter servers: the last ranks, which host no shard.
  /// - Throws: 64 where there are more ranks than shards, or none but servers.
  public init(world: Communicator, shards: Int?, threadsPerShard: Int?, servers: Int = 0) throws {
    let workerRanks = world.size - servers
    let shardCount = shards ?? max(workerRanks, 1)
    try world.agree {
      guard workerRanks >= 1 else {
        throw TrainingError(
          .badConfiguration,
          "--servers \(servers) leaves none of \(count(world.size, "rank")) to work: start at least "
            + "\(count(servers + 1, "rank")), as with mpirun -np \(servers + 1), or lower --servers.")
      }
      guard shardCount >= workerRanks else {
        let beside = servers > 0 ? " beside \(count(servers, "server"))" : ""
        throw TrainingError(
          .badConfiguration,
          "\(workerRanks) ranks\(beside) cannot host \(count(shardCount, "shard")): start at most "
            + "\(count(shardCount, "rank"))\(beside), or raise --shards.")
      }
    }
    let node = try world.splitByNode()
    let all = Cores.ofNode()
    let byNode = all.count / node.size
    let least = try world.allReduce(byNode, .minimum)
    self.shards = shardCount
    self.threadsPerShard = threadsPerShard ?? (shards != nil ? 1 : max(1, least))
    placement = Placement(shards: shardCount, ranks: world.size, servers: servers)
    hosts = try world.nodeCount()
    ranksOnNode = node.size
    // With more ranks than cores every rank may use all of them, and the system shares them out.
    let isShared = all.count < node.size
    cores = isShared ? all.allowed : Array(all.allowed[part(node.rank, of: node.size, in: all.allowed.count)])
    Cores.bind(to: cores)
    let hosted = placement.shards(of: world.rank).count
    // Beside servers a rank works at one shard's part after the other.
    workers = servers > 0 ? 1 : max(1, min(hosted, (isShared ? 1 : max(1, byNode)) / self.threadsPerShard))
  }
}
