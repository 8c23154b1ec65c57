import Foundation

extension Machine {
  private var isOpenMPI: Bool { mpiLibrary.hasPrefix("Open MPI") }

  /// What somebody has to do on this host before jobs run well, each a sentence that begins with what was found.
  ///
  /// - Parameters:
  ///   - ranksOnNode: of this job.
  ///   - variable: an environment variable's value.
  public func remedies(
    ranksOnNode: Int, variable: (String) -> String? = { ProcessInfo.processInfo.environment[$0] }
  ) -> [String] {
    var remedies: [String] = []
    let isLaunched = ranksOnNode > 1 || launcher != "no launcher"
    func words(_ text: String) -> [Substring] {
      text.split(whereSeparator: { " ,\t".contains($0) }).prefix(3).map { $0.hasPrefix("v") ? $0.dropFirst() : $0 }
    }
    // Open MPI keeps its binary interface within a minor version.
    let library = words(mpiLibrary).joined(separator: " ").split(separator: ".").prefix(2)
    if mpiHeader.hasPrefix("Open MPI") || isOpenMPI, library != mpiHeader.split(separator: ".").prefix(2) {
      remedies.append(
        "the program was compiled for \(mpiHeader) and runs with \(words(mpiLibrary).joined(separator: " ")); build it "
          + "again, or start it with the library it was built with.")
    }
    if onednnVersion.split(separator: ".").prefix(2) != onednnHeader.split(separator: ".").prefix(2) {
      remedies.append(
        "the program was compiled for oneDNN \(onednnHeader) and runs with \(onednnVersion); build it again, or start it "
          + "with the library it was built with.")
    }
    if !isLaunched && !isOnPath("mpirun", variable("PATH")) {
      remedies.append("mpirun is not on the PATH; install openmpi-bin, or load the MPI's module.")
    }
    if isRoot && isOpenMPI && !isLaunched && variable("OMPI_ALLOW_RUN_AS_ROOT_CONFIRM") == nil {
      remedies.append(
        "mpirun refuses to start as root; set OMPI_ALLOW_RUN_AS_ROOT=1 and OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1.")
    }
    if isContainer && isOpenMPI && mpiLibrary.contains("v4")
      && variable("OMPI_MCA_btl_vader_single_copy_mechanism") == nil
    {
      remedies.append(
        "a container forbids a process to read another's memory, which Open MPI tries; set "
          + "OMPI_MCA_btl_vader_single_copy_mechanism=none.")
    }
    if ranksOnNode > cores && isOpenMPI && variable("OMPI_MCA_mpi_yield_when_idle") != "1" {
      remedies.append(
        "\(ranksOnNode) ranks share \(count(cores, "core")), and ranks that wait keep them from the others; set "
          + "OMPI_MCA_mpi_yield_when_idle=1, or start \(cores).")
    }
    for name in ["OMP_PROC_BIND", "OMP_PLACES", "GOMP_CPU_AFFINITY", "KMP_AFFINITY"] where variable(name) != nil {
      remedies.append("\(name) is set, which binds the threads of all shards to the same cores; unset it.")
    }
    if openmpLibraries.count > 1 {
      remedies.append(
        "\(openmpLibraries.joined(separator: " and ")) are both loaded, and their threads get in each other's way; use "
          + "one oneDNN and what it was built with.")
    }
    if sharedMemoryBytes < 256 << 20 {
      remedies.append(
        "/dev/shm has \(mebibytes(sharedMemoryBytes)), through which the ranks of a host exchange data; give it 1 GiB "
          + "(containers: --shm-size=1g).")
    }
    if fashionMnist == nil {
      remedies.append(
        "Fashion-MNIST is not installed; install Debian's package dataset-fashion-mnist, or give --data-dir.")
    }
    return remedies
  }

  /// The command that starts a rank on each core of this host, and what more ranks need.
  public var launchCommand: [String] {
    var variables: [String] = []
    if isOpenMPI && isRoot { variables += ["OMPI_ALLOW_RUN_AS_ROOT=1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1"] }
    if isOpenMPI && isContainer { variables += ["OMPI_MCA_btl_vader_single_copy_mechanism=none"] }
    let binding = isOpenMPI ? " --bind-to none" : ""
    let command = (variables + ["mpirun -np \(cores)\(binding) swift-dp-train"]).joined(separator: " ")
    if !isOpenMPI { return [command] }
    return [
      command,
      "more than \(count(cores, "rank")): OMPI_MCA_mpi_yield_when_idle=1 in front, and --oversubscribe after mpirun",
    ]
  }

  private func isOnPath(_ program: String, _ path: String?) -> Bool {
    (path ?? "").split(separator: ":").contains { access("\($0)/\(program)", X_OK) == 0 }
  }
}
