import Foundation
import MPI
import Networks
import Training

// A model is a function from the symbolic images of a batch to symbolic logits.
let network = Network(name: "tiny", input: .init(1, 28, 28), classes: 10) { images in
  images
    .convolution("conv1", outputs: 16, .init(3, stride: 2, padding: 1)).relu()
    .convolution("conv2", outputs: 32, .init(3, stride: 2, padding: 1), bias: false).batchNorm("bn2").relu()
    .globalAveragePool().flatten()
    .innerProduct("fc", outputs: 10)
}

// A recipe is everything else that decides the trained bits.
var recipe = Recipe()
recipe.dataset = .fashionMNIST
recipe.batchSize = 128
recipe.learningRate = 0.1
recipe.length = .steps(CommandLine.arguments.count > 2 ? Int(CommandLine.arguments[2]) ?? 100 : 100)

// The same program is one rank by itself and p ranks under `mpirun -np p`.
var job = TrainingJob(recipe)
job.network = network
job.runDirectory = CommandLine.arguments.count > 1 ? CommandLine.arguments[1] : nil
let prepared = job
exit(withMPI { world in try prepared.run(world, observer: Console()) })
