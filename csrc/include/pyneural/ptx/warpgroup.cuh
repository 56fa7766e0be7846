// What warp-specialised kernels need besides (PTX ISA): named barriers, one elected lane, registers that move.
#pragma once
namespace pyneural::ptx {

#if defined(__PYNEURAL_SIMULATOR__)
// Barrier `id` (1 to 15; 0 is that of __syncthreads) of `threads` threads: wait for all, or only arrive.
__device__ __forceinline__ void named_barrier_sync(unsigned id, unsigned threads, PNSIM_HERE) {
  pnsim_named_barrier(id, threads, 1, file, line);
}
__device__ __forceinline__ void named_barrier_arrive(unsigned id, unsigned threads, PNSIM_HERE) {
  pnsim_named_barrier(id, threads, 0, file, line);
}
// True for one lane of a whole warp.
__device__ __forceinline__ bool elect_one(PNSIM_HERE) {
  pnsim_warp(PNSIM_SYNC, 0xffffffffu, 0, 0, 32, file, line);
  return pnsim::lane() == 0;
}
// Registers of each thread from here on, for all warps of a warpgroup alike (sm_90a).
template <int Registers>
__device__ __forceinline__ void setmaxnreg_increase() {
  static_assert(Registers >= 24 && Registers <= 256 && Registers % 8 == 0, "setmaxnreg takes 24 to 256, by 8");
}
template <int Registers>
__device__ __forceinline__ void setmaxnreg_decrease() {
  static_assert(Registers >= 24 && Registers <= 256 && Registers % 8 == 0, "setmaxnreg takes 24 to 256, by 8");
}
#else
__device__ __forceinline__ void named_barrier_sync(unsigned id, unsigned threads) {
  asm volatile("bar.sync %0, %1;" ::"r"(id), "r"(threads) : "memory");
}
__device__ __forceinline__ void named_barrier_arrive(unsigned id, unsigned threads) {
  asm volatile("bar.arrive %0, %1;" ::"r"(id), "r"(threads) : "memory");
}
__device__ __forceinline__ bool elect_one() {
  unsigned chosen;
  asm volatile("{ .reg .pred p; elect.sync _|p, 0xffffffff; selp.u32 %0, 1, 0, p; }" : "=r"(chosen)::"memory");
  return chosen != 0;
}
template <int Registers>
__device__ __forceinline__ void setmaxnreg_increase() {
  asm volatile("setmaxnreg.inc.sync.aligned.u32 %0;" ::"n"(Registers));
}
template <int Registers>
__device__ __forceinline__ void setmaxnreg_decrease() {
  asm volatile("setmaxnreg.dec.sync.aligned.u32 %0;" ::"n"(Registers));
}
#endif

}  // namespace pyneural::ptx
