#include "mpi_faults.h"

#include <mpi.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static atomic_long count;

static bool is_set(const char *name, const char *value) {
  const char *text = getenv(name);
  return text != NULL && strcmp(text, value) == 0;
}

// Counts a call, and says how often it is to be made.
static int times(const char *call) {
  if (!is_set("MPI_FAULTS_CALL", call)) return 1;
  const char *text = getenv("MPI_FAULTS_AT");
  long at = text == NULL ? 1 : atol(text);
  long here = atomic_fetch_add(&count, 1) + 1;
  if (is_set("MPI_FAULTS_ACTION", "lose")) return here < at ? 1 : 0;
  if (here != at) return 1;
  return is_set("MPI_FAULTS_ACTION", "repeat") ? 2 : 0;
}

int MPI_Allgather(
    const void *own, int own_count, MPI_Datatype own_type, void *all, int all_count, MPI_Datatype all_type,
    MPI_Comm comm) {
  int code = MPI_SUCCESS;
  for (int left = times("allgather"); left > 0 && code == MPI_SUCCESS; left--)
    code = PMPI_Allgather(own, own_count, own_type, all, all_count, all_type, comm);
  return code;
}

int MPI_Allgatherv(
    const void *own, int own_count, MPI_Datatype own_type, void *all, const int counts[], const int places[],
    MPI_Datatype all_type, MPI_Comm comm) {
  int code = MPI_SUCCESS;
  for (int left = times("allgatherv"); left > 0 && code == MPI_SUCCESS; left--)
    code = PMPI_Allgatherv(own, own_count, own_type, all, counts, places, all_type, comm);
  return code;
}

// A message that is not sent has left the sender all the same.
int MPI_Isend(
    const void *elements, int elements_count, MPI_Datatype type, int rank, int tag, MPI_Comm comm,
    MPI_Request *request) {
  int left = times("isend");
  *request = MPI_REQUEST_NULL;
  return left == 0 ? MPI_SUCCESS : PMPI_Isend(elements, elements_count, type, rank, tag, comm, request);
}

// As by SIGSTOP from outside.
static void stop_at(const char *call) {
  if (is_set("MPI_FAULTS_CALL", call)) raise(SIGSTOP);
}

int MPI_Init_thread(int *argc, char ***argv, int required, int *provided) {
  stop_at("init");
  return PMPI_Init_thread(argc, argv, required, provided);
}

int MPI_Finalize(void) {
  stop_at("finalize");
  return PMPI_Finalize();
}

__attribute__((destructor)) static void at_exit(void) { stop_at("exit"); }
