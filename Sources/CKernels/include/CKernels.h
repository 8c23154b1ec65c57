// Everything the Swift side sees of CKernels: one header per idea.
#ifndef CKERNELS_H
#define CKERNELS_H
#include "add.h"
#include "dispatch.h"
#include "images.h"
#include "order.h"
#include "philox.h"
#endif
