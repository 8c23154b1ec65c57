import Foundation
import TestSupport
import Testing

/// The same bits over hundreds of steps of real training: ten minutes on two cores, so it runs when asked for:
///
///     SWIFT_DP_TRAIN_LONG_TESTS=1 launch/test --filter LongEqualBitsTests
@Suite(
  .serialized,
  .enabled(
    if: ProcessInfo.processInfo.environment["SWIFT_DP_TRAIN_LONG_TESTS"] == "1",
    "takes ten minutes; set SWIFT_DP_TRAIN_LONG_TESTS=1"))
struct LongEqualBitsTests {
  static let everywhere = [1, 2, 3, 4].flatMap { [Launch.ranks($0), Launch.bound($0)] }

  static let cases = [
    EqualBitsTests.Case(
      "lenet5 on Fashion-MNIST", shards: 4, everywhere, [], "--model lenet5 --steps 200 --batch-size 250"),
    EqualBitsTests.Case("mlp on Fashion-MNIST", shards: 4, everywhere, [], "--model mlp --steps 200 --batch-size 250"),
    EqualBitsTests.Case(
      "cnn on Fashion-MNIST", shards: 4, (1...4).map(Launch.ranks), [], "--model cnn --steps 50 --batch-size 250"),
    EqualBitsTests.Case(
      "resnet18-cifar", shards: 4, (1...4).map(Launch.ranks), synthetic("3x32x32", train: 1000, test: 500),
      "--model resnet18-cifar --dropout 0.1 --steps 20 --batch-size 64"),
    EqualBitsTests.Case(
      "an epoch of Fashion-MNIST in five shards", shards: 5, (1...5).map(Launch.ranks), [],
      "--model mlp --epochs 1 --batch-size 256"),
    EqualBitsTests.Case(
      "an epoch of Fashion-MNIST in seven shards", shards: 7, (1...7).map(Launch.ranks), [],
      "--model mlp --epochs 1 --batch-size 256"),
  ]

  @Test(arguments: cases) func bitsAreEqual(_ example: EqualBitsTests.Case) throws {
    let reference = try record(example.arguments, .alone, timeLimit: 3600)
    print("\(example.name), no launcher: \(reference.summary)")
    for launch in example.launches {
      let other = try record(example.arguments, launch, timeLimit: 3600)
      let difference = other.difference(from: reference)
      #expect(difference == nil, "\(launch): \(difference ?? "")")
      print("\(example.name), \(launch): \(difference ?? "the same bits")")
    }
  }
}
