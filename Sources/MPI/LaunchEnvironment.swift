import Glibc

/// What the launcher's environment variables say about this process, known before MPI is initialised.
///
/// It tells which process writes to the terminal when MPI cannot tell yet, and it uncovers a *foreign launcher*: one that
/// starts N processes which this MPI takes for N worlds of one rank each, so that N jobs would run side by side.
///
/// Which variables really tell:
///
/// - `OMPI_COMM_WORLD_SIZE` and `…_RANK`: Open MPI's `mpirun` sets them in the processes it starts and nowhere else.
/// - `PMI_SIZE` and `PMI_RANK`: MPICH's and Intel's launchers, and Slurm's `pmi2`.
/// - `SLURM_STEP_NUM_TASKS` with `SLURM_PROCID`: set by `srun` for the tasks of a step. `SLURM_NTASKS` tells nothing: it
///   and `SLURM_PROCID=0` are also set in the batch script, where the plain program is rightly one rank.
///
/// The innermost launcher counts, and that is the first of this list: `mpirun` inside a Slurm step starts its daemons by
/// `srun`, whose variables the ranks then inherit.
public struct LaunchEnvironment: Equatable, Sendable {
  /// Who set the variables.
  public enum Launcher: String, Sendable {
    case none = "no launcher"
    case openMPI = "Open MPI's mpirun"
    case pmi = "a PMI launcher (MPICH's or Intel's mpiexec)"
    case slurm = "srun"
  }

  public var launcher = Launcher.none
  /// This process's rank as the launcher counts; 0 without one.
  public var rank = 0
  /// The number of processes the launcher started; 1 without one.
  public var size = 1
  /// Whether the launcher offers PMIx or PMI, by which an MPI finds its other ranks.
  public var offersProcessManagement = false

  /// A process without a launcher.
  public init() {}

  /// Reads the variables of this process.
  public static var current: LaunchEnvironment {
    LaunchEnvironment { name in getenv(name).map { String(cString: $0) } }
  }

  /// Reads variables by name.
  public init(variable: (String) -> String?) {
    func number(_ name: String) -> Int? { variable(name).flatMap { Int($0) } }
    let managed = ["PMIX_RANK", "PMIX_NAMESPACE", "PMI_RANK", "PMI_FD", "PMI_PORT"]
    offersProcessManagement = managed.contains { variable($0) != nil }
    let sources: [(Launcher, rank: Int?, size: Int?)] = [
      (.openMPI, number("OMPI_COMM_WORLD_RANK"), number("OMPI_COMM_WORLD_SIZE")),
      (.pmi, number("PMI_RANK"), number("PMI_SIZE")),
      (.slurm, number("SLURM_PROCID"), number("SLURM_STEP_NUM_TASKS")),
    ]
    for case (let launcher, let rank?, let size?) in sources where size >= 1 && (0..<size).contains(rank) {
      (self.launcher, self.rank, self.size) = (launcher, rank, size)
      return
    }
    // Slurm with PMIx and Open MPI 5's `prterun` tell the rank by this alone.
    if let rank = number("PMIX_RANK"), rank > 0 { self.rank = rank }
  }

  /// Why this job cannot start under its launcher, with the remedy; nil if it can.
  ///
  /// - Parameters:
  ///   - worldSize: the number of ranks that MPI counts; nil before it is initialised.
  ///   - library: the linked MPI's version text.
  public func failure(worldSize: Int?, library: String) -> JobFailure? {
    guard size > 1 else { return nil }
    if let worldSize {
      guard worldSize == 1 else { return nil }
    } else {
      // Open MPI ends the process in MPI_Init, with a page of its own, when a step of srun offers it no PMIx. Other
      // libraries may know another way to find their ranks.
      guard launcher == .slurm, !offersProcessManagement, library.hasPrefix("Open MPI") else { return nil }
    }
    let found =
      "\(launcher.rawValue) started \(size) processes, but this program's MPI (\(library.prefix { $0 != "," })) "
      + "takes each for a world of its own"
    let remedy =
      switch launcher {
      case .slurm:
        "start it with `srun --mpi=pmix` (`srun --mpi=list` shows what Slurm offers) or with that MPI's own mpirun"
      case .none, .openMPI, .pmi: "start it with the mpirun of the MPI that it was built with"
      }
    return JobFailure(message: "\(found): \(remedy).", exitCode: JobFailure.launchExitCode)
  }
}
