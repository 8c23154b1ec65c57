#define _GNU_SOURCE
#include "include/CSystem.h"

#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static uint64_t *fault_word;
static uint64_t fault_mark;

static void note_fault(int number) {
  if (fault_word) cs_store(fault_word, fault_mark + (uint64_t)number);
  signal(number, SIG_DFL);
  raise(number);
}

void cs_note_faults(uint64_t *word, uint64_t mark) {
  fault_word = word;
  fault_mark = mark;
  static const int numbers[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT};
  for (unsigned i = 0; i < sizeof numbers / sizeof *numbers; ++i) {
    struct sigaction before;
    // What somebody else has installed stays.
    if (sigaction(numbers[i], 0, &before) == 0 && before.sa_handler == SIG_DFL) signal(numbers[i], note_fault);
  }
}

// Waits until a process is gone, at most so long; says whether it is.
static int is_gone_within(int process, int seconds) {
#ifdef SYS_pidfd_open
  // At once, so that this process ends with the other; kernels before 5.3 have it not.
  const int handle = (int)syscall(SYS_pidfd_open, process, 0);
  if (handle >= 0) {
    struct pollfd end = {.fd = handle, .events = POLLIN};
    // It counts no more than 24 days at once.
    int64_t left = 1000 * (int64_t)seconds;
    do {
      const int part = left < INT_MAX ? (int)left : INT_MAX;
      if (poll(&end, 1, part) != 0) return 1;
      left -= part;
    } while (left > 0);
    return 0;
  }
#endif
  for (int second = 0; second < seconds; ++second) {
    if (kill(process, 0) != 0) return 1;
    struct timespec rest = {.tv_sec = 1};
    while (nanosleep(&rest, &rest) != 0) {}
  }
  return kill(process, 0) != 0;
}

void cs_kill_later(int process, int seconds) {
  const pid_t child = fork();
  if (child != 0) {
    if (child > 0) waitpid(child, 0, 0);
    return;
  }
  // A grandchild, so that nobody waits for it; only calls that are allowed after a fork of many threads.
  if (fork() != 0) _exit(0);
  setsid();
  // Locks and connections of the caller end with it.
#ifdef SYS_close_range
  if (syscall(SYS_close_range, 0u, ~0u, 0u) != 0)
#endif
    for (int number = 0; number < 1024; ++number) close(number);
  if (!is_gone_within(process, seconds)) kill(process, SIGKILL);
  _exit(0);
}

// What /proc says of a process after its name: state, parent and more. Null if there is none.
static const char *status_of(int process, char text[512]) {
  char path[64];
  snprintf(path, sizeof path, "/proc/%d/stat", process);
  FILE *const file = fopen(path, "r");
  if (!file) return 0;
  const size_t count = fread(text, 1, 511, file);
  fclose(file);
  text[count] = 0;
  // The name in parentheses may hold any character.
  const char *const end = strrchr(text, ')');
  return end && end[1] == ' ' ? end + 2 : 0;
}

char cs_process_state(int process) {
  char text[512];
  const char *const status = status_of(process, text);
  return status ? *status : 0;
}

int cs_process_parent(int process) {
  char text[512];
  const char *const status = status_of(process, text);
  return status && *status ? atoi(status + 1) : 0;
}
