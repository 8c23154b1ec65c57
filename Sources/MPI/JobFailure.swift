import Glibc

/// An error that knows the exit code its job ends with.
public protocol JobError: Error {
  var exitCode: Int32 { get }
}

/// How an error ends a job: its sentence and the exit code.
public struct JobFailure: JobError, Hashable, Sendable, CustomStringConvertible {
  /// The exit code of an error that does not say its own: a rank failed.
  public static let defaultExitCode: Int32 = 71
  /// The exit code of a job that cannot start under its launcher.
  public static let launchExitCode: Int32 = 78

  /// One sentence, or two, for the user.
  public var message: String
  public var exitCode: Int32
  /// The rank that found the error; nil before ranks are known.
  public var rank: Int?
  /// Whether every rank holds this same failure, so that one of them prints it and all end by themselves.
  public var isAgreed = false

  public init(message: String, exitCode: Int32, rank: Int? = nil) {
    self.message = message
    self.exitCode = exitCode
    self.rank = rank
  }

  /// The failure that an error means: its own exit code if it is a `JobError`, else 71; its description as the sentence.
  public init(_ error: any Error, rank: Int?) {
    if let failure = error as? JobFailure {
      self = failure
      self.rank = failure.rank ?? rank
    } else {
      let code = (error as? any JobError)?.exitCode ?? Self.defaultExitCode
      self.init(message: String(describing: error), exitCode: code, rank: rank)
    }
  }

  public var description: String { message }

  /// Writes the exit code and the sentence to standard error, as one line in one write so that lines of several ranks do not mix.
  public func print() {
    let line = Array("error (\(exitCode)): \(message)\n".utf8)
    _ = line.withUnsafeBytes { write(STDERR_FILENO, $0.baseAddress, $0.count) }
  }
}

extension Communicator {
  /// Runs `body` on every rank; if it throws on any, all ranks throw the failure of the lowest such rank. Collective.
  ///
  /// For what each rank finds out by itself, as while reading arguments and files at start. `body` calls no collective
  /// unless every rank's does: a rank that throws would leave the others waiting in it.
  public func agree<Result>(_ body: () throws -> Result) throws -> Result {
    var result: Result?
    var failure: JobFailure?
    do { result = try body() } catch { failure = JobFailure(error, rank: rank) }

    let lowest = try allReduce(failure == nil ? size : rank, .minimum)
    if lowest == size, let result { return result }

    var agreed = failure ?? JobFailure(message: "", exitCode: 0)
    agreed.message = try broadcast(agreed.message, root: lowest)
    var numbers = [Int(agreed.exitCode), agreed.rank ?? lowest]
    try broadcast(&numbers, root: lowest)
    agreed.exitCode = Int32(numbers[0])
    agreed.rank = numbers[1]
    agreed.isAgreed = true
    throw agreed
  }
}
