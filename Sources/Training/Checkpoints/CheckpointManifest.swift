import Foundation
import TensorFiles

extension Checkpoint {
  /// What a checkpoint says of itself.
  public struct Manifest: Codable, Sendable {
    /// The version of this form.
    public var format = Self.currentFormat
    public var step: Int
    public var epoch: Double
    /// The resolved settings, as `config.yaml` has them.
    public var configuration: String
    /// The digest of the data set; nil where it is not known.
    public var data: String?
    public var plan: String
    public var fingerprint: String
    public var stateSHA256: String
    /// The SHA-256 of each file beside the manifest, by name.
    public var files: [String: String]
    /// Of the last step.
    public var loss: Double
    public var best: Best?
    /// The choice of kernels as `plan.json` has it, where the run keeps one.
    public var kernels: String?
    /// Up to this step; nil in checkpoints of programs that did not count.
    public var totals: RunTotals?
    /// The SHA-256 of this text without this field.
    public private(set) var manifestSHA256: String?

    static let currentFormat = 2
    /// More than any manifest has; a plan of a thousand kernels takes a tenth of it.
    static let mostBytes = 1 << 24

    public init(
      step: Int, epoch: Double, configuration: String, data: String? = nil, plan: String, fingerprint: String,
      stateSHA256: String, files: [String: String] = [:], loss: Double, best: Best? = nil, kernels: String? = nil,
      totals: RunTotals? = nil
    ) {
      (self.step, self.epoch, self.configuration, self.data) = (step, epoch, configuration, data)
      (self.plan, self.fingerprint, self.stateSHA256, self.files) = (plan, fingerprint, stateSHA256, files)
      (self.loss, self.best, self.kernels, self.totals) = (loss, best, kernels, totals)
    }

    public struct Best: Codable, Sendable, Hashable {
      public var step: Int
      public var correct: Int
      /// Images evaluated; nil in manifests of programs that did not say.
      public var total: Int?
      public var loss: Double
      public init(step: Int, correct: Int, total: Int?, loss: Double) {
        (self.step, self.correct, self.total, self.loss) = (step, correct, total, loss)
      }
    }

    /// Shards and threads of each that the run has; 0 for what it does not say.
    var placement: (shards: Int, threads: Int) {
      let settings = RunChanges.lines(configuration)
      func number(_ key: String) -> Int { settings.first { $0.key == key }.flatMap { Int($0.value) } ?? 0 }
      return (number("shards"), number("threads-per-shard"))
    }

    /// The text of the file, with its own digest in it.
    func sealed() throws -> [UInt8] {
      var manifest = self
      manifest.manifestSHA256 = try digestWithoutItself()
      return try manifest.text()
    }

    private func digestWithoutItself() throws -> String {
      var manifest = self
      manifest.manifestSHA256 = nil
      return SHA256.hash(try manifest.text()).description
    }

    private func text() throws -> [UInt8] { Array(try RunDirectory.json(self, pretty: true)) }

    /// Reads a file that is exactly what `sealed` gives: nothing that a tolerant reader would pass over (a key twice, spaces,
    /// something after the end, a digit that changed) passes for a manifest.
    ///
    /// - Throws: 65 with what is wrong.
    init(path: String) throws {
      func fault(_ found: String) -> TrainingError {
        TrainingError(.badData, "\(path): \(found); take another checkpoint.")
      }
      guard let bytes = FileManager.default.contents(ofRegularFile: path, most: Self.mostBytes) else {
        throw TrainingError(.badData, "\(path): cannot be read; give the directory of a checkpoint.")
      }
      struct Format: Decodable { var format: Int }
      guard let format = try? decodeJSON(Format.self, from: bytes).format else {
        throw fault("is not the manifest of a checkpoint")
      }
      guard format == Self.currentFormat else {
        throw TrainingError(
          .badData,
          "\(path): has format \(format), this program reads \(Self.currentFormat); use the program that wrote it.")
      }
      guard let manifest = try? decodeJSON(Self.self, from: bytes) else {
        throw fault("is not the manifest of a checkpoint")
      }
      guard let seal = manifest.manifestSHA256, try manifest.digestWithoutItself() == seal,
        try manifest.text() == Array(bytes)
      else { throw fault("does not have the digest that it states of itself") }
      let names = manifest.files.keys.filter { $0.isEmpty || $0.hasPrefix(".") || $0.contains("/") }
      guard names.isEmpty else { throw fault("names a file that is not beside it") }
      guard manifest.step >= 0, manifest.files[Checkpoint.stateName] != nil else {
        throw fault("says nothing of \(Checkpoint.stateName)")
      }
      self = manifest
    }
  }
}

extension FileManager {
  /// All of a regular file of at most so many bytes; nil for anything else, which is not waited for.
  func contents(ofRegularFile path: String, most: Int) -> Data? {
    var status = stat()
    guard stat(path, &status) == 0, status.st_mode & S_IFMT == S_IFREG, status.st_size <= most else { return nil }
    return contents(atPath: path)
  }
}
