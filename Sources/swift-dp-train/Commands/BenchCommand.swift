import ArgumentParser

struct BenchCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "bench", abstract: "Measure the speed of steps, sums of gradients, codecs or the data path.",
    subcommands: [
      BenchStepCommand.self, BenchAllReduceCommand.self, BenchCodecCommand.self, BenchDataCommand.self,
    ])
}
