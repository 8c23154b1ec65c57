import ArgumentParser
import MPI
import Training

struct DoctorCommand: JobCommand {
  static let configuration = CommandConfiguration(
    commandName: "doctor", abstract: "Show what this machine has, and what to do where something is wrong.",
    discussion:
      "What needs doing stands in lines that begin with \"fix:\". Under mpirun all hosts of the job are asked.")

  @Flag(name: .customLong("json"), help: "Print JSON.") var printsJSON = false

  func run(_ world: Communicator) throws -> Int32 {
    let diagnosis = try Diagnosis(world)
    try world.agree {
      guard world.rank == 0 else { return }
      show(printsJSON ? [try json(diagnosis)] : lines(diagnosis))
    }
    return ExitCode.done.rawValue
  }

  private func lines(_ diagnosis: Diagnosis) -> [String] {
    let machine = diagnosis.machine
    var facts = Facts()
    facts.add("program", "swift-dp-train \(machine.version), built by Swift \(machine.swift)")
    facts.add("MPI", machine.mpiLibrary)
    facts.add("", "header of \(machine.mpiHeader), standard \(machine.mpiStandard), threads \(machine.mpiThreadLevel)")
    let total = "\(count(diagnosis.ranks, "rank")) on \(count(diagnosis.hosts.count, "host"))"
    facts.add(
      "ranks",
      ["\(total), \(machine.launcher)"]
        + diagnosis.hosts.map { "\($0.name): \(ranges($0.ranks)), \(count($0.cores, "core"))" })
    let library = machine.onednnLibrary.map { ", \($0)" } ?? ""
    facts.add("oneDNN", "\(machine.onednnVersion), \(machine.onednnInstructionSet)\(library)")
    facts.add("own loops", machine.ownInstructionSet)
    facts.add("processor", machine.processor)
    facts.add(
      "cores",
      "\(machine.coresAllowed) allowed on the node, this process is bound to \(machine.coresBound), "
        + (machine.coresQuota.map { "\(count($0, "core")) of time granted" } ?? "no limit of time"))
    facts.add(
      "memory",
      size(machine.memoryBytes) + (machine.memoryLimitBytes.map { ", limited to \(size($0))" } ?? ", no limit"))
    facts.add("/dev/shm", size(machine.sharedMemoryBytes))
    facts.add(
      "OpenMP", machine.openmpLibraries.joined(separator: ", ") + ", teams of \(machine.openmpThreads) unless told")
    facts.add("C library", machine.cLibrary)
    facts.add("data", machine.fashionMnist.map { "Fashion-MNIST in \($0)" } ?? "Fashion-MNIST is not installed")
    facts.add("start", diagnosis.launch)
    return facts.lines + diagnosis.fixes.map { "fix: \($0)" }
  }

  /// ranks 0–3, 8
  private func ranges(_ ranks: [Int]) -> String {
    var runs: [ClosedRange<Int>] = []
    for rank in ranks {
      if let last = runs.last, last.upperBound + 1 == rank {
        runs[runs.count - 1] = last.lowerBound...rank
      } else {
        runs.append(rank...rank)
      }
    }
    let texts = runs.map { $0.count == 1 ? "\($0.lowerBound)" : "\($0.lowerBound)–\($0.upperBound)" }
    return (ranks.count == 1 ? "rank " : "ranks ") + texts.joined(separator: ", ")
  }
}
