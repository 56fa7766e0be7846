// Findings, gathered during a launch and handed over as JSON. Program counters become lines in Python.
#pragma once
#include <stddef.h>
#include <stdint.h>

namespace pnsim {

struct Where {
  void* pc = nullptr;          // either the instruction after the access
  const char* file = nullptr;  // or the place itself
  int line = 0;
};

struct Finding {
  const char* kind = "";
  const char* detail = "";  // which of the kind's sentences
  Where at, other_at;
  unsigned block[3] = {0, 0, 0}, thread[3] = {0, 0, 0};
  bool has_other = false;
  unsigned other_block[3] = {0, 0, 0}, other_thread[3] = {0, 0, 0};
  char array[64] = "";
  const char* space = "";
  bool has_index = false;
  long long index = 0, extent = 0, distance = 0;  // in elements; bytes for distance
  unsigned size = 0;
  bool write = false, other_write = false;
  unsigned mask = 0, missing = 0;
  char text[160] = "";
  uint64_t times = 1;
};

// Adds it, or counts one more of the same kind at the same place.
void report(const Finding& finding);
bool reported(const char* kind, const Where& at, const char* array);

}  // namespace pnsim

extern "C" {
const char* pnsim_report(void);
void pnsim_report_clear(void);
}
