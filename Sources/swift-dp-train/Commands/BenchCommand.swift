import ArgumentParser

struct BenchCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "bench",
    abstract: "Measure the speed of a step, of the sum of gradients, of its compression or of the data path.",
    subcommands: [
      BenchStepCommand.self, BenchAllReduceCommand.self, BenchCodecCommand.self, BenchDataCommand.self,
    ])
}
