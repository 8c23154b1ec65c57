/// The lines of a batch script that run a job and pass the scheduler's signals on to it.
enum JobWait {
  /// Starts a launcher, waits for its end, and leaves the exit code in `code`.
  ///
  /// - Parameter started: lines that follow the start.
  static func lines(_ start: [String], started: String = "") -> String {
    """
    # A signal means: save. The launcher passes USR1 on to all ranks.
    job='' signalled=false
    trap 'signalled=true; [ -z "$job" ] || kill -USR1 "$job" 2>/dev/null' USR1 TERM
    \(ShellText.command(start)) &
    job=$!
    [ "$signalled" = false ] || kill -USR1 "$job"
    \(started)# `wait` returns early, with more than 128, when the trap has run.
    until signalled=false; wait "$job"; code=$?; [ "$signalled" = false ] || [ "$code" -le 128 ]; do :; done
    """
  }
}
