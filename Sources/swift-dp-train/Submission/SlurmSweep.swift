/// The part of a Slurm script that makes it an array: a task for each combination of values.
struct SlurmSweep {
  var job: SubmittedJob

  var isEmpty: Bool { job.sweep.isEmpty }

  /// The number of combinations.
  var count: Int { job.sweep.reduce(1) { $0 * $1.values.count } }

  /// Of each task, what it adds to the arguments of train; of a job without a sweep, nothing.
  var combinations: [[String]] {
    job.sweep.reduce([[]]) { all, flag in
      flag.values.flatMap { value in all.map { $0 + ["--\(flag.name)=\(value)"] } }
    }
  }

  var directives: [String] {
    isEmpty ? [] : ["--array=0-\(count - 1)" + (job.tasksAtOnce.map { "%\($0)" } ?? "")]
  }

  /// Picks a value of each flag by the number of the task; the first flag changes fastest.
  var assignments: String {
    if isEmpty { return "" }
    var lines = ["task=$SLURM_ARRAY_TASK_ID"]
    for flag in job.sweep {
      lines.append("values=(\(ShellText.words(flag.values)))")
      lines.append("\(flag.variable)=${values[task % \(flag.values.count)]} task=$((task / \(flag.values.count)))")
    }
    return lines.joined(separator: "\n") + "\n\n"
  }

  /// Where a task's run lies, below runs/.
  var directory: String {
    if isEmpty { return "$SLURM_JOB_NAME-$SLURM_JOB_ID" }
    return "$SLURM_JOB_NAME-$SLURM_ARRAY_JOB_ID/"
      + job.sweep.map { "\($0.name)-$\($0.variable)" }.joined(separator: "-")
  }

  var arguments: [String] { job.sweep.flatMap { ["--\($0.name)", "\"$\($0.variable)\""] } }
}
