import ArgumentParser
import Collectives

struct SimulateCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "simulate",
    abstract: "Predict sums, steps and stragglers on a modelled network of up to 16,384 ranks.",
    discussion: """
      The schedules are those that training carries out; docs/simulator.md has the model and how far to trust it.

        swift-dp-train simulate all-reduce --ranks 2048 --network 25gbit --ranks-per-node 4
        swift-dp-train simulate step --model resnet50 --compute 400ms --ranks 8,64,512
        swift-dp-train simulate stragglers --compute 400ms --ranks 64,1024 --delay random:100
      """,
    subcommands: [SimulateAllReduceCommand.self, SimulateStepCommand.self, SimulateStragglersCommand.self])
}

/// Refuses `--shards-per-group` where no algorithm has groups.
///
/// - Parameter flag: that gives the algorithms.
func checkGroups(_ shardsPerGroup: Int?, _ algorithms: [AllReduceAlgorithm], flag: String) throws {
  guard let shardsPerGroup, !algorithms.contains(where: { $0 == .hierarchical || $0 == .torus }) else { return }
  throw invalid(
    "--shards-per-group \(shardsPerGroup) with \(flag) \(algorithms.map(\.rawValue).joined(separator: ","))",
    "give \(flag) hierarchical or torus, or leave it out")
}
