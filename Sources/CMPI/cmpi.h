// The C MPI as Swift sees it.
//
// MPI's constants are macros with casts, which Swift does not import: here they are functions. Its handles are pointers
// in Open MPI and integers in MPICH: here each is the only field of a struct, so Swift sees one value type under either
// library. Functions that take no constant are called directly, with the struct's field.
#ifndef CMPI_H
#define CMPI_H
#include <mpi.h>

typedef struct { MPI_Comm raw; } cmpi_comm;
typedef struct { MPI_Datatype raw; } cmpi_datatype;
typedef struct { MPI_Op raw; } cmpi_op;
typedef struct { MPI_Request raw; } cmpi_request;

// Communicators.
static inline cmpi_comm cmpi_comm_world(void) { return (cmpi_comm){MPI_COMM_WORLD}; }
static inline cmpi_comm cmpi_comm_self(void) { return (cmpi_comm){MPI_COMM_SELF}; }
static inline cmpi_comm cmpi_comm_null(void) { return (cmpi_comm){MPI_COMM_NULL}; }
static inline int cmpi_comm_is_null(cmpi_comm comm) { return comm.raw == MPI_COMM_NULL; }
static inline int cmpi_comm_return_errors(cmpi_comm comm) {
  return MPI_Comm_set_errhandler(comm.raw, MPI_ERRORS_RETURN);
}
/// The processes of `comm` that can share memory, in its order.
static inline int cmpi_comm_split_by_node(cmpi_comm comm, cmpi_comm *node) {
  return MPI_Comm_split_type(comm.raw, MPI_COMM_TYPE_SHARED, 0, MPI_INFO_NULL, &node->raw);
}

// Datatypes.
static inline cmpi_datatype cmpi_float(void) { return (cmpi_datatype){MPI_FLOAT}; }
static inline cmpi_datatype cmpi_double(void) { return (cmpi_datatype){MPI_DOUBLE}; }
static inline cmpi_datatype cmpi_int32(void) { return (cmpi_datatype){MPI_INT32_T}; }
static inline cmpi_datatype cmpi_int64(void) { return (cmpi_datatype){MPI_INT64_T}; }
static inline cmpi_datatype cmpi_uint32(void) { return (cmpi_datatype){MPI_UINT32_T}; }
static inline cmpi_datatype cmpi_uint64(void) { return (cmpi_datatype){MPI_UINT64_T}; }
/// MPI_UINT8_T and not MPI_BYTE: it has the arithmetic reductions too.
static inline cmpi_datatype cmpi_uint8(void) { return (cmpi_datatype){MPI_UINT8_T}; }

// Reductions.
static inline cmpi_op cmpi_sum(void) { return (cmpi_op){MPI_SUM}; }
static inline cmpi_op cmpi_min(void) { return (cmpi_op){MPI_MIN}; }
static inline cmpi_op cmpi_max(void) { return (cmpi_op){MPI_MAX}; }
static inline cmpi_op cmpi_bitwise_or(void) { return (cmpi_op){MPI_BOR}; }
static inline cmpi_op cmpi_bitwise_and(void) { return (cmpi_op){MPI_BAND}; }

// Numbers that are macros with casts or expressions in one library or the other.
static inline const void *cmpi_in_place(void) { return MPI_IN_PLACE; }
static inline int cmpi_success(void) { return MPI_SUCCESS; }
static inline int cmpi_any_source(void) { return MPI_ANY_SOURCE; }
static inline int cmpi_undefined(void) { return MPI_UNDEFINED; }
static inline int cmpi_thread_funneled(void) { return MPI_THREAD_FUNNELED; }
static inline int cmpi_thread_serialized(void) { return MPI_THREAD_SERIALIZED; }
static inline int cmpi_max_error_string(void) { return MPI_MAX_ERROR_STRING; }
static inline int cmpi_max_object_name(void) { return MPI_MAX_OBJECT_NAME; }
static inline int cmpi_max_processor_name(void) { return MPI_MAX_PROCESSOR_NAME; }
static inline int cmpi_max_library_version_string(void) { return MPI_MAX_LIBRARY_VERSION_STRING; }

/// The library whose header this was compiled with, as "Open MPI 4.1.4".
#define CMPI_TEXT_(x) #x
#define CMPI_TEXT(x) CMPI_TEXT_(x)
static inline const char *cmpi_header_version(void) {
#if defined(OPEN_MPI)
  return "Open MPI " CMPI_TEXT(OMPI_MAJOR_VERSION) "." CMPI_TEXT(OMPI_MINOR_VERSION) "." CMPI_TEXT(OMPI_RELEASE_VERSION);
#elif defined(MPICH_VERSION)
  return "MPICH " MPICH_VERSION;
#else
  return "MPI " CMPI_TEXT(MPI_VERSION) "." CMPI_TEXT(MPI_SUBVERSION);
#endif
}
/// The version of the standard that the header states, as "3.1".
static inline const char *cmpi_standard(void) { return CMPI_TEXT(MPI_VERSION) "." CMPI_TEXT(MPI_SUBVERSION); }
/// The name of a thread level.
static inline const char *cmpi_thread_level_name(int level) {
  return level == MPI_THREAD_SINGLE ? "single" : level == MPI_THREAD_FUNNELED ? "funneled"
       : level == MPI_THREAD_SERIALIZED ? "serialized" : level == MPI_THREAD_MULTIPLE ? "multiple" : "unknown";
}

static inline cmpi_request cmpi_request_null(void) { return (cmpi_request){MPI_REQUEST_NULL}; }

/// Keeps this thread's loads and stores before it ahead of those after it, for memory that processes share.
static inline void cmpi_memory_fence(void) { __atomic_thread_fence(__ATOMIC_SEQ_CST); }

#endif
