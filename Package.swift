// swift-tools-version: 6.1
import PackageDescription

// Another oneDNN than the system's is linked by another name, because the system's directory is searched first
// (launch/setup --onednn-3, launch/lib.sh).
let onednn = Context.environment["SWIFT_DP_TRAIN_ONEDNN_LIBRARY"] ?? "dnnl"

// Targets stand in the order of a batch's path; each may import only those above it (docs/architecture.md).
let package = Package(
  name: "swift-dp-train",
  products: [
    .executable(name: "swift-dp-train", targets: ["swift-dp-train"]),
    .library(name: "MPI", targets: ["MPI"]),
    .library(name: "Collectives", targets: ["Collectives"]),
    .library(name: "Datasets", targets: ["Datasets"]),
    .library(name: "Networks", targets: ["Networks"]),
    .library(name: "Engine", targets: ["Engine"]),
    .library(name: "Compression", targets: ["Compression"]),
    .library(name: "Optimizers", targets: ["Optimizers"]),
    .library(name: "Models", targets: ["Models"]),
    .library(name: "Training", targets: ["Training"]),
    // Loaded into the trainer by tests (storage_faults.h and mpi_faults.h in Tests).
    .library(name: "StorageFaults", type: .dynamic, targets: ["StorageFaults"]),
    .library(name: "MPIFaults", type: .dynamic, targets: ["MPIFaults"]),
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.5.0"),
    .package(url: "https://github.com/jpsim/Yams", from: "6.0.0"),
  ],
  targets: [
    // C libraries and the vector loops that neither library nor compiler gives.
    .systemLibrary(name: "CMPI", pkgConfig: "mpi-c", providers: [.apt(["libopenmpi-dev"])]),
    .systemLibrary(name: "CZlib", pkgConfig: "zlib", providers: [.apt(["zlib1g-dev"])]),
    .systemLibrary(name: "CCrypto", pkgConfig: "libcrypto", providers: [.apt(["libssl-dev"])]),
    .target(name: "COneDNN", linkerSettings: [.linkedLibrary(onednn)]),
    .target(name: "CKernels", linkerSettings: [.linkedLibrary("m")]),
    .target(name: "CSystem"),

    .target(name: "Determinism", dependencies: ["CKernels"]),
    .target(name: "MPI", dependencies: ["CMPI"]),
    .target(name: "Collectives", dependencies: ["MPI", "Determinism", "CKernels"]),
    .target(name: "Compression", dependencies: ["Determinism", "CKernels"]),
    .target(name: "TensorFiles", dependencies: ["CCrypto", "CSystem"]),
    .target(name: "Datasets", dependencies: ["Determinism", "CZlib", "CKernels"]),
    .target(name: "Networks", dependencies: ["Determinism"]),
    .target(name: "Engine", dependencies: ["Networks", "Determinism", "COneDNN", "CKernels"]),
    .target(name: "Optimizers", dependencies: ["CKernels", "Determinism"]),
    .target(name: "Models", dependencies: ["Networks"]),
    .target(
      name: "Training",
      dependencies: [
        "CKernels", "Collectives", "Compression", "COneDNN", "CSystem", "Datasets", "Determinism", "Engine", "MPI",
        "Models", "Networks", "Optimizers", "TensorFiles",
      ]),
    .executableTarget(
      name: "swift-dp-train",
      dependencies: [
        "Collectives", "Compression", "Datasets", "Engine", "MPI", "Models", "Networks", "Optimizers", "TensorFiles",
        "Training", "Yams",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ]),

    // The example of docs/own-model, built and run by the tests.
    .executableTarget(name: "own-model", dependencies: ["MPI", "Networks", "Training"], path: "docs/own-model"),

    .testTarget(name: "CKernelsTests", dependencies: ["CKernels"]),
    .testTarget(name: "DeterminismTests", dependencies: ["Determinism", "CKernels"]),
    // Running commands and MPI jobs from tests.
    .target(name: "TestSupport", dependencies: ["Determinism"], path: "Tests/TestSupport"),
    // A program for `mpirun` that checks the binding and the collectives between real ranks.
    .executableTarget(
      name: "mpi-conformance", dependencies: ["MPI", "Collectives", "Determinism", "TestSupport"],
      path: "Tests/mpi-conformance"),
    .testTarget(name: "MPITests", dependencies: ["MPI", "TestSupport", "mpi-conformance"]),
    .testTarget(
      name: "CollectivesTests", dependencies: ["Collectives", "Determinism", "TestSupport", "mpi-conformance"]),
    .testTarget(
      name: "CompressionTests", dependencies: ["Compression", "Determinism", "CKernels", "TensorFiles"],
      exclude: ["References"]),
    // Records and breaks a program's calls on storage.
    .target(name: "StorageFaults", path: "Tests/StorageFaults"),
    // Leaves out and repeats a rank's calls of MPI.
    .target(name: "MPIFaults", dependencies: ["CMPI"], path: "Tests/MPIFaults"),
    .testTarget(name: "StorageTests", dependencies: ["Training", "swift-dp-train", "TestSupport"]),
    // The readers of files, fed with damaged ones: in the suite, and for long by Tests/Fuzzing/run.
    .target(name: "CFuzzing", path: "Tests/Fuzzing/CFuzzing"),
    .target(
      name: "FuzzedReaders",
      dependencies: ["CFuzzing", "CZlib", "Datasets", "TensorFiles", "Training", "Yams"],
      path: "Tests/Fuzzing/Readers"),
    .executableTarget(name: "fuzz-readers", dependencies: ["FuzzedReaders"], path: "Tests/Fuzzing/fuzz-readers"),
    .testTarget(name: "FuzzingTests", dependencies: ["FuzzedReaders"], path: "Tests/Fuzzing/Tests"),
    .testTarget(name: "TensorFilesTests", dependencies: ["TensorFiles"], exclude: ["References"]),
    .testTarget(name: "DatasetsTests", dependencies: ["Datasets", "Determinism", "CKernels", "CZlib"]),
    // How fast the data path is.
    .executableTarget(name: "data-speed", dependencies: ["Datasets"], path: "Benchmarks/data-speed"),
    // How fast our own pools and convolutions are beside the library's.
    .executableTarget(name: "kernel-speed", dependencies: ["CKernels", "COneDNN"], path: "Benchmarks/kernel-speed"),
    // How far Winograd's convolutions are from exact ones.
    .executableTarget(
      name: "winograd-error", dependencies: ["CKernels", "Engine", "Models", "Networks"],
      path: "Benchmarks/winograd-error"),
    .testTarget(
      name: "NetworksTests", dependencies: ["Networks", "Models", "Determinism", "TensorFiles"],
      exclude: ["References"]),
    .testTarget(
      name: "EngineTests", dependencies: ["Engine", "Networks", "Models", "TensorFiles", "CKernels", "COneDNN"],
      exclude: ["References"]),
    .testTarget(
      name: "OptimizersTests", dependencies: ["Optimizers", "TensorFiles", "Determinism", "CKernels"],
      exclude: ["References"]),
    .testTarget(
      name: "TrainingTests",
      dependencies: [
        "Training", "Collectives", "Datasets", "Engine", "Models", "Networks", "TensorFiles", "TestSupport",
      ]),
    .testTarget(
      name: "CommandLineTests",
      dependencies: [
        "swift-dp-train", "own-model", "Collectives", "Compression", "Datasets", "Determinism", "Models", "Networks",
        "TensorFiles", "TestSupport", "Training", "Yams",
      ],
      exclude: ["References", "Snapshots"]),
  ],
  cxxLanguageStandard: .cxx17
)
