#ifndef ONEDNN_SHIM_H
#define ONEDNN_SHIM_H
#endif
