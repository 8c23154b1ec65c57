# shellcheck shell=bash
# Starting a job under mpirun and passing signals on to it: what launch/train and launch/run share. To be sourced
# after lib.sh.

# The job's mpirun, while there is one.
job=
# How the job ended.
code=0
# Signals that were passed on. `stop_code` is what a signal ends the script with while no job is there.
signals=0
stop_code=130
interrupted=false

is_open_mpi() { mpirun --version 2>/dev/null | grep -q 'Open MPI'; }

# Sets `options`, what mpirun starts $1 ranks with, and what goes with it into the environment. $2 is the cores that
# they share, if that is known.
mpirun_options() {
  local ranks=$1 cores=${2:-}
  options=(-np "$ranks")
  # Ranks write to a pipe of mpirun's; only here is known whether that ends on a terminal, where a progress bar helps.
  if [ -t 2 ]; then
    export SWIFT_DP_TRAIN_TERMINAL=1
  fi
  is_open_mpi || return 0
  # -q hides the notice of Open MPI after any end but 0, and with it "not enough slots". The trainer places its threads
  # itself.
  options=(-q "${options[@]}" --bind-to none)
  # Ranks that wait for a message must leave the core to those that compute.
  if [ -n "$cores" ] && [ "$ranks" -gt "$cores" ]; then
    export OMPI_MCA_mpi_yield_when_idle="${OMPI_MCA_mpi_yield_when_idle:-1}"
  fi
}

# Runs a job to its end and sets `code`: mpirun with `options`, and the program and its arguments.
run_job() {
  # mpirun gives its ranks one second after INT or TERM, but passes USR1 on and waits. So it gets a session of its own,
  # where the terminal's Ctrl-C does not reach it, and USR1 from here. If this script is killed, that saves the job too.
  local start=(setsid mpirun)
  ! setpriv --pdeathsig USR1 true 2>/dev/null || start=(setpriv --pdeathsig USR1 "${start[@]}")
  remove_dead_segments /dev/shm
  pass_signals_on
  "${start[@]}" "${options[@]}" "$@" &
  job=$!
  # `wait` returns early, with more than 128, when a trap has run.
  while :; do
    interrupted=false
    code=0
    wait "$job" || code=$?
    if [ "$interrupted" = false ] || [ "$code" -le 128 ]; then
      break
    fi
  done
  job=
}

# Passes a signal on: the first one asks the job to save and end, the second one ends it, the third one kills it.
end_job() {
  signals=$((signals + 1))
  interrupted=true
  [ -n "$job" ] || exit "$stop_code"
  case $signals in
    1)
      kill -USR1 "$job" 2>/dev/null || true
      say "asking the job to save and end; once more ends it at once" || true
      ;;
    2) kill -TERM "$job" 2>/dev/null || true ;;
    *) kill -KILL "$job" 2>/dev/null || true ;;
  esac
}
pass_signals_on() { trap end_job INT TERM HUP USR1; }

# Says how a job ended that is not handed on.
meaning() {
  case $1 in
    70) echo "a hang was found" ;;
    71) echo "a rank failed" ;;
    75) echo "it saved, but not because of a signal to launch/run" ;;
    205) echo "a daemon of mpirun was lost" ;;
    255) echo "a host was lost" ;;
    1) echo "mpirun could not go on" ;;
    *)
      if [ "$1" -gt 128 ]; then
        echo "a process was killed by signal $(($1 - 128))"
      else
        echo "which is no code of the trainer's"
      fi
      ;;
  esac
}
