// mbarrier (PTX ISA, sm_80; expect_tx sm_90): barrier objects of 8 bytes in shared memory.
#pragma once
#if defined(__PYNEURAL_SIMULATOR__)
#include "pyneural_sim/mbarrier.h"
#endif

namespace pyneural::ptx {

using mbarrier = unsigned long long;

#if defined(__PYNEURAL_SIMULATOR__)
__device__ __forceinline__ void mbarrier_init(mbarrier* b, unsigned expected, PNSIM_HERE) {
  pnsim::mbarrier_init(b, expected, file, line);
}
__device__ __forceinline__ void mbarrier_arrive(mbarrier* b, PNSIM_HERE) { pnsim::mbarrier_arrive(b, 1, 0, file, line); }
__device__ __forceinline__ void mbarrier_arrive_expect_tx(mbarrier* b, unsigned bytes, PNSIM_HERE) {
  pnsim::mbarrier_arrive(b, 1, int(bytes), file, line);
}
// Bytes that the current phase has to wait for, without an arrival.
__device__ __forceinline__ void mbarrier_expect_tx(mbarrier* b, unsigned bytes, PNSIM_HERE) {
  pnsim::mbarrier_expect(b, int(bytes), file, line);
}
__device__ __forceinline__ bool mbarrier_test_wait(mbarrier* b, unsigned parity, PNSIM_HERE) {
  return pnsim::mbarrier_test(b, parity, file, line);
}
__device__ __forceinline__ void mbarrier_wait(mbarrier* b, unsigned parity, PNSIM_HERE) {
  pnsim::mbarrier_wait(b, parity, file, line);
}
#else
__device__ __forceinline__ unsigned mbarrier_address(const mbarrier* b) {
  return static_cast<unsigned>(__cvta_generic_to_shared(b));
}
__device__ __forceinline__ void mbarrier_init(mbarrier* b, unsigned expected) {
  asm volatile("mbarrier.init.shared.b64 [%0], %1;" ::"r"(mbarrier_address(b)), "r"(expected) : "memory");
}
__device__ __forceinline__ void mbarrier_arrive(mbarrier* b) {
  asm volatile("{ .reg .b64 state; mbarrier.arrive.shared.b64 state, [%0]; }" ::"r"(mbarrier_address(b)) : "memory");
}
__device__ __forceinline__ void mbarrier_arrive_expect_tx(mbarrier* b, unsigned bytes) {
  asm volatile("{ .reg .b64 state; mbarrier.arrive.expect_tx.shared.b64 state, [%0], %1; }" ::"r"(mbarrier_address(b)), "r"(bytes)
               : "memory");
}
__device__ __forceinline__ void mbarrier_expect_tx(mbarrier* b, unsigned bytes) {
  asm volatile("mbarrier.expect_tx.relaxed.cta.shared::cta.b64 [%0], %1;" ::"r"(mbarrier_address(b)), "r"(bytes) : "memory");
}
__device__ __forceinline__ bool mbarrier_test_wait(mbarrier* b, unsigned parity) {
  unsigned done;
  asm volatile("{ .reg .pred p; mbarrier.test_wait.parity.shared.b64 p, [%1], %2; selp.u32 %0, 1, 0, p; }"
               : "=r"(done)
               : "r"(mbarrier_address(b)), "r"(parity)
               : "memory");
  return done != 0;
}
// Where there is mbarrier.try_wait (sm_90) the thread sleeps for a while instead of asking again at once.
__device__ __forceinline__ bool mbarrier_try_wait(mbarrier* b, unsigned parity) {
#if __CUDA_ARCH__ >= 900
  unsigned done;
  asm volatile("{ .reg .pred p; mbarrier.try_wait.parity.shared.b64 p, [%1], %2; selp.u32 %0, 1, 0, p; }"
               : "=r"(done)
               : "r"(mbarrier_address(b)), "r"(parity)
               : "memory");
  return done != 0;
#else
  return mbarrier_test_wait(b, parity);
#endif
}
__device__ __forceinline__ void mbarrier_wait(mbarrier* b, unsigned parity) {
  while (!mbarrier_try_wait(b, parity)) {
  }
}
#endif

}  // namespace pyneural::ptx
