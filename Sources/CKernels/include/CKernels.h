// Everything the Swift side sees of CKernels: one header per idea.
#ifndef CKERNELS_H
#define CKERNELS_H
#include "philox.h"
#endif
