import Datasets
import Foundation
import Models
import Testing

/// Twenty steps of training against PyTorch, from the same start over the same batches.
///
/// The truth is PyTorch in 64-bit floats. Losses agree to a part in 10⁴, and a tensor's error in the L2 norm is at most
/// 2·10⁻³ of its change; where rounding grows faster than that, we may be twice as far from the truth as PyTorch's own
/// run in 32-bit floats.
@Suite(.serialized) struct ParityTests {
  /// Batches that keep the growth of rounding low: with 64 samples PyTorch's own 32-bit run of `cnn` misses the limits.
  static let cases = [
    ParityCase(.mlp, batchSize: 64, shards: 2),
    ParityCase(.lenet5, batchSize: 256, shards: 4),
    ParityCase(.cnn, batchSize: 256, shards: 4),
    ParityCase(.resnet18CIFAR, batchSize: 32, shards: 2),
    ParityCase(.resnet20CIFAR, batchSize: 32, shards: 2, images: small),
    ParityCase(.resnet18, batchSize: 32, shards: 2, images: small),
    ParityCase(.resnet34, batchSize: 16, shards: 2, images: small),
    ParityCase(.resnet50, batchSize: 16, shards: 2, images: small, learningRate: 1e-3),
    ParityCase(.resnext50, batchSize: 16, shards: 2, images: small, learningRate: 1e-3),
    ParityCase(.densenet121, batchSize: 16, shards: 2, images: small),
    ParityCase(.mobilenetV1, batchSize: 32, shards: 2, images: small, learningRate: 1e-3),
    ParityCase(.mobilenetV2, batchSize: 32, shards: 2, images: small, learningRate: 1e-3),
    ParityCase(.shufflenetV2, batchSize: 32, shards: 2, images: small),
    vgg16(steps: 5, learningRate: 1e-3),
  ]

  /// Twenty steps of 134 million parameters take a minute. With the rate above PyTorch's own 32-bit run leaves the truth within
  /// ten of them.
  static let longCases = [vgg16(steps: 20, learningRate: 2e-4)]

  private static func vgg16(steps: Int, learningRate: Double) -> ParityCase {
    ParityCase(
      .vgg16, batchSize: 2, shards: 2, images: ImageShape(channels: 3, height: 224, width: 224),
      learningRate: learningRate, steps: steps)
  }

  private static let small = ImageShape(channels: 3, height: 32, width: 32)

  private static let environment = ProcessInfo.processInfo.environment
  private static let isLong = environment["SWIFT_DP_TRAIN_LONG_TESTS"] == "1"

  /// Those that PyTorch trains in seconds, in 64-bit floats too; all with SWIFT_DP_TRAIN_LONG_TESTS=1. With
  /// SWIFT_DP_TRAIN_PARITY_MODEL those of one model.
  static let liveCases: [ParityCase] = {
    if let model = environment["SWIFT_DP_TRAIN_PARITY_MODEL"] {
      return (cases + longCases).filter { $0.model.rawValue == model }
    }
    return isLong ? cases + longCases : Array(cases.prefix(4))
  }()

  @Test func everyModelIsAmongTheCases() {
    #expect(Set(Self.cases.map(\.model)) == Set(ModelName.allCases))
  }

  /// Against numbers that PyTorch left in the repository.
  @Test(arguments: isLong ? cases + longCases : cases) func agreesWithStoredNumbers(_ example: ParityCase) throws {
    let reference = try ParityReference(stored: example)
    let inputs = try ParityInputs(example)
    let ours = try TrainedModel(example, inputs)
    let errors = ours.tensors.map { name, end in
      (name, reference.sampledError(name, end: end, start: inputs.start[name] ?? []))
    }
    expectParity(reference.summary, losses: ours.losses, errors: errors)
  }

  /// Against PyTorch itself, every element. SWIFT_DP_TRAIN_RECORD=1 makes its numbers the stored ones.
  @Test(
    .enabled(if: PyTorch.python != nil, "needs PyTorch: python3 with it, or SWIFT_DP_TRAIN_PYTHON"),
    arguments: liveCases)
  func agreesWithPyTorch(_ example: ParityCase) throws {
    let inputs = try ParityInputs(example)
    let truth = try TrainedModel(example, inputs, dtype: "float64")
    let float32 = try ["contiguous", "channels-last"].map {
      try TrainedModel(example, inputs, dtype: "float32", memoryFormat: $0)
    }
    let reference = ParityReference(truth, float32: float32, start: inputs.start)
    if ProcessInfo.processInfo.environment["SWIFT_DP_TRAIN_RECORD"] == "1" { try reference.store(example) }

    let ours = try TrainedModel(example, inputs)
    let errors = try truth.tensors.map { name, end in (name, distance(end, try #require(ours.tensors[name]))) }
    expectParity(reference.summary, losses: ours.losses, errors: errors)
  }
}

func expectParity(
  _ reference: ParityReference.Summary, losses: [Double], errors: [(String, Double)],
  sourceLocation: SourceLocation = #_sourceLocation
) {
  #expect(losses.count == reference.losses.count, sourceLocation: sourceLocation)
  // Rounding grows from step to step, not evenly: what one step shows goes for the next ones.
  var float32Error = 0.0
  for (step, (ours, truth)) in zip(losses, reference.losses).enumerated() {
    float32Error = max(float32Error, reference.float32LossErrors[step])
    #expect(
      abs(ours - truth) <= max(1e-4 * truth, 2 * float32Error),
      "loss of step \(step): \(ours), PyTorch has \(truth), in 32 bits off by \(float32Error)",
      sourceLocation: sourceLocation)
  }

  #expect(Set(errors.map(\.0)) == Set(reference.tensors.keys), sourceLocation: sourceLocation)
  for (name, error) in errors {
    guard let tensor = reference.tensors[name] else { continue }
    #expect(
      error <= max(2e-3 * tensor.change, 2 * tensor.float32Error),
      "\(name): error \(error), change \(tensor.change), error of PyTorch in 32 bits \(tensor.float32Error)",
      sourceLocation: sourceLocation)
  }
}
