/// One run of a comparison, as far as it has come.
public struct ComparedRun: Sendable {
  public var name: String
  public var seed: UInt64
  /// The resolved settings, as `config.yaml` has them.
  public var settings: String
  public var state: State
  public var curve: RunCurve

  public enum State: Sendable, Hashable {
    /// Not begun, or to be gone on with.
    case waiting
    case finished
    case failed(RunFailure)
  }

  public init(name: String, seed: UInt64, settings: String, state: State, curve: RunCurve) {
    (self.name, self.seed, self.settings, self.state, self.curve) = (name, seed, settings, state, curve)
  }

  /// The name of its directory, and of its line on the screen.
  public var label: String { Self.label(name, seed) }

  static func label(_ name: String, _ seed: UInt64) -> String { "\(name)-seed\(seed)" }

  var failure: RunFailure? { if case .failed(let failure) = state { failure } else { nil } }
}

/// Why a run of a comparison has ended before its end.
public struct RunFailure: Codable, Sendable, Hashable {
  /// The exit code that it would have ended a job of its own with.
  public var code: Int32
  public var sentence: String

  public init(code: Int32, sentence: String) { (self.code, self.sentence) = (code, sentence) }

  /// Whether the run would fail again in the same way.
  var isFinal: Bool { code == ExitCode.diverged.rawValue }
}
