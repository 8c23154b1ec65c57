# shellcheck shell=bash
# What the launch scripts share. To be sourced; messages go to standard error, as the trainer's do.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
readonly root

# A oneDNN 3 beside the system's oneDNN, which launch/setup puts there; the mark says that it is the one to use.
readonly onednn=$root/.onednn-3
readonly onednn_mark=$onednn/chosen

say() { printf '%s: %s\n' "launch/$(basename "$0")" "$*" >&2; }

# Ends the script with an exit code and a sentence.
fail() {
  local code=$1
  shift
  say "$*"
  exit "$code"
}

# Runs a command without output unless it fails; says `notice`, if any, when it takes longer than three seconds.
quietly() {
  local notice=$1 log code=0 timer
  shift
  log=$(mktemp)
  {
    sleep 3 >/dev/null 2>&1
    [ -z "$notice" ] || say "$notice"
  } &
  timer=$!
  "$@" >"$log" 2>&1 || code=$?
  kill "$timer" 2>/dev/null || true
  wait "$timer" 2>/dev/null || true
  if [ "$code" -ne 0 ]; then
    say "failed: $*"
    cat "$log" >&2
  fi
  rm -f "$log"
  return "$code"
}

# Sets `build`, the arguments of `swift build` and `swift test` for the tree $1, and `products`, where its programs land.
# $2 is where programs look for the chosen oneDNN, if it is not the system's. It has trees of its own, because objects of
# two versions in one would be linked.
choose_build() {
  local tree=$root/$1 place=${2:-$onednn/lib}
  build=(--package-path "$root" -c release)
  if [ -e "$onednn_mark" ]; then
    tree+=-onednn-3
    build+=(-Xcxx "-I$onednn/include" -Xlinker "-L$onednn/lib" -Xlinker -rpath -Xlinker "$place")
    # Package.swift links by this name; the system's library goes by another.
    export SWIFT_DP_TRAIN_ONEDNN_LIBRARY=:libdnnl.so.3
  fi
  build+=(--scratch-path "$tree")
  # shellcheck disable=SC2034  # for the scripts that source this
  products=$tree/release
}

# Builds the trainer as `choose_build` has it.
build_trainer() {
  quietly "building swift-dp-train; the first time takes some minutes" \
    swift build "${build[@]}" --product swift-dp-train
}

# Settings for Open MPI that apply to every job on this machine, scripts and tests alike.
mpi_environment() {
  # Open MPI refuses to start as root unless told twice.
  if [ "$(id -u)" -eq 0 ]; then
    export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
  fi
  # Containers mostly forbid a process to read another's memory; Open MPI tries and complains for every message.
  if [ -e /.dockerenv ] || [ -e /run/.containerenv ] || grep -q '^Seccomp:.*2' /proc/self/status 2>/dev/null; then
    export OMPI_MCA_btl_vader_single_copy_mechanism="${OMPI_MCA_btl_vader_single_copy_mechanism:-none}"
  fi
}

# Removes the shared memory of this user's dead jobs. Open MPI leaves it where mpirun or a daemon was killed; it takes room that
# the next job needs.
remove_dead_segments() {
  local directory=$1 mapped file
  [ -d "$directory" ] || return 0
  mapped=$(cat /proc/[0-9]*/maps 2>/dev/null | grep -o "$directory/vader_segment[^ ]*" | sort -u || true)
  # A job that is starting may have made a file that it has not mapped yet.
  find "$directory" -maxdepth 1 -name 'vader_segment.*' -user "$(id -u)" -mmin +1 -print0 2>/dev/null |
    while IFS= read -r -d '' file; do
      grep -qxF "$file" <<<"$mapped" || rm -f "$file"
    done
}
