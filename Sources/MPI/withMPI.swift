import CMPI
import Glibc

/// Which threads may call MPI.
public enum ThreadSupport: Sendable {
  /// Only the thread that entered `withMPI`.
  case funneled
  /// Any thread, one at a time; the caller sees to that.
  case serialized

  var level: Int32 {
    switch self {
    case .funneled: cmpi_thread_funneled()
    case .serialized: cmpi_thread_serialized()
    }
  }
}

/// Runs a job: initialises MPI, calls `body` with the world of all ranks, finalises, and returns the exit code for `main`.
///
///     exit(withMPI { world in … return 0 })
///
/// One process without a launcher is a world of one rank; neither `mpirun` nor its daemons need to be installed. How a job ends:
///
/// - `body` returns on all ranks: each returns that code.
/// - All ranks throw a failure they agreed on (`Communicator.agree`): rank 0 reports it, and each returns its exit code.
/// - One rank throws anything else: it reports the failure and aborts the others; the job's exit code is the failure's.
///   In a world of one rank the function returns the code.
/// - The launcher is foreign to this MPI, or MPI does not start: the launcher's rank 0 reports it, all return 78.
///
/// Communicators and windows made in `body` are used only there.
///
/// - Parameter report: shows a failure to the user; called once for each failure, before any rank ends.
public func withMPI(
  threads: ThreadSupport = .funneled,
  report: (JobFailure) -> Void = { $0.print() },
  _ body: (Communicator) throws -> Int32
) -> Int32 {
  let launch = LaunchEnvironment.current
  func refuse(_ failure: JobFailure) -> Int32 {
    if launch.rank == 0 { report(failure) }
    return failure.exitCode
  }

  if let failure = launch.failure(worldSize: nil, library: MPILibrary.version) { return refuse(failure) }
  let world: Communicator
  do {
    world = try initialise(threads, launchedAlone: launch == LaunchEnvironment())
  } catch {
    return refuse(JobFailure(message: "MPI does not start: \(error)", exitCode: JobFailure.launchExitCode))
  }
  if let failure = launch.failure(worldSize: world.size, library: MPILibrary.version) {
    _ = MPI_Finalize()
    return refuse(failure)
  }

  let exitCode: Int32
  do {
    exitCode = try body(world)
  } catch {
    let failure = JobFailure(error, rank: world.rank)
    if world.rank == 0 || !failure.isAgreed { report(failure) }
    if world.size > 1 && !failure.isAgreed { world.abort(code: failure.exitCode) }
    exitCode = failure.exitCode
    // Rank 0 has reported before any process ends, whereupon the launcher ends the others.
    if failure.isAgreed { try? world.barrier() }
  }
  _ = MPI_Finalize()
  return exitCode
}

/// Initialises MPI so that its errors are returned, not fatal.
private func initialise(_ threads: ThreadSupport, launchedAlone: Bool) throws -> Communicator {
  preferSendingOverTCP()
  var provided: Int32 = 0
  // A process without a launcher makes Open MPI 4 start its daemon, which serves to spawn ranks later and needs `orted`
  // and `ssh`; this setting (other libraries ignore it) does without. Children do not inherit it.
  let setting = "OMPI_MCA_ess_singleton_isolated"
  let isSet = launchedAlone && getenv(setting) == nil
  if isSet { setenv(setting, "1", 1) }
  defer { if isSet { unsetenv(setting) } }
  try check(MPI_Init_thread(nil, nil, threads.level, &provided), "MPI_Init_thread")
  try check(cmpi_comm_return_errors(cmpi_comm_world()), "MPI_Comm_set_errhandler")
  try check(cmpi_comm_return_errors(cmpi_comm_self()), "MPI_Comm_set_errhandler")
  guard provided >= threads.level else {
    throw JobFailure(
      message:
        "this MPI library offers thread level \(provided) where \(threads.level) is needed; build it with threads.",
      exitCode: JobFailure.launchExitCode)
  }
  return try Communicator(cmpi_comm_world(), owned: false)
}

/// Has Open MPI send over TCP rather than write into the receiver's memory, unless the user decided: its writes use a connection
/// in one direction at a time, so that ranks that exchange large messages get half of the line (docs/collectives.md). Other
/// libraries do not know the setting.
private func preferSendingOverTCP() {
  setenv("OMPI_MCA_btl_tcp_flags", "1", 0)
}
