// The loops of bfloat16.c, included once for each instruction set by instruction-sets.h.

static void CK_NAME(round_all)(const float *from, unsigned short *to, long count) {
  long i = 0;
  for (; i + CK_WIDTH <= count; i += CK_WIDTH) store_element(to + i, load(from + i));
  if (i == count) return;
  float rest[CK_WIDTH] = {0};
  unsigned short rounded[CK_WIDTH];
  memcpy(rest, from + i, (unsigned long)(count - i) * sizeof(float));
  store_element(rounded, load(rest));
  memcpy(to + i, rounded, (unsigned long)(count - i) * sizeof(unsigned short));
}

static void CK_NAME(widen_all)(const unsigned short *from, float *to, long count) {
  long i = 0;
  for (; i + CK_WIDTH <= count; i += CK_WIDTH) store(to + i, load_element(from + i));
  for (; i < count; ++i) to[i] = ck_element_value(from[i]);
}

static void CK_NAME(add_all)(const unsigned short *from, float *to, long count) {
  long i = 0;
  for (; i + CK_WIDTH <= count; i += CK_WIDTH) store(to + i, load(to + i) + load_element(from + i));
  for (; i < count; ++i) to[i] += ck_element_value(from[i]);
}
