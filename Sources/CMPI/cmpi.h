// The C MPI as Swift sees it.
#ifndef CMPI_H
#define CMPI_H
#include <mpi.h>
#endif
