#!/bin/bash
# Printed by: swift-dp-train submit lsf --print --nodes 2 --ranks-per-node 4 --threads 8 --time 4h -- \
#     --model cnn --epochs 20 --save-every 100
#
# Start it with `bsub < FILE`, from the directory where runs/ shall lie. 10 minutes before its time is up
# the job saves, waits in the queue again under the same number, and goes on.
#BSUB -J cnn
#BSUB -n 8
#BSUB -R "span[ptile=4] affinity[core(8)]"
#BSUB -W 04:00
#BSUB -wt 10
#BSUB -wa USR1
#BSUB -Q "75"
#BSUB -r
#BSUB -o cnn-%J.out

run=runs/$LSB_JOBNAME-$LSB_JOBID

# A signal means: save. The launcher passes USR1 on to all ranks.
job='' signalled=false
trap 'signalled=true; [ -z "$job" ] || kill -USR1 "$job" 2>/dev/null' USR1 TERM
mpirun -q --bind-to none --hostfile "$LSB_DJOB_HOSTFILE" -np 8 swift-dp-train train \
    --run-dir "$run" --model cnn --epochs 20 --save-every 100 --shards 8 --threads-per-shard 8 &
job=$!
[ "$signalled" = false ] || kill -USR1 "$job"
# `wait` returns early, with more than 128, when the trap has run.
until signalled=false; wait "$job"; code=$?; [ "$signalled" = false ] || [ "$code" -le 128 ]; do :; done
exit "$code"
