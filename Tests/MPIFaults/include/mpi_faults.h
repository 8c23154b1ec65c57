// A library for LD_PRELOAD that stands between a rank and MPI, by the library's own profiling interface: it leaves calls
// out or makes one twice, as a rank does that has lost step, and as a network that loses messages. It is told by
// environment variables what to do:
//
//   MPI_FAULTS_CALL      the call: allgather, allgatherv or isend; or where the rank stops by itself: init, finalize or exit
//   MPI_FAULTS_ACTION    what becomes of the one that is chosen:
//                          skip     nothing is done, and the caller hears of success
//                          lose     the same with all that follow
//                          repeat   it is made twice
//   MPI_FAULTS_AT        which one is chosen: a number from 1 on
#ifndef MPI_FAULTS_H
#define MPI_FAULTS_H
#endif
