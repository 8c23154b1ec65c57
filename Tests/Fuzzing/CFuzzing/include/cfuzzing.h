#include "allocations.h"
#include "memory_file.h"
