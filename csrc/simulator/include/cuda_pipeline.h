// The simulator's cuda_pipeline.h: asynchronous copies from global to shared memory (cp.async).
#pragma once
#include "pyneural_sim/language.h"

PNSIM_INLINE void __pipeline_memcpy_async(void* to, const void* from, size_t size, size_t zero_fill = 0, PNSIM_HERE) {
  pnsim_copy_async(to, from, size, size - zero_fill, file, line);
}
PNSIM_INLINE void __pipeline_commit() { pnsim_copy_commit(); }
PNSIM_INLINE void __pipeline_wait_prior(unsigned newest) { pnsim_copy_wait(newest); }
