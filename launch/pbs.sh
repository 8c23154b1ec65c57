#!/bin/bash
# Printed by: swift-dp-train submit pbs --print --nodes 2 --ranks-per-node 4 --threads 8 --time 4h -- \
#     --model cnn --epochs 20 --save-every 100
#
# Start it with qsub, from the directory where runs/ shall lie. 10 minutes before its time is up the job
# saves and ends with 75; it says then how to go on. If PBS itself runs it again, it goes on from its newest
# checkpoint.
#PBS -N cnn
#PBS -l select=2:ncpus=32:mpiprocs=4
#PBS -l walltime=04:00:00
#PBS -r y
#PBS -j oe

cd "$PBS_O_WORKDIR" || exit 78
run=${RUN:-runs/$PBS_JOBNAME-$PBS_JOBID}

# A signal means: save. The launcher passes USR1 on to all ranks.
job='' signalled=false
trap 'signalled=true; [ -z "$job" ] || kill -USR1 "$job" 2>/dev/null' USR1 TERM
mpirun -q --bind-to none --hostfile "$PBS_NODEFILE" -np 8 swift-dp-train train --run-dir "$run" \
    --model cnn --epochs 20 --save-every 100 --shards 8 --threads-per-shard 8 &
job=$!
[ "$signalled" = false ] || kill -USR1 "$job"
sleep 13800 && kill -USR1 "$job" 2>/dev/null &
timer=$!
# `wait` returns early, with more than 128, when the trap has run.
until signalled=false; wait "$job"; code=$?; [ "$signalled" = false ] || [ "$code" -le 128 ]; do :; done
kill "$timer" 2>/dev/null

if [ "$code" -eq 75 ]; then
  echo "saved; to go on: qsub -v RUN=$run FILE"
fi
exit "$code"
