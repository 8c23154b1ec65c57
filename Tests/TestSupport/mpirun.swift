import Foundation

/// One job at a time: jobs side by side on few cores would run into each other's time limits.
let oneJob = NSLock()

/// Has Open MPI's `mpirun` end at once when a rank has ended with another code than 0. Else it gives the others a second, twice: for
/// jobs all of whose ranks end by themselves.
public let impatience = ["OMPI_MCA_odls_base_sigkill_timeout": "0"]

/// Runs a program under `mpirun` with `np` ranks, however few cores there are and also as root.
///
/// - Parameters:
///   - arguments: the program and its arguments.
///   - options: further options of `mpirun`, such as `--bind-to core` (without it ranks are not bound).
///   - environment: variables added, or, where nil, removed, for `mpirun` and with it for all ranks.
///   - timeLimit: seconds, counted from the start of the job.
///   - intervention: what is done to the job while it runs.
///   - isAlone: whether no other job runs meanwhile; false for jobs that do little but wait.
public func mpirun(
  np: Int, _ arguments: [String], options: [String] = ["--bind-to", "none"], environment: [String: String?] = [:],
  in directory: URL? = nil, timeLimit: Double = 120, intervention: Intervention? = nil, isAlone: Bool = true
) throws -> CommandResult {
  if isAlone { oneJob.lock() }
  defer { if isAlone { oneJob.unlock() } }
  let root = ["OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"]
  return try run(
    ["mpirun", "--oversubscribe", "-np", "\(np)"] + options + arguments,
    environment: environment.merging(root) { own, _ in own }, in: directory, timeLimit: timeLimit,
    intervention: intervention)
}
