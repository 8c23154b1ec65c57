#include "include/dropout.h"

#include "include/philox.h"

void ck_dropout(
    const float *source, float *destination, long samples, long features, const uint32_t *sample_ids, uint64_t key,
    uint32_t step, uint32_t epoch, uint32_t threshold, float scale) {
  for (long sample = 0; sample < samples; ++sample) {
    const float *in = source + sample * features;
    float *out = destination + sample * features;
    for (long block = 0; 4 * block < features; ++block) {
      const ck_philox_block counter = {{(uint32_t)block, sample_ids[sample], step, epoch}};
      const ck_philox_block words = ck_philox(counter, key);
      for (long lane = 0; lane < 4 && 4 * block + lane < features; ++lane)
        out[4 * block + lane] = words.word[lane] >= threshold ? in[4 * block + lane] * scale : 0;
    }
  }
}
