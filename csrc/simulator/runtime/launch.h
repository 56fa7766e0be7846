// Launches: limits, the pool of workers, signals, and the calls that Python makes.
#pragma once
#include "worker.h"

struct pnsim_request {
  void (*entry)(void**);
  void** args;
  size_t args_bytes;
  const void* params;
  size_t param_bytes;
  unsigned grid[3], block[3], cluster[3];  // cluster: 0 for none
  unsigned shared;
  int mode;
  uint64_t seed;
  unsigned workers;  // most workers; 0: all
  const char* name;
  const void* module;  // any address in the kernel's library
};

extern "C" {
// Starts a launch; null, or what is wrong with it. One launch runs at a time.
const char* pnsim_start(const pnsim_request* request);
// True when it has ended, else after so many milliseconds false.
int pnsim_wait(unsigned milliseconds);
// Asks a running launch to stop; `hang` makes the sanitizer report where it was.
void pnsim_cancel(int hang);
// After the end: null, or why it ended early.
const char* pnsim_failure(void);
uint64_t pnsim_switches(void);
}

namespace pnsim {
extern volatile int cancel_requested;  // 0 no, 1 stop, 2 stop and report a hang
// Hooks call this now and then: the one safe place to leave a kernel that does not end.
void check_cancel(void* pc);
}  // namespace pnsim
