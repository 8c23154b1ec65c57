#define _GNU_SOURCE
#include "include/CSystem.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
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

void cs_kill_later(int process, int seconds) {
  const pid_t child = fork();
  if (child != 0) {
    if (child > 0) waitpid(child, 0, 0);
    return;
  }
  // A grandchild, so that nobody waits for it; only calls that are allowed after a fork of many threads.
  if (fork() != 0) _exit(0);
  setsid();
  for (int number = 0; number < 3; ++number) close(number);
  for (int second = 0; second < seconds; ++second) {
    struct timespec rest = {.tv_sec = 1};
    while (nanosleep(&rest, &rest) != 0) {}
    if (kill(process, 0) != 0) _exit(0);
  }
  kill(process, SIGKILL);
  _exit(0);
}

char cs_process_state(int process) {
  char path[64], text[512];
  snprintf(path, sizeof path, "/proc/%d/stat", process);
  FILE *const file = fopen(path, "r");
  if (!file) return 0;
  const size_t count = fread(text, 1, sizeof text - 1, file);
  fclose(file);
  text[count] = 0;
  // The name in parentheses may hold any character.
  const char *const end = strrchr(text, ')');
  return end && end[1] == ' ' ? end[2] : 0;
}
