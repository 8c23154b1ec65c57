import Collectives
import Compression
import Datasets
import Engine

/// What the ranks of a run keep in memory, in bytes; code and libraries (some 100 MiB) come on top. Of what the ranks of a node
/// have together each is counted an equal part.
public struct MemoryNeed: Sendable {
  /// One rank's share.
  public struct Rank: Sendable, Hashable {
    public var parameters = 0
    public var optimizer = 0
    /// One vector for each hosted shard, and one for each worker that accumulates micro-batches.
    public var gradients = 0
    /// What the sum over all shards arrives in; nothing where it takes the place of gradients.
    public var sum = 0
    /// Activations and kernels' scratch, one arena for each worker, with room for a block of evaluation.
    public var arenas = 0
    /// Batches that are read ahead.
    public var batches = 0
    /// The data set, which each rank holds.
    public var data = 0
    /// The copy of the state that is being saved: rank 0 holds it, and it is counted in equal parts for the ranks of a node.
    public var checkpoint = 0
    /// What hosted shards keep, and what they work with besides, where the method is not plain synchronous SGD.
    public var method = 0

    public var total: Int {
      parameters + optimizer + gradients + sum + arenas + batches + data + checkpoint + method
    }
  }

  private let vector: Int
  private let slots: Int
  private let arena: Int
  private let accumulates: Bool
  private let batch: Int
  private let data: Int
  private let shards: Int
  private let threadsPerShard: Int
  private let cores: Int
  private let sharing: Sharing
  /// Vectors of partial sums where messages are sent.
  private let scratch: Int
  /// Vectors of the method: that each shard keeps, and that it works with besides.
  private let ofShard: Int
  private let besides: Int
  /// Bytes of a shard's encodings at their longest, and whether every rank has those of all shards at once.
  private let encoded: (bytes: Int, isGathered: Bool)
  /// Ranks that are servers, and vectors that each keeps of its part for a worker; of a worker, those that are on their way.
  private let servers: Int
  private let forWorker: Int
  private let fewestWorkers: Int
  private let onTheirWay: Int

  /// - Parameters:
  ///   - kernels: for the recipe's batch sizes.
  ///   - slots: optimizer slots.
  ///   - needs: of the method.
  ///   - cores: of a node.
  init(
    kernels: ExecutionPlan, slots: Int, needs: RunVectors.Needs, recipe: Recipe, data: TrainingData,
    resources: Resources, cores: Int,
    sharing: Sharing
  ) {
    let images = data.extents.count
    let plan = data.plan(recipe)
    let largest = plan.shardBatchSizes(of: resources.shards).first ?? 0
    vector = 4 * kernels.parameterLayout.count
    self.slots = slots
    let evaluated = min(recipe.evaluationBlock, data.evaluation.count, max(recipe.microBatches(largest).max() ?? 0, 16))
    arena = kernels.arenaBytes + 4 * (images + 1) * evaluated
    accumulates = recipe.microBatches(largest).count > 1
    // Three buffers of images, labels and ids.
    batch = 3 * largest * 4 * (images + 2)
    let sets = data.evaluatesHeldOut ? [data.train] : [data.train, data.evaluation]
    let held = data.evaluatesHeldOut ? data.evaluation.count : 0
    self.data = (sets.reduce(0) { $0 + $1.count } + held) * (images + 4)
    shards = resources.shards
    threadsPerShard = resources.threadsPerShard
    self.cores = cores
    scratch = recipe.allReduce == .auto ? 0 : recipe.allReduce.mostScratchVectors
    ofShard = needs.shardSlots.count { !$0.isNumber }
    servers = recipe.serverRanks
    fewestWorkers = recipe.method.hasWorkerPerShard ? resources.shards : 1
    forWorker = recipe.method.isGossip ? 0 : 2
    // A gradient that is pushed; or parameters there and the difference back; or two copies and what arrives.
    onTheirWay = recipe.method.isGossip ? 3 : recipe.method.pushesGradients ? 1 : 2
    // A codec's order of elements, or the parameters before a meeting.
    besides = recipe.usesReducer ? 0 : 1
    encoded =
      recipe.codec.map { codec in
        let members = CompressedTensors(kernels.parameterLayout, codec.codec) { _ in false }.compressed
        return codec.longestEncodings(of: members.map(\.tensor))
      } ?? (0, false)
    self.sharing =
      needs.ownSum
      ? Sharing(sharing.transport, .replicated, sharing.overlap)
      : !recipe.allReduce.isReproducible ? Sharing(.messages) : sharing
  }

  /// Of a rank that hosts the most shards in a job of `ranks`, of which `ranksOnNode` share a node.
  public func rank(of ranks: Int, ranksOnNode: Int) -> Rank {
    if servers > 0 { return rankBesideServers(of: ranks, ranksOnNode: ranksOnNode) }
    let hosted = (shards + ranks - 1) / ranks
    let workers = max(1, min(hosted, max(1, cores / ranksOnNode) / threadsPerShard))
    // Memory is shared where a node has several ranks.
    let sharers = ranksOnNode > 1 && sharing.transport != .messages ? ranksOnNode : 1
    let owners = sharing.update == .sliced ? sharers : 1
    func each(_ bytes: Int, of owners: Int) -> Int { (bytes + owners - 1) / owners }
    let ownSum = owners > 1 ? 0 : vector
    let sumOfNodes = sharers > 1 && sharers < ranks ? each(vector, of: sharers) : 0
    return Rank(
      parameters: each(vector, of: owners), optimizer: each(slots * vector, of: owners),
      gradients: vector * (hosted + (accumulates ? workers : 0) + (sharers < ranks ? scratch : 0)),
      sum: ownSum + sumOfNodes, arenas: workers * arena, batches: hosted * batch, data: data,
      checkpoint: each((1 + slots + shards * ofShard) * vector, of: ranksOnNode),
      method: hosted * (ofShard + besides) * vector + encodings(hosted: hosted))
  }

  /// What travels of a codec (`MessageExchange`, `UnitExchange`).
  private func encodings(hosted: Int) -> Int {
    // Messages of all shards, with a quarter more for those that grow; or units on their way out, and in, and their sums.
    encoded.isGathered
      ? encoded.bytes * hosted + encoded.bytes * shards / 4 * 5 : encoded.bytes * (2 * hosted + 1)
  }

  /// Of a worker or a server, whichever has more of each: a worker works at one part after the other and keeps what its shard keeps
  /// and what is on its way; a server has what is pushed and what is fetched of its part for each worker.
  private func rankBesideServers(of ranks: Int, ranksOnNode: Int) -> Rank {
    let workers = max(1, ranks - servers)
    let ofServer = (forWorker * workers * vector + servers - 1) / servers
    let ofWorker = vector * (ofShard + onTheirWay)
    return Rank(
      parameters: vector, optimizer: slots * vector, gradients: vector * (accumulates ? 2 : 1), arenas: arena,
      batches: batch / 3, data: data,
      checkpoint: ((1 + slots + shards * ofShard) * vector + ranksOnNode - 1) / ranksOnNode,
      method: max(ofWorker, ofServer))
  }

  /// The smallest number of ranks, at most `ranksOnNode` of them on a node, whose memory fits into `usable` bytes of each
  /// node; nil where even a rank for each shard does not fit.
  public func fewestRanks(ranksOnNode: Int, usable: Int) -> Int? {
    (fewestWorkers + servers...shards + servers).first { ranks in
      let together = min(ranks, ranksOnNode)
      return together * rank(of: ranks, ranksOnNode: together).total <= usable
    }
  }
}
