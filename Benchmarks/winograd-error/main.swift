// Rounding errors of Winograd's convolutions and of direct ones in float32, both against float64, for every shape that the
// models' plans have at the batch sizes of docs/performance.md:
//
//     swift run -c release winograd-error
//
// Source, weights and gradients are normally distributed; an error is the L2 norm of the difference over that of the
// result. A table in Markdown; a pass that the plan leaves to another kernel has no figures.

import CKernels
import Engine
import Models
import Networks

/// Samples of a shard, and the extent of images, by model; models that are not named have none of these convolutions.
let runs: [(model: ModelName, batch: Int, extent: Int?)] = [
  (.lenet5, 64, nil), (.cnn, 64, nil), (.resnet20CIFAR, 32, nil), (.resnet18CIFAR, 32, nil), (.resnet18, 16, 64),
  (.resnet34, 16, 64), (.resnet50, 16, 64), (.resnet50, 4, 224), (.resnext50, 16, 64), (.densenet121, 16, 64),
  (.mobilenetV1, 16, 64), (.mobilenetV2, 16, 64), (.shufflenetV2, 16, 64), (.vgg16, 4, 224),
]

/// A shape and who has it.
struct Row {
  let measurement: Measurement
  var passes: Set<UInt32>
  var models: [String]
}

var rows: [Row] = []
for run in runs {
  let input = run.extent.map { Network.ImageExtents(3, $0, $0) } ?? run.model.usualInput
  let network = run.model.network(input: input, classes: 10)
  let plan = try ExecutionPlan(Executor.Configuration(network: network, trainingBatchSizes: [run.batch]))
  for found in plan.winogradPasses {
    let measurement = Measurement(found.shape)
    let index =
      rows.firstIndex { $0.measurement.name == measurement.name }
      ?? {
        rows.append(Row(measurement: measurement, passes: [], models: []))
        return rows.count - 1
      }()
    rows[index].passes.insert(found.pass.rawValue)
    let model = run.extent == 224 ? "`\(run.model.rawValue)` at 224×224" : "`\(run.model.rawValue)`"
    if !rows[index].models.contains(model) { rows[index].models.append(model) }
  }
}

// By what is summed over, so that what belongs together stands together.
rows.sort {
  let (a, b) = ($0.measurement.shape, $1.measurement.shape)
  return (a.kernel, a.channels, a.filters, a.height, a.batch) < (b.kernel, b.channels, b.filters, b.height, b.batch)
}
print("| kernel, samples × channels × image → filters | forward | gradient of the source | of the weights | in |")
print("|---|---|---|---|---|")
for row in rows {
  let cells = [CK_FORWARD, CK_BACKWARD_DATA, CK_BACKWARD_WEIGHTS].map { pass in
    row.passes.contains(pass.rawValue) ? row.measurement.errors(pass) : ""
  }
  print("| \(row.measurement.name) | \(cells.joined(separator: " | ")) | \(row.models.joined(separator: ", ")) |")
}
