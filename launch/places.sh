# shellcheck shell=bash
# shellcheck disable=SC2034  # some of what is set here is for launch/run
# Where ranks can be: hosts, their slots as Open MPI 4 counts them, and which hosts answer. To be sourced after lib.sh.

# The hosts in their order, without names for this machine alone; slots of each, 0 where the host is still to be asked;
# and what else the host file says of it.
places=()
declare -A slots=() details=() gone=()
# Whether a scheduler gave them: mpirun knows them then and reaches them in a way of its own.
allocated=false

# Counts $2 more slots for host $1; `?` for as many as it has cores, or, where it is listed again, one for each time.
# $3 is what else the host file says of it.
add_place() {
  local known=${slots[$1]:-}
  [ -n "$known" ] || places+=("$1")
  if [ "$2" != '?' ]; then
    slots[$1]=$((${known:-0} + 10#$2))
  elif [ -n "$known" ]; then
    slots[$1]=$((known > 0 ? known + 1 : 2))
  else
    slots[$1]=0
  fi
  details[$1]=${details[$1]:-}${3:-}
}

# Reads a host file: a host a line, with slots=N, with max_slots=N alone, which says the same, or without, where mpirun
# takes the host's cores. Keys are whole words, and the digits of N are decimal.
read_hostfile() {
  local line name rest count
  local key='(slots|count|cpu)' value='[[:space:]]*=[[:space:]]*([0-9]+)[[:space:]]'
  [ -r "$1" ] || fail 64 "the host file $1 cannot be read; name one that lists a host on each line, as node1 slots=4."
  while read -r line || [ -n "$line" ]; do
    line=${line%%#*}
    read -r name rest <<<"$line"
    [ -n "$name" ] || continue
    rest=" $rest "
    count='?'
    if [[ $rest =~ [[:space:]]$key$value ]]; then
      count=${BASH_REMATCH[2]}
      rest=${rest/"${BASH_REMATCH[0]}"/ }
    elif [[ $rest =~ [[:space:]](max[-_]${key}|${key}[-_]max)$value ]]; then
      count=${BASH_REMATCH[4]}
    fi
    read -r rest <<<"$rest"
    add_place "$name" "$count" "${rest:+ $rest}"
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

# Prints the cores of host $1, if it answers within five seconds to what mpirun reaches it by, as the user and on the port
# that the host file names.
ask_host() {
  local agent is='[[:space:]]*=[[:space:]]*'
  if is_here "$1"; then
    bash -c "$count_cores"
    return
  fi
  read -r -a agent <<<"${OMPI_MCA_plm_rsh_agent:-ssh}"
  [ "$(basename "${agent[0]}")" != ssh ] || agent+=(-o BatchMode=yes -o ConnectTimeout=5)
  [[ ! ${details[$1]} =~ [[:space:]]user[-_]?name$is([^[:space:]]+) ]] || agent+=(-l "${BASH_REMATCH[1]}")
  [[ ! ${details[$1]} =~ [[:space:]]port$is([0-9]+) ]] || agent+=(-p "${BASH_REMATCH[1]}")
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

# Writes a host file of the places that answer. Slots come last, where mpirun raises max_slots to them.
write_hostfile() {
  local name
  for name in "${places[@]}"; do
    [ -n "${gone[$name]:-}" ] || echo "$name${details[$name]} slots=${slots[$name]}"
  done >"$1"
}

# Sets `all`, `living` and `count`: slots, those of hosts that answer, and the ranks to start there, which are those
# that are asked for, as far as hosts and the run's work go.
#   $1  ranks asked for, or nothing   $2  ranks that the run has work for, or nothing
#   $3  whether ranks may outnumber slots
find_places() {
  local ranks=$1 most=$2 oversubscribe=$3
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
  [ -z "$most" ] || [ "$count" -le "$most" ] || count=$most
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
