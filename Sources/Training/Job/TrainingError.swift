import Compression
import Datasets
import Engine
import MPI
import Optimizers
import TensorFiles

/// The exit codes of a job (docs/launching.md). Scripts depend on them.
public enum ExitCode: Int32, Sendable {
  case done = 0
  case badConfiguration = 64
  case badData = 65
  case hang = 70
  case rankFailed = 71
  case diverged = 72
  case cannotWrite = 74
  case savedOnRequest = 75
  case launchProblem = 78
}

/// An error that ends a job with a sentence and an exit code.
public struct TrainingError: JobError, CustomStringConvertible, Sendable {
  public let description: String
  public let code: ExitCode
  public var exitCode: Int32 { code.rawValue }

  public init(_ code: ExitCode, _ description: String) {
    self.code = code
    self.description = description
  }

  /// What an error of the modules below means for the job.
  public init(_ error: any Error) {
    switch error {
    case let error as TrainingError: self = error
    case let error as DataError: self.init(.badData, error.description)
    case let error as OptimizerError: self.init(.badConfiguration, error.description)
    case let error as CompressionError: self.init(.badConfiguration, error.description)
    case let error as TensorFileError:
      self.init(error.kind == .cannotWrite ? .cannotWrite : .badData, error.description)
    case let error as JobFailure: self.init(ExitCode(rawValue: error.exitCode) ?? .rankFailed, error.message)
    default: self.init(.rankFailed, String(describing: error))
    }
  }
}

/// Runs `body`; whatever it throws becomes the error that ends the job with the right code.
@discardableResult
func classifying<Result>(_ body: () throws -> Result) throws -> Result {
  do { return try body() } catch let failure as JobFailure { throw failure } catch { throw TrainingError(error) }
}
