// Keeps the single requests of some blocks, which the profiler otherwise only counts.
#pragma once
#include <stddef.h>

#include "module.h"
#include "worker.h"

namespace pnsim::trace {

// When a lane came to an instruction: how many __syncthreads it had passed, and how many accesses it had made.
struct Moment {
  uint32_t epoch, order;
};

// One instruction executed by one warp, as Python reads it (pyneural/cuda/trace.py).
struct Request {
  uint32_t block, warp, instruction;  // instruction: its place among the profiler's counters
  uint32_t first_epoch, last_epoch, order;  // order: of the lane that came last
  uint32_t mask, size;
  int32_t array;                      // of the first lane; -1: none is near
  uint32_t unused;
  int64_t offset[32];                 // of each lane, in bytes from the start of that array
};

extern bool on;
bool wanted();  // whether the current block is to be kept
void clear();

// An array that lanes go to, found again by its place.
int array(const char* name, const char* space, uintptr_t base, size_t bytes, unsigned element);
uintptr_t base_of(int array);
void add(const Request& request);

}  // namespace pnsim::trace

extern "C" {
// From here on launches that are counted keep the requests of these blocks (numbers, x fastest), `most` of them.
void pnsim_trace_begin(const uint64_t* blocks, size_t count, size_t most);
void pnsim_trace_end(void);
const pnsim::trace::Request* pnsim_trace_requests(size_t* count, uint64_t* dropped);
const char* pnsim_trace_arrays(void);
}
