/// A batch script for LSF.
///
/// LSF sends USR1 some minutes before the time limit, and puts a job that ends with a stated code into the queue again.
struct LSFScript {
  var job: SubmittedJob

  /// The time that is left for saving, in minutes.
  private var reserve: Int { min(10, max(1, job.minutes / 10)) }

  var text: String {
    """
    #!/bin/bash
    # Printed by: \(job.origin)
    #
    # Start it with `bsub < FILE`, from the directory where runs/ shall lie. \(reserve) minutes before its time is up
    # the job saves, waits in the queue again under the same number, and goes on.
    #BSUB -J \(ShellText.word(job.name))
    #BSUB -n \(job.ranks)
    #BSUB -R "span[ptile=\(job.ranksPerNode)] affinity[core(\(job.threads))]"
    #BSUB -W \(job.clock.dropLast(3))
    #BSUB -wt \(reserve)
    #BSUB -wa USR1
    #BSUB -Q "75"
    #BSUB -r
    #BSUB -o \(ShellText.word(job.name))-%J.out
    \(job.directives.map { "#BSUB \($0)\n" }.joined())
    \(job.commands.map { $0 + "\n" }.joined())run=runs/$LSB_JOBNAME-$LSB_JOBID

    \(JobWait.lines(start))
    exit "$code"

    """
  }

  private var start: [String] {
    [
      "mpirun", "-q", "--bind-to", "none", "--hostfile", "\"$LSB_DJOB_HOSTFILE\"", "-np", "\(job.ranks)",
      ShellText.word(job.program), "train",
    ]
      + ["--run-dir", "\"$run\""] + job.arguments.map(ShellText.word)
  }
}
