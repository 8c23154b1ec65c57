#define _GNU_SOURCE
#include "include/CSystem.h"

#include <dirent.h>
#include <errno.h>
#include <execinfo.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static char stack_path[4096];

// Only calls that a signal handler may make.
static void write_number(int file, long number) {
  char digits[24];
  int at = sizeof digits;
  digits[--at] = '\n';
  do digits[--at] = (char)('0' + number % 10);
  while ((number /= 10) > 0 && at > 0);
  if (write(file, digits + at, sizeof digits - (size_t)at) < 0) return;
}

static void append_stack(int signal) {
  (void)signal;
  if (!stack_path[0]) return;
  const int before = errno;
  const int file = open(stack_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  if (file >= 0) {
    void *frames[128];
    const int count = backtrace(frames, 128);
    static const char heading[] = "\nthread ";
    if (write(file, heading, sizeof heading - 1) > 0) write_number(file, syscall(SYS_gettid));
    backtrace_symbols_fd(frames, count, file);
    close(file);
  }
  errno = before;
}

void cs_write_stacks(int number, const char *path) {
  strncpy(stack_path, path, sizeof stack_path - 1);
  // The first call loads a library, which a handler must not.
  void *frame;
  backtrace(&frame, 1);
  struct sigaction action = {.sa_handler = append_stack, .sa_flags = SA_RESTART};
  sigemptyset(&action.sa_mask);
  sigaction(number, &action, 0);
}

int cs_signal_threads(int process, int number) {
  char path[64];
  snprintf(path, sizeof path, "/proc/%d/task", process);
  DIR *const directory = opendir(path);
  if (!directory) return -1;
  int count = 0;
  for (const struct dirent *entry; (entry = readdir(directory));) {
    const int thread = atoi(entry->d_name);
    if (thread <= 0) continue;
    ++count;
    syscall(SYS_tgkill, process, thread, number);
    // Stacks of several threads do not mix.
    const struct timespec pause = {.tv_nsec = 10000000};
    nanosleep(&pause, 0);
  }
  closedir(directory);
  return count;
}
