#include "include/flags.h"

#include <sched.h>
#include <time.h>

void ck_flag_raise(unsigned long *flag, unsigned long value) { __atomic_store_n(flag, value, __ATOMIC_RELEASE); }

int ck_flag_is_raised(const unsigned long *flag, unsigned long value) {
  return __atomic_load_n(flag, __ATOMIC_ACQUIRE) >= value;
}

static void pause_briefly(void) {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ volatile("yield");
#endif
}

static long nanoseconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1000000000L + now.tv_nsec;
}

void ck_flag_await(const unsigned long *flag, unsigned long value, long spins) {
  for (long i = 0; i < spins; ++i) {
    if (ck_flag_is_raised(flag, value)) return;
    pause_briefly();
  }
  const long begin = nanoseconds();
  while (!ck_flag_is_raised(flag, value)) {
    if (nanoseconds() - begin < 1000000) {
      sched_yield();
    } else {
      const struct timespec rest = {.tv_nsec = 20000};
      nanosleep(&rest, 0);
    }
  }
}
