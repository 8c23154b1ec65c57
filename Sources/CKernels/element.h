// What images are stored as, and what is multiplied: floats, or where CK_BFLOAT16 is defined as 1 bfloat16. A file of loops
// that has both forms is compiled twice, once by an `x-bfloat16.c`; CK_FOR_ELEMENT(name) names its form of a function.
#ifndef CK_ELEMENT_H
#define CK_ELEMENT_H

#ifndef CK_BFLOAT16
#define CK_BFLOAT16 0
#endif

#if CK_BFLOAT16
typedef unsigned short ck_element;
#define CK_FOR_ELEMENT(name) name##_bfloat16
/// Elements of a word of 32 bits: products take their factors word by word.
enum { CK_PER_WORD = 2 };

static inline float ck_element_value(ck_element e) {
  const union {
    unsigned bits;
    float value;
  } word = {.bits = (unsigned)e << 16};
  return word.value;
}
#else
typedef float ck_element;
#define CK_FOR_ELEMENT(name) name##_float32
enum { CK_PER_WORD = 1 };

static inline float ck_element_value(ck_element e) { return e; }
#endif

#endif
