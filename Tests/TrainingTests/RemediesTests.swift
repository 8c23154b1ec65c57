import Testing
import Training

/// What `doctor` tells to do, from what it finds.
@Suite struct RemediesTests {
  /// A host without fault: two cores, Open MPI 4.1.4 as compiled, Fashion-MNIST, an ordinary user.
  private func machine() -> Machine {
    var machine = Machine()
    machine.mpiLibrary = "Open MPI v4.1.4, package: Debian OpenMPI, ident: 4.1.4, repo rev: v4.1.4, May 26, 2022"
    machine.mpiHeader = "Open MPI 4.1.4"
    machine.launcher = "no launcher"
    (machine.coresAllowed, machine.coresQuota) = (2, nil)
    machine.openmpLibraries = ["/usr/lib/libgomp.so.1"]
    machine.sharedMemoryBytes = 1 << 30
    machine.fashionMnist = "/usr/share/datasets/fashion-mnist"
    (machine.isRoot, machine.isContainer) = (false, false)
    return machine
  }

  private func remedies(_ machine: Machine, ranks: Int = 1, _ variables: [String: String] = [:]) -> [String] {
    machine.remedies(ranksOnNode: ranks) { variables[$0] }
  }

  @Test func aSoundHostUnderALauncherNeedsNothing() {
    var machine = machine()
    machine.launcher = "Open MPI's mpirun"
    #expect(remedies(machine, ranks: 2).isEmpty)
  }

  @Test func eachFaultHasItsOwnRemedy() {
    func found(_ ranks: Int = 1, _ variables: [String: String] = [:], _ change: (inout Machine) -> Void) -> [String] {
      var machine = machine()
      machine.launcher = "Open MPI's mpirun"
      change(&machine)
      return remedies(machine, ranks: ranks, variables)
    }
    let cases: [([String], String)] = [
      (found { $0.mpiHeader = "Open MPI 5.0.1" }, "was compiled for Open MPI 5.0.1"),
      (found { $0.onednnVersion = "9.9.0" }, "was compiled for oneDNN \(machine().onednnHeader) and runs with 9.9.0"),
      (found { $0.isContainer = true }, "OMPI_MCA_btl_vader_single_copy_mechanism=none"),
      (found(3) { _ in }, "3 ranks share 2 cores"),
      (found(2) { $0.coresQuota = 1 }, "2 ranks share 1 core,"),
      (found(1, ["OMP_PROC_BIND": "true"]) { _ in }, "OMP_PROC_BIND is set"),
      (found { $0.openmpLibraries.append("/usr/lib/libomp.so.5") }, "are both loaded"),
      (found { $0.sharedMemoryBytes = 64 << 20 }, "/dev/shm has 64.00 MiB"),
      (found { $0.fashionMnist = nil }, "Fashion-MNIST is not installed"),
    ]
    for (remedies, text) in cases {
      #expect(remedies.count == 1 && remedies.first?.contains(text) == true, "\(text): \(remedies)")
    }
  }

  /// The library and its headers are one version, and one OpenMP runtime serves it and the shim.
  @Test func thisProgramHasOneLibraryAndOneRuntime() throws {
    let machine = Machine()
    #expect(machine.onednnVersion.split(separator: ".").first == machine.onednnHeader.split(separator: ".").first)
    #expect(machine.openmpLibraries.count == 1, "\(machine.openmpLibraries)")
    let library = try #require(machine.onednnLibrary)
    #expect(library.contains(".so.\(machine.onednnHeader.prefix(1))"), "\(library)")
  }

  @Test func variablesThatAreSetNeedNoRemedy() {
    var machine = machine()
    (machine.launcher, machine.isContainer) = ("Open MPI's mpirun", true)
    let variables = ["OMPI_MCA_btl_vader_single_copy_mechanism": "none", "OMPI_MCA_mpi_yield_when_idle": "1"]
    #expect(remedies(machine, ranks: 8, variables).isEmpty)
    machine.launcher = "no launcher"
    machine.isRoot = true
    let path = ["PATH": "/nowhere"]
    #expect(remedies(machine, variables.merging(path) { $1 }).count == 2)
  }
}
