// What a core can do at most, as the measure of what kernels reach.
#ifndef CK_PEAK_H
#define CK_PEAK_H

/// Runs `rounds` rounds of ten independent chains of multiply-adds in registers, as wide as the effective instruction
/// set, and returns how many floating-point operations that were (two for each multiply-add and lane). Ten chains hide
/// the latency of two units on all processors since 2013.
double ck_multiply_adds(long rounds);

#endif
