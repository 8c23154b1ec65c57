// Channels of several tensors put together in a new order: concatenation, slice, padding and shuffle of channels in one
// pass.
//
// Images are [batch, blocks of channels, area, block] with zeros in what pads the last block, which are zeros in the result
// too.
#ifndef CK_GATHER_CHANNELS_H
#define CK_GATHER_CHANNELS_H
#include "pass.h"

typedef struct {
  ck_storage storage;
  long batch, area;
  /// Side by side, so that source s begins at channel source_channels[0] + … + source_channels[s − 1].
  const void *const *sources;
  const int *source_channels;
  int source_count;
  void *result;
  /// For each channel of the result the one that it is, or −1 for zeros.
  const int *channels;
  int channel_count;
} ck_gather_channels_job;

/// The parts share the result's blocks of channels.
void ck_gather_channels(const ck_gather_channels_job *job, ck_team team, int parts);

#endif
