/// A batch script for PBS Professional and OpenPBS.
///
/// PBS gives no signal ahead of the time limit on which one could rely, so the script asks the job to save by itself.
struct PBSScript {
  var job: SubmittedJob

  /// The time that is left for saving, in minutes.
  private var reserve: Int { min(10, max(1, job.minutes / 10)) }

  var text: String {
    """
    #!/bin/bash
    # Printed by: \(job.origin)
    #
    # Start it with qsub, from the directory where runs/ shall lie. \(reserve) minutes before its time is up the job
    # saves and ends with 75; it says then how to go on. If PBS itself runs it again, it goes on from its newest
    # checkpoint.
    #PBS -N \(ShellText.word(job.name))
    #PBS -l select=\(job.nodes):ncpus=\(job.ranksPerNode * job.threads):mpiprocs=\(job.ranksPerNode)
    #PBS -l walltime=\(job.clock)
    #PBS -r y
    #PBS -j oe
    \(job.directives.map { "#PBS \($0)\n" }.joined())
    cd "$PBS_O_WORKDIR" || exit 78
    \(job.commands.map { $0 + "\n" }.joined())run=${RUN:-runs/$PBS_JOBNAME-$PBS_JOBID}

    \(JobWait.lines(start, started: timer))
    kill "$timer" 2>/dev/null

    if [ "$code" -eq 75 ]; then
      echo "saved; to go on: qsub -v RUN=$run FILE"
    fi
    exit "$code"

    """
  }

  private var timer: String {
    """
    sleep \((job.minutes - reserve) * 60) && kill -USR1 "$job" 2>/dev/null &
    timer=$!

    """
  }

  private var start: [String] {
    [
      "mpirun", "-q", "--bind-to", "none", "--hostfile", "\"$PBS_NODEFILE\"", "-np", "\(job.ranks)",
      ShellText.word(job.program), "train",
    ]
      + ["--run-dir", "\"$run\""] + job.arguments.map(ShellText.word)
  }
}
