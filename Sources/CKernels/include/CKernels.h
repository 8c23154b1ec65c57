// Everything the Swift side sees of CKernels: one header per idea.
#ifndef CKERNELS_H
#define CKERNELS_H
#include "add.h"
#include "batch_norm.h"
#include "bfloat16.h"
#include "dispatch.h"
#include "dropout.h"
#include "environment.h"
#include "gather_channels.h"
#include "images.h"
#include "inner_product.h"
#include "loss.h"
#include "optimizer.h"
#include "order.h"
#include "pass.h"
#include "peak.h"
#include "philox.h"
#include "processor.h"
#include "winograd.h"
#endif
