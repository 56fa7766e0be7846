// The keywords of CUDA C++ and its built-in variables.
#pragma once
#include <time.h>

#include "state.h"
#include "vector_types.h"

#define __host__
#define __device__
#if defined(PNSIM_INSTRUMENTED)
#define __global__ __attribute__((noinline, noclone))  // one copy: an access has one address, and its own line
#else
#define __global__
#endif
#define __constant__
#define __managed__
#define __grid_constant__
// Aligned for vector accesses, which kernels make through casts.
#define __shared__ static thread_local __attribute__((aligned(16)))
#define __forceinline__ inline __attribute__((always_inline))
#define __align__(n) __attribute__((aligned(n)))
#define __launch_bounds__(...)
#define __cluster_dims__(...)
#ifndef __restrict
#define __restrict __restrict__
#endif
#define __CUDACC__ 1
#ifndef __CUDA_ARCH__  // -arch=sm_90 says otherwise
#define __CUDA_ARCH__ 800
#endif
#define __CUDACC_VER_MAJOR__ 12
#define __CUDACC_VER_MINOR__ 4
#define __PYNEURAL_SIMULATOR__ 1
#define CUDART_VERSION 12040

// Default arguments of the functions that must know where in the user's file they were called.
#define PNSIM_HERE const char *file = __builtin_FILE(), int line = __builtin_LINE()
#define PNSIM_INLINE static inline __attribute__((always_inline, unused))

namespace pnsim {

// The instrumented build must not count a read of threadIdx as memory traffic, and instrumentation skips asm.
PNSIM_INLINE unsigned peek(const unsigned& word) {
#if defined(PNSIM_INSTRUMENTED) && defined(__x86_64__)
  unsigned value;
  asm("movl %1, %0" : "=r"(value) : "m"(word));
  return value;
#elif defined(PNSIM_INSTRUMENTED) && defined(__aarch64__)
  unsigned value;
  asm("ldr %w0, %1" : "=r"(value) : "m"(word));
  return value;
#else
  return word;
#endif
}

PNSIM_INLINE pnsim_thread* self() {
#if defined(PNSIM_INSTRUMENTED) && defined(__x86_64__)
  pnsim_thread* value;
  asm("movq %1, %0" : "=r"(value) : "m"(pnsim_current));
  return value;
#elif defined(PNSIM_INSTRUMENTED) && defined(__aarch64__)
  pnsim_thread* value;
  asm("ldr %0, %1" : "=r"(value) : "m"(pnsim_current));
  return value;
#else
  return pnsim_current;
#endif
}

PNSIM_INLINE bool on_device() { return self() != nullptr; }
PNSIM_INLINE uint3 thread_index() {
  pnsim_thread* t = self();
  return {peek(t->x), peek(t->y), peek(t->z)};
}
PNSIM_INLINE uint3 block_index() { return {peek(pnsim_here.block_x), peek(pnsim_here.block_y), peek(pnsim_here.block_z)}; }
PNSIM_INLINE dim3 block_size() { return {peek(pnsim_here.thread_x), peek(pnsim_here.thread_y), peek(pnsim_here.thread_z)}; }
PNSIM_INLINE dim3 grid_size() { return {peek(pnsim_here.grid_x), peek(pnsim_here.grid_y), peek(pnsim_here.grid_z)}; }
PNSIM_INLINE unsigned lane() { return peek(self()->lane); }
PNSIM_INLINE unsigned warp() { return peek(self()->warp); }
PNSIM_INLINE unsigned linear() { return peek(self()->linear); }
PNSIM_INLINE dim3 cluster_size() { return {peek(pnsim_here.cluster[0]), peek(pnsim_here.cluster[1]), peek(pnsim_here.cluster[2])}; }
PNSIM_INLINE unsigned cluster_rank() { return peek(pnsim_here.rank); }
PNSIM_INLINE unsigned shared_rank(const void* p) { return pnsim_shared_rank(p); }
PNSIM_INLINE unsigned dynamic_shared_bytes() { return peek(pnsim_here.shared_bytes); }

// The compiler is told not to look inside, so that two extern arrays may overlap as CUDA lets them.
PNSIM_INLINE void* dynamic_shared() {
  char* base;
#if defined(__x86_64__)
  asm("movq %1, %0" : "=r"(base) : "m"(pnsim_here.shared));
#elif defined(__aarch64__)
  asm("ldr %0, %1" : "=r"(base) : "m"(pnsim_here.shared));
#else
  base = pnsim_here.shared;
#endif
  return base;
}

}  // namespace pnsim

#define threadIdx (::pnsim::thread_index())
#define blockIdx (::pnsim::block_index())
#define blockDim (::pnsim::block_size())
#define gridDim (::pnsim::grid_size())
static constexpr int warpSize = 32;

PNSIM_INLINE void __syncthreads(PNSIM_HERE) { pnsim_barrier(file, line); }
PNSIM_INLINE int __syncthreads_count(int predicate, PNSIM_HERE) { return pnsim_barrier_reduce(0, predicate, file, line); }
PNSIM_INLINE int __syncthreads_and(int predicate, PNSIM_HERE) { return pnsim_barrier_reduce(1, predicate, file, line); }
PNSIM_INLINE int __syncthreads_or(int predicate, PNSIM_HERE) { return pnsim_barrier_reduce(2, predicate, file, line); }
PNSIM_INLINE void __threadfence_block() { pnsim_fence(0); }
PNSIM_INLINE void __threadfence() { pnsim_fence(1); }
PNSIM_INLINE void __threadfence_system() { pnsim_fence(1); }
PNSIM_INLINE void __nanosleep(unsigned) { pnsim_yield(); }
PNSIM_INLINE void __trap(PNSIM_HERE) { pnsim_trap("__trap() was called", file, line); }
PNSIM_INLINE void __brkpt() {}
PNSIM_INLINE void __prof_trigger(int) {}

// A clock that always moves on; its unit is a nanosecond, not a cycle of any GPU.
PNSIM_INLINE long long clock64() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1000000000ll + now.tv_nsec;
}
PNSIM_INLINE unsigned long long __globaltimer() { return static_cast<unsigned long long>(clock64()); }
