import Engine
import Foundation
import MPI

/// Where a run's choice of kernels comes from: the setting `--plan`.
public enum PlanSource: Sendable, Hashable, CustomStringConvertible {
  case rules
  case library
  /// Timed at the start of the run, and kept in its directory.
  case measured
  /// A file that another run has left.
  case file(String)

  public init(_ text: String) {
    switch text {
    case "rules": self = .rules
    case "library": self = .library
    case "measured": self = .measured
    default: self = .file(text)
    }
  }

  public var description: String {
    switch self {
    case .rules: "rules"
    case .library: "library"
    case .measured: "measured"
    case .file(let path): path
    }
  }
}

/// A choice of kernels as a file, `plan.json` of a run's directory.
public struct PlanFile: Codable, Sendable, Equatable {
  public static let name = "plan.json"
  static let currentFormat = 1

  var format = Self.currentFormat
  /// What it was measured on: with another one the same kernels give other bits, or are not there.
  var fingerprint: String
  /// What was chosen where a kernel of ours and one of the library's were to be had.
  var kernels: [String: KernelChoice.Kernel]

  init(_ choice: KernelChoice) {
    fingerprint = Fingerprint.ofThisMachine().description
    kernels = choice.exceptions
  }

  /// - Throws: as `init(text:path:)`, and 65 for a file that is missing.
  init(path: String) throws {
    guard let data = FileManager.default.contents(atPath: path) else {
      throw TrainingError(
        .badData, "--plan \(path): cannot be read; give rules, library, measured, or the plan.json of a run.")
    }
    try self.init(data, path: path)
  }

  /// - Throws: 65 for what is no plan, 64 for one of another machine.
  init(_ data: Data, path: String) throws {
    do { self = try decodeJSON(PlanFile.self, from: data) } catch {
      throw TrainingError(.badData, "--plan \(path): is not a plan; give the plan.json of a run with --plan measured.")
    }
    guard format == Self.currentFormat else {
      throw TrainingError(
        .badData, "--plan \(path): has format \(format), this program reads \(Self.currentFormat); measure anew.")
    }
    let here = Fingerprint.ofThisMachine()
    guard fingerprint == here.description else {
      throw TrainingError(
        .badConfiguration,
        "--plan \(path): was measured with \(here.differences(inLine: fingerprint)), where the same kernels give other bits "
          + "or are not there; measure anew with --plan measured.")
    }
  }

  var choice: KernelChoice { KernelChoice(.rules, exceptions: kernels) }

  func text() throws -> String { String(decoding: try RunDirectory.json(self, pretty: true), as: UTF8.self) + "\n" }
}

extension PlanSource {
  /// The choice, the same on all ranks: rank 0 reads or measures. Collective.
  ///
  /// - Parameters:
  ///   - stored: the plan that the run to go on with was started with, and where it was, on rank 0.
  ///   - measure: times kernels; called on rank 0 at most.
  /// - Returns: with the text of its file, where it is kept in one.
  func resolve(
    on world: Communicator, stored: (text: String, path: String)?, measure: () throws -> KernelChoice
  ) throws -> (choice: KernelChoice, file: String?) {
    switch self {
    case .rules: return (KernelChoice(.rules), nil)
    case .library: return (KernelChoice(.library), nil)
    case .measured, .file:
      let own: String = try world.agree {
        guard world.rank == 0 else { return "" }
        if let stored { return try PlanFile(Data(stored.text.utf8), path: stored.path).text() }
        if case .file(let path) = self { return try PlanFile(path: path).text() }
        return try PlanFile(try classifying { try measure() }).text()
      }
      let text = try world.broadcast(own)
      return (try decodeJSON(PlanFile.self, from: Data(text.utf8)).choice, text)
    }
  }
}
