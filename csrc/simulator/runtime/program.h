// How a whole program runs: what its launches shall do besides running.
#pragma once
#include <stdint.h>

extern "C" {
struct pnsim_program_options {
  int mode;          // pnsim::Mode
  uint64_t seed;
  double timeout;    // seconds for one launch; 0: none
  const void* module;
  unsigned workers;  // 0: all
};
void pnsim_program_setup(const pnsim_program_options* options);
}
