# shellcheck shell=bash
# shellcheck disable=SC2154  # root is set by lib.sh
# Hosts in namespaces of this machine: what launch/hosts is made of. To be sourced after lib.sh.
#
# A bed is one process with a network namespace, in which a bridge connects the hosts, and a mount namespace, whose /run
# holds all files of the bed. A host is a process tree with PID, network, mount, IPC and UTS namespaces of its own, and an
# SSH server as its process 1. Each tree dies with the bed's process, and namespaces and their mounts with the trees, so
# nothing can stay behind, however the bed ends.

readonly bed=/run/hosts
readonly subnet=10.77.0

# host_process[i] holds the namespaces of host i (but its PID namespace is that of its children); host_root[i] is its
# process 1, as numbered outside.
host_process=()
host_root=()

# Prints in one sentence why there can be no hosts here, or nothing: first what no package can help.
obstacle() {
  local program package output
  [ "$(uname -s)" = Linux ] || { echo "Hosts are network namespaces, which only Linux has." && return; }
  [ "$(id -u)" -eq 0 ] || { echo "Hosts need root, to make namespaces." && return; }
  output=$(unshare --net --uts --ipc --mount --pid --fork --mount-proc sh -ec '
    hostname node
    mount -t tmpfs tmpfs /run' 2>&1) ||
    { echo "Hosts need namespaces, which are not allowed here (${output//$'\n'/, })." && return; }
  while read -r program package; do
    command -v "$program" >/dev/null || { echo "Hosts need $program (Debian's package $package)." && return; }
  done <<<"ip iproute2
tc iproute2
setpriv util-linux
dropbear dropbear-bin
dropbearkey dropbear-bin
ssh openssh-client
ssh-keygen openssh-client
mpirun openmpi-bin"
  mpirun --version 2>/dev/null | grep -q 'Open MPI' || { echo "Hosts are set up for Open MPI's mpirun." && return; }
  output=$(unshare --net sh -ec '
    ip link add switch type bridge
    ip link add eth0 type veth peer name port
    tc qdisc add dev eth0 root tbf rate 1gbit burst 128k limit 8m' 2>&1) ||
    echo "Hosts need a bridge, veth and tbf, which this kernel does not give (${output//$'\n'/, })."
}

# Sets `account`, the words that make a command one of the user $1, and that user's `user_id` and `home`. One who is not root
# exists on the hosts only, with a number that nobody on the machine has.
make_account() {
  user_id=0 home=$bed/home account=()
  if [ "$1" != root ]; then
    user_id=60000 home=$bed/home-$1
    while getent passwd "$user_id" >/dev/null || getent group "$user_id" >/dev/null; do user_id=$((user_id + 1)); done
    account=(setpriv "--reuid=$user_id" "--regid=$user_id" --clear-groups
      env "HOME=$home" "USER=$1" "LOGNAME=$1")
  fi
}

# Makes the files that all hosts of the bed share.
#   $1  hosts   $2  slots of each   $3  the user who logs in
make_files() {
  local index mask
  mask=$(umask)
  # The user reads them too.
  umask 022
  mount -t tmpfs -o mode=755 tmpfs /run
  make_account "$3"
  mkdir -p "$home/.ssh"
  dropbearkey -t ed25519 -f "$bed/host-key" >/dev/null 2>&1
  ssh-keygen -q -t ed25519 -N '' -f "$bed/key"
  cp "$bed/key.pub" "$home/.ssh/authorized_keys"
  chown -R "$user_id:$user_id" "$home" "$bed/key"
  # A login must not depend on the machine's own account: not on its shell's start-up files, nor on a lock.
  { grep -v "^$3:" /etc/passwd || true; echo "$3:*:$user_id:$user_id::$home:$bed/sh"; } >"$bed/passwd"
  { grep -v "^$3:" /etc/group || true; echo "$3:*:$user_id:"; } >"$bed/group"
  echo "$3:*:19000:0:99999:7:::" >"$bed/shadow"
  echo "$bed/sh" >"$bed/shells"
  # The server sets a PATH of its own; here the programs of the caller's are wanted.
  printf '#!/bin/sh\nPATH=%q\nexec /bin/sh "$@"\n' "$PATH" >"$bed/sh"
  chmod +x "$bed/sh"
  echo '127.0.0.1 localhost' >"$bed/names"
  for ((index = 0; index < $1; index++)); do
    echo "$subnet.$((index + 1)) node$index" >>"$bed/names"
    echo "node$index slots=$2" >>"$bed/hostfile"
  done
  cat >"$bed/ssh-config" <<END
User $3
IdentityFile $bed/key
IdentitiesOnly yes
StrictHostKeyChecking no
UserKnownHostsFile /dev/null
GSSAPIAuthentication no
BatchMode yes
LogLevel ERROR
END
  # What a command on a host starts with; variables that the caller has set stay. The user may not see the files here.
  cat >"$bed/enter" <<END
cd "\$1" && shift || exit
$(declare -f mpi_environment)
mpi_environment
export OMPI_MCA_plm_rsh_agent="ssh -F $bed/ssh-config"
export OMPI_MCA_btl_tcp_if_include=$subnet.0/24 OMPI_MCA_oob_tcp_if_include=$subnet.0/24
# Session directories beside the segments of shared memory: in memory of the host, which goes with it.
export OMPI_MCA_orte_tmpdir_base=/dev/shm
: "\${OMPI_MCA_btl=tcp,self,vader}" "\${OMPI_MCA_mpi_yield_when_idle=1}" "\${OMPI_MCA_rmaps_base_oversubscribe=1}"
: "\${OMPI_MCA_hwloc_base_binding_policy=none}" "\${OMPI_MCA_orte_default_hostfile=$bed/hostfile}"
export OMPI_MCA_btl OMPI_MCA_mpi_yield_when_idle OMPI_MCA_rmaps_base_oversubscribe
export OMPI_MCA_hwloc_base_binding_policy OMPI_MCA_orte_default_hostfile
exec "\$@"
END
  umask "$mask"
}

# Becomes process 1 of a host, in namespaces that are new but for what they were copied from.
#   $1  index   $2  the bed's process
become_host() {
  local index=$1 process
  hostname "node$index"
  # Another veth end than the one here lies in the bed's namespace; /proc is still the machine's.
  ip link add eth0 type veth peer name "port$index" netns "/proc/$2/ns/net"
  ip address add "$subnet.$((index + 1))/24" dev eth0
  ip link set lo up
  ip link set eth0 up
  nsenter --net="/proc/$2/ns/net" ip link set "port$index" master switch up
  mount -t tmpfs -o mode=1777 tmpfs /dev/shm
  mount --bind "$bed/passwd" /etc/passwd
  mount --bind "$bed/group" /etc/group
  mount --bind "$bed/shadow" /etc/shadow
  mount --bind "$bed/shells" /etc/shells
  mount --bind "$bed/names" /etc/hosts
  read -r process _ </proc/self/stat
  echo "$process" >"$bed/root-$index"
  mount -t proc proc /proc
  # -e: daemons of mpirun get this environment, LD_LIBRARY_PATH with it.
  exec dropbear -F -E -e -s -r "$bed/host-key" -P "$bed/pid-$index" -p 22 2>"$bed/log-$index" </dev/null >/dev/null
}

# Starts the hosts and returns when all take logins.
#   $1  hosts
start_hosts() {
  local index
  ip link set lo up
  ip link add switch type bridge
  ip link set switch up
  for ((index = 0; index < $1; index++)); do
    # shellcheck disable=SC2016  # the other shell's variables
    setpriv --pdeathsig KILL unshare --net --uts --ipc --mount --pid --fork --kill-child \
      bash -euc 'source "$0/launch/lib.sh"; source "$0/launch/hosts.sh"; become_host "$1" "$2"' \
      "$root" "$index" $$ 2>"$bed/log-$index" </dev/null >/dev/null &
    host_process[index]=$!
  done
  SECONDS=0
  for ((index = 0; index < $1; index++)); do
    # Port 22 (0016) in state 0A, listening.
    until grep -q ':0016 .* 0A ' "/proc/${host_process[index]}/net/tcp" 2>/dev/null && [ -s "$bed/root-$index" ]; do
      kill -0 "${host_process[index]}" 2>/dev/null || fail 78 "host $index did not start: $(cat "$bed/log-$index")"
      [ "$SECONDS" -lt 20 ] || fail 78 "host $index takes no logins after 20 seconds: $(cat "$bed/log-$index")"
      sleep 0.01
    done
    host_root[index]=$(<"$bed/root-$index")
  done
}

# Ends the hosts, and with them everything that runs on them.
stop_hosts() {
  # The roots, not their parents, which take their leave of them; other than they might the machine's process 1.
  kill -KILL "${host_root[@]}" 2>/dev/null || kill -KILL "${host_process[@]}" 2>/dev/null || true
  wait 2>/dev/null || true
}

# Prints the words that run a command on host $1, in the directory $2: the command's follow.
entry() {
  local process=/proc/${host_process[$1]}/ns
  echo nsenter "--net=$process/net" "--uts=$process/uts" "--ipc=$process/ipc" "--mount=$process/mnt" \
    "--pid=$process/pid_for_children" "${account[@]}" bash "$bed/enter"
}

# Limits what goes into and out of each host: a rate as 100mbit or none, and a delay as 1ms or none.
shape_links() {
  local rate=$1 delay=$2 index bytes unit burst limit device in_host
  local bucket=()
  if [ "$rate" != none ]; then
    [[ $rate =~ ^([1-9][0-9]*)(k|m|g)bit$ ]] || {
      say "the bandwidth is '$rate'; give it as 100mbit or 1gbit"
      return 1
    }
    case ${BASH_REMATCH[2]} in k) unit=125 ;; m) unit=125000 ;; g) unit=125000000 ;; esac
    bytes=$((BASH_REMATCH[1] * unit))
    # The burst is a millisecond of the line, but several packets; the queue holds 64 milliseconds, as a switch's might.
    burst=$((bytes / 1000 > 16384 ? bytes / 1000 : 16384))
    limit=$((bytes * 64 / 1000 > 262144 ? bytes * 64 / 1000 : 262144))
    bucket=(tbf rate "$rate" burst "$burst" limit "$limit")
  fi
  for index in "${!host_process[@]}"; do
    for device in eth0 "port$index"; do
      in_host=()
      [ "$device" != eth0 ] || in_host=(nsenter "--net=/proc/${host_process[index]}/ns/net")
      "${in_host[@]}" tc qdisc del dev "$device" root 2>/dev/null || true
      if [ "$delay" != none ] && [ "$device" = eth0 ]; then
        "${in_host[@]}" tc qdisc add dev "$device" root handle 1: netem delay "$delay" limit 100000 2>/dev/null || {
          say "the latency cannot be $delay: this kernel has no netem, or tc does not know the unit"
          return 1
        }
        [ ${#bucket[@]} -eq 0 ] ||
          "${in_host[@]}" tc qdisc add dev "$device" parent 1: handle 2: "${bucket[@]}" || return 1
      elif [ ${#bucket[@]} -gt 0 ]; then
        "${in_host[@]}" tc qdisc add dev "$device" root handle 1: "${bucket[@]}" || return 1
      fi
    done
  done
}

# Sends a signal to all processes of host $2, all of them at the same moment but process 1.
signal_host() {
  nsenter --pid="/proc/${host_process[$2]}/ns/pid_for_children" bash -c "kill -$1 -1" 2>/dev/null || true
  kill "-$1" "${host_root[$2]}"
}

# Ends a host as a loss of power would, and returns when it is gone.
kill_host() {
  kill -KILL "${host_root[$1]}"
  wait "${host_process[$1]}" 2>/dev/null || true
  unset "host_process[$1]" "host_root[$1]"
}

set_link() { ip link set "port$1" "$2"; }
