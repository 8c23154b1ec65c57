import ArgumentParser
import Foundation
import MPI
import Training

/// The command line: parse, validate, call `Training`, print.
@main
struct SwiftDPTrain: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "swift-dp-train",
    abstract: "Trains deep networks data-parallel over MPI, with the same bits on any number of ranks.",
    discussion: """
      Without a command it trains with all defaults: a convolutional network on Fashion-MNIST.

        swift-dp-train                        one rank, no launcher
        mpirun -np 4 swift-dp-train           four ranks
        swift-dp-train train --help           every setting of a run
      """,
    version: Version.text,
    subcommands: [
      TrainCommand.self, CompareCommand.self, EvaluateCommand.self, CheckCommand.self, DoctorCommand.self,
      ModelsCommand.self,
      CheckpointCommand.self, ReplayCommand.self, DataCommand.self, BenchCommand.self, SimulateCommand.self,
      SubmitCommand.self,
    ],
    defaultSubcommand: TrainCommand.self)

  /// Arguments are parsed on every rank, because no rank may leave before the others know why.
  static func main() { Foundation.exit(Job.run(Array(CommandLine.arguments.dropFirst()))) }
}

/// A command that every rank runs.
protocol JobCommand: ParsableCommand {
  /// Called before MPI starts.
  func prepare()
  /// Collective. - Returns: the exit code.
  func run(_ world: Communicator) throws -> Int32
}

extension JobCommand {
  func prepare() {}
}

/// How a command line becomes a job of one or more ranks.
enum Job {
  static func run(_ arguments: [String]) -> Int32 {
    let command: any ParsableCommand
    do {
      command = try SwiftDPTrain.parseAsRoot(joiningNegativeNumbers(arguments))
    } catch {
      let text = SwiftDPTrain.fullMessage(for: error)
      if SwiftDPTrain.exitCode(for: error) == .success {
        if isWriter { print(text) }
        return 0
      }
      return fail(TrainingError(.badConfiguration, sentence(text)))
    }
    guard let job = command as? any JobCommand else { return runLocally(command) }
    job.prepare()
    return withMPI { world in try job.run(world) }
  }

  /// `--seed -1` as `--seed=-1`: the parser takes `-1` for a flag and would call the value missing.
  static func joiningNegativeNumbers(_ arguments: [String]) -> [String] {
    var result: [String] = []
    for argument in arguments {
      if let flag = result.last, flag.hasPrefix("--"), !flag.contains("="), argument.hasPrefix("-"),
        argument.dropFirst().first?.isNumber == true
      {
        result[result.count - 1] = "\(flag)=\(argument)"
      } else {
        result.append(argument)
      }
    }
    return result
  }

  /// A command that needs no other rank: one rank runs it, and the others stay silent.
  private static func runLocally(_ command: any ParsableCommand) -> Int32 {
    guard isWriter else { return 0 }
    do {
      var command = command
      try command.run()
      return 0
    } catch let code as ArgumentParser.ExitCode {
      return code.rawValue
    } catch  where SwiftDPTrain.exitCode(for: error) == .success {
      // `--help` and `help` are commands whose result is thrown, and a command of commands asks for its help.
      print(SwiftDPTrain.fullMessage(for: error))
      return 0
    } catch {
      let error = TrainingError(error)
      JobFailure(error, rank: nil).print()
      return error.exitCode
    }
  }

  /// Ends all ranks with one error that all of them found.
  private static func fail(_ error: TrainingError) -> Int32 {
    withMPI { world in try world.agree { throw error } }
  }

  /// Before `MPI_Init` the launcher's variables tell which process writes.
  private static var isWriter: Bool { LaunchEnvironment.current.rank == 0 }

  /// The argument parser's message without its heading and usage, which `--help` shows.
  static func sentence(_ text: String) -> String {
    let lines = text.split(separator: "\n", omittingEmptySubsequences: true).prefix { !$0.hasPrefix("Usage:") }
      .filter { !$0.hasPrefix("Help:") }
    var sentence = lines.joined(separator: " ")
    if sentence.hasPrefix("Error: ") { sentence.removeFirst(7) }
    return sentence + (sentence.hasSuffix(".") || sentence.hasSuffix("?") ? "" : ".") + " See swift-dp-train --help."
  }
}
