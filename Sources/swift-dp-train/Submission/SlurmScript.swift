/// A batch script for Slurm.
///
/// Slurm sends USR1 to this script before the time limit and, where its administrator has set preempt_send_user_signal,
/// at preemption. The script passes it on to the launcher, and that to all ranks; they save and end with 75, and the
/// job is requeued under the same number. Elsewhere ranks get TERM at preemption, which means the same to them.
struct SlurmScript {
  var job: SubmittedJob

  var text: String {
    """
    #!/bin/bash
    # Printed by: \(job.origin)
    #
    # Start it with sbatch, from the directory where runs/ shall lie. When the job is preempted or its time is nearly
    # up, it saves, waits in the queue again and goes on; `scancel -b -s USR1 JOB` asks for the same. scancel ends it.
    \(directives)
    #SBATCH --requeue
    #SBATCH --signal=B:USR1@90
    #SBATCH --open-mode=append

    \(commands)\(SlurmSweep(job: job).assignments)# Neither depends on how often the job has been requeued.
    run=$SLURM_SUBMIT_DIR/runs/\(SlurmSweep(job: job).directory)
    # Since Slurm 22.05 srun does not take it from the job.
    export SRUN_CPUS_PER_TASK=$SLURM_CPUS_PER_TASK

    \(JobWait.lines(start))

    # 75 is a run that was saved on request. Other ends but these may be better elsewhere, but not without end.
    case $code in
      0 | 64 | 65 | 72 | 74 | 78) exit "$code" ;;
      75) ;;
      *) [ "${SLURM_RESTART_COUNT:-0}" -lt 10 ] || exit "$code" ;;
    esac
    # A job that its user has cancelled saves too, and must stay cancelled; it is no longer running then.
    case $(scontrol --oneliner show job "$SLURM_JOB_ID") in
      *JobState=COMPLETING* | *JobState=CANCELLED*) exit "$code" ;;
    esac
    echo "ended with $code after ${SLURM_RESTART_COUNT:-0} restarts; back to the queue, to go on from $run"
    scontrol requeue "$SLURM_JOB_ID"
    exit "$code"

    """
  }

  private var directives: String {
    let array = SlurmSweep(job: job)
    return
      (["--job-name=\(ShellText.word(job.name))"] + array.directives + [
        "--nodes=\(job.nodes)", "--ntasks-per-node=\(job.ranksPerNode)", "--cpus-per-task=\(job.threads)",
        "--time=\(job.clock)", "--output=%x-\(array.isEmpty ? "%j" : "%A_%a").out",
      ] + job.directives).map { "#SBATCH \($0)" }.joined(separator: "\n")
  }

  private var commands: String { job.commands.map { $0 + "\n" }.joined() + (job.commands.isEmpty ? "" : "\n") }

  private var start: [String] {
    let launcher =
      switch job.launcher {
      case .srun: ["srun", "--mpi=pmix", "--kill-on-bad-exit=1"]
      // -q: no notice of ten lines after an end with 75. The trainer places its threads itself.
      case .mpirun: ["mpirun", "-q", "--bind-to", "none"]
      }
    return launcher + [ShellText.word(job.program), "train", "--run-dir", "\"$run\""]
      + job.arguments.map(ShellText.word) + SlurmSweep(job: job).arguments
  }
}
