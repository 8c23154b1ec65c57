import ArgumentParser
import Collectives
import Models
import Training

/// The training step of `simulate`: a model's buckets, and how long a rank computes and updates.
struct SimulatedStepOptions: ParsableArguments {
  @Option(help: "A built-in model, as `models list` names it.") var model = "resnet50"
  @Option(help: "Time of forward and backward pass of a rank's batch, as 120ms.") var compute: String
  @Option(help: "Time of the update (default: 20 bytes a parameter at 10 GB/s).") var update: String?
  @Option(help: "Images as CxHxW (default: those that the model is known by).") var input: String?
  @Option(help: "Classes (default: as many as the model is known by).") var classes: Int?
  @Option(help: "Gradients that are summed together.") var bucketSize = "4MiB"

  func step() throws -> StepSimulation {
    let name: ModelName = try known(model, flag: "--model")
    let classes = classes ?? name.usualClasses
    try checkClasses(classes)
    guard let time = seconds(parsing: compute), time > 0 else {
      throw invalid("--compute \(compute)", "give a time above 0 with its unit (us, ms, s), as 120ms")
    }
    try check(time >= 1e-9, "--compute \(compute)", "give at least 1ns")
    guard let bucket = ByteCount(bucketSize), bucket.value >= 4 else {
      throw invalid("--bucket-size \(bucketSize)", "give a size as 4MiB, 512KiB or 65536")
    }
    let shape = try imageShape(input, of: name, flag: "--input")
    let network = name.network(input: .init(shape.channels, shape.height, shape.width), classes: classes)
    var step = StepSimulation(network, compute: time, update: 0, bucketBytes: bucket.value, overlaps: true)
    let elements = step.buckets.reduce(0) { $0 + $1.elements }
    try checkSize(model, parameters: elements)
    step.update = 20 * Double(elements) / 10e9
    if let update {
      guard let time = seconds(parsing: update) else {
        throw invalid("--update \(update)", "give a time with its unit (us, ms, s), as 5ms")
      }
      step.update = time
    }
    return step
  }

  /// What is modelled, for the head of a table.
  func add(_ step: StepSimulation, to facts: inout Facts) {
    let bytes = 4 * step.buckets.reduce(0) { $0 + $1.elements }
    facts.add("model", "\(model) · \(size(bytes)) of gradients in \(count(step.buckets.count, "bucket"))")
    facts.add("rank alone", "\(durationText(step.compute)) computing, \(durationText(step.update)) updating")
  }
}
