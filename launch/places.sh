# shellcheck shell=bash
# shellcheck disable=SC2034  # some of what is set here is for launch/run
# Where ranks can be: hosts, their slots as Open MPI 4 counts them, and which hosts answer. To be sourced after lib.sh.

# The hosts in their order, without names for this machine alone; slots of each, 0 where the host is still to be asked.
places=()
declare -A slots=() gone=()
# Whether a scheduler gave them: mpirun knows them then and reaches them in a way of its own.
allocated=false

# Counts $2 more slots for host $1; `?` for as many as it has cores.
add_place() {
  [ -n "${slots[$1]:-}" ] || places+=("$1")
  if [ "$2" = '?' ]; then
    slots[$1]=${slots[$1]:-0}
  else
    slots[$1]=$((${slots[$1]:-0} + $2))
  fi
}

# Reads a host file: a host a line, with slots=N or without, where mpirun takes the host's cores.
read_hostfile() {
  local line name count
  [ -r "$1" ] || fail 64 "the host file $1 cannot be read; name one that lists a host on each line, as node1 slots=4."
  while read -r line || [ -n "$line" ]; do
    line=${line%%#*}
    read -r name _ <<<"$line"
    [ -n "$name" ] || continue
    count='?'
    [[ ! $line =~ (slots|count|cpu)[[:space:]]*=[[:space:]]*([0-9]+) ]] || count=${BASH_REMATCH[2]}
    add_place "$name" "$count"
  done <"$1"
  [ ${#places[@]} -gt 0 ] || fail 64 "the host file $1 lists no host; give one on each line, as node1 slots=4."
}

# Reads a list as --host has it: node1,node2:4 is one slot on the first and four on the second.
read_host_list() {
  local item items
  IFS=, read -r -a items <<<"$1"
  for item in "${items[@]}"; do
    [[ $item =~ ^([^:,]+)(:([0-9]+))?$ ]] || fail 64 "--host $1 cannot be: give hosts as node1:4,node2:4."
    add_place "${BASH_REMATCH[1]}" "${BASH_REMATCH[3]:-1}"
  done
  [ ${#places[@]} -gt 0 ] || fail 64 "--host '$1' names no host; give hosts as node1:4,node2:4."
}

# Reads what a scheduler gave this job; false where there is none.
read_allocation() {
  local name
  if [ -n "${SLURM_JOB_ID:-}" ] && [ -n "${SLURM_TASKS_PER_NODE:-}" ] && command -v scontrol >/dev/null; then
    local counts=() item
    # 4(x2),3 is four tasks on each of two nodes and three on another.
    for item in ${SLURM_TASKS_PER_NODE//,/ }; do
      [[ $item =~ ^([0-9]+)(\(x([0-9]+)\))?$ ]] || return 1
      for ((name = 0; name < ${BASH_REMATCH[3]:-1}; name++)); do counts+=("${BASH_REMATCH[1]}"); done
    done
    while read -r name; do add_place "$name" "${counts[${#places[@]}]:-1}"; done < <(scontrol show hostnames)
  elif [ -r "${PBS_NODEFILE:-}" ]; then
    while read -r name; do add_place "$name" 1; done <"$PBS_NODEFILE"
  elif [ -r "${LSB_DJOB_HOSTFILE:-}" ]; then
    while read -r name; do add_place "$name" 1; done <"$LSB_DJOB_HOSTFILE"
  fi
  [ ${#places[@]} -gt 0 ] && allocated=true
}

is_here() {
  local name
  case $1 in localhost | 127.* | ::1) return 0 ;; esac
  for name in "$(uname -n)" "$(uname -n | cut -d. -f1)"; do [ "$1" != "$name" ] || return 0; done
  return 1
}

# What prints a host's cores, as mpirun counts slots: processors that share a core are one.
# shellcheck disable=SC2016  # for the shell of the host
readonly count_cores='{ lscpu -p=core,socket || seq "$(nproc)"; } 2>/dev/null | grep -v "^#" | sort -u | wc -l'

# Prints the cores of host $1, if it answers within five seconds to what mpirun reaches it by.
ask_host() {
  local agent
  if is_here "$1"; then
    bash -c "$count_cores"
    return
  fi
  read -r -a agent <<<"${OMPI_MCA_plm_rsh_agent:-ssh}"
  [ "$(basename "${agent[0]}")" != ssh ] || agent+=(-o BatchMode=yes -o ConnectTimeout=5)
  timeout -k 1 6 "${agent[@]}" "$1" "$count_cores" </dev/null 2>/dev/null
}

# Asks all hosts at once; sets `gone` to those that do not answer, and slots that no list has stated.
ask_hosts() {
  local name directory
  gone=()
  directory=$(mktemp -d)
  for name in "${places[@]}"; do
    ask_host "$name" >"$directory/$name" &
  done
  wait
  for name in "${places[@]}"; do
    if ! grep -qx '[1-9][0-9]*' "$directory/$name"; then
      gone[$name]=1
    elif [ "${slots[$name]}" -eq 0 ]; then
      slots[$name]=$(tail -n 1 "$directory/$name")
    fi
  done
  rm -rf "$directory"
}

# Prints the slots of all places, or of those that answer with `living`.
count_slots() {
  local name sum=0
  for name in "${places[@]}"; do
    [ "${1:-}" = living ] && [ -n "${gone[$name]:-}" ] || sum=$((sum + ${slots[$name]}))
  done
  echo "$sum"
}

# Writes a host file of the places that answer.
write_hostfile() {
  local name
  for name in "${places[@]}"; do
    [ -n "${gone[$name]:-}" ] || echo "$name slots=${slots[$name]}"
  done >"$1"
}

# Sets `all`, `living` and `count`: slots, those of hosts that answer, and the ranks to start there, which are those
# that are asked for, as far as hosts and shards go.
#   $1  ranks asked for, or nothing   $2  shards of the run, or nothing   $3  whether ranks may outnumber slots
find_places() {
  local ranks=$1 shards=$2 oversubscribe=$3
  if [ ${#places[@]} -gt 0 ] && [ "$allocated" = false ]; then
    ask_hosts
    all=$(count_slots) living=$(count_slots living)
  elif [ "$allocated" = true ]; then
    all=$(count_slots) living=$all
  else
    all=$(bash -c "$count_cores") living=$all
  fi
  count=${ranks:-$all}
  if [ "$oversubscribe" = true ]; then
    [ "$all" -eq 0 ] || count=$((count * living / all))
    [ "$count" -gt 0 ] || [ "$living" -eq 0 ] || count=1
  elif [ "$count" -gt "$living" ] && [ ${#gone[@]} -gt 0 ]; then
    count=$living
  fi
  [ -z "$shards" ] || [ "$count" -le "$shards" ] || count=$shards
}

# Ends the script where mpirun would refuse to start, which its -q hides.
#   $1  whether ranks may outnumber slots
check_slots() {
  local where="this machine has $all cores"
  [ "$allocated" = false ] || where="the scheduler has given $all slots"
  [ ${#places[@]} -eq 0 ] || [ "$allocated" = true ] || where="the hosts ${places[*]} have $all slots"
  [ "$1" = true ] || [ "$count" -le "$all" ] ||
    fail 78 "not enough slots for $count ranks: $where; give fewer --ranks, more slots, or --oversubscribe."
}
