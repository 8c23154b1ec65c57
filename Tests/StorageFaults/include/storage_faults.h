// A library for LD_PRELOAD that stands between a program and its storage: it records every call that changes a tree of
// files, makes one fail, kills the program there, or holds it up. It is told by environment variables what to do:
//
//   STORAGE_FAULTS_ROOT          the directory; calls on paths outside it pass untouched
//   STORAGE_FAULTS_TRACE         a file outside it, to which every call is appended (the form is struct record below)
//   STORAGE_FAULTS_ACTION        what happens at the call that is chosen:
//                                  fail     it does nothing and ends with the error; close does close
//                                  short    a write writes half
//                                  kill     the process gets SIGKILL before it
//                                  stall    it starts late
//   STORAGE_FAULTS_AT            which call is chosen: a number from 1 on
//   STORAGE_FAULTS_CALLS         which calls are counted, as `write,fsync`; without it all
//   STORAGE_FAULTS_LASTING       1: every counted call from the chosen one on
//   STORAGE_FAULTS_ERROR         the error's number; without it EIO
//   STORAGE_FAULTS_MILLISECONDS  how late
//
// Not seen are calls that do not pass through the C library's table of symbols (fopen's own, memory maps). Whoever
// replays a trace therefore compares the directory that it gives with the real one.
#ifndef STORAGE_FAULTS_H
#define STORAGE_FAULTS_H

#include <stdint.h>

enum storage_call {
  CALL_OPEN = 0,
  CALL_WRITE,
  CALL_FSYNC,
  CALL_RENAME,
  CALL_LINK,
  CALL_UNLINK,
  CALL_RMDIR,
  CALL_MKDIR,
  CALL_TRUNCATE,
  CALL_CLOSE,
  CALL_LOCK,
  CALL_KINDS
};

// One call in a trace, little-endian: this, then path, other path and data without ends.
struct record {
  uint16_t kind;
  // Whether this library made it fail or fall short.
  uint16_t injected;
  // Of the file that is open, or that an open gave.
  int32_t descriptor;
  // What the call returned, and errno where that is -1.
  int64_t result;
  int32_t error;
  // Of open.
  int32_t flags;
  // Of a write its place, of a truncation the new size.
  int64_t offset;
  uint32_t path_size;
  uint32_t other_size;
  uint64_t data_size;
};

#endif
