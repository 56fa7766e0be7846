// cp.async (PTX ISA, sm_80): copies of 4, 8 or 16 bytes from global to shared memory that bypass registers. Before sm_80
// they go through registers, and a group is complete when it is committed.
#pragma once
namespace pyneural::ptx {

#if defined(__PYNEURAL_SIMULATOR__)
template <int Bytes>
__device__ __forceinline__ void cp_async(void* to, const void* from, PNSIM_HERE) {
  static_assert(Bytes == 4 || Bytes == 8 || Bytes == 16, "cp.async copies 4, 8 or 16 bytes");
  pnsim_copy_async(to, from, Bytes, Bytes, file, line);
}
// Copies nothing and writes zeros when `take` is false: for the edges of a tile.
template <int Bytes>
__device__ __forceinline__ void cp_async_zfill(void* to, const void* from, bool take, PNSIM_HERE) {
  pnsim_copy_async(to, from, Bytes, take ? Bytes : 0, file, line);
}
__device__ __forceinline__ void cp_async_commit() { pnsim_copy_commit(); }
template <int Newest>
__device__ __forceinline__ void cp_async_wait() {
  pnsim_copy_wait(Newest);
}
__device__ __forceinline__ void cp_async_wait_all() { pnsim_copy_wait(~0u); }
#elif defined(__CUDA_ARCH__) && __CUDA_ARCH__ < 800
template <int Bytes> struct CopiedWord;
template <> struct CopiedWord<4> { unsigned part[1]; };
template <> struct alignas(8) CopiedWord<8> { unsigned part[2]; };
template <> struct alignas(16) CopiedWord<16> { unsigned part[4]; };
template <int Bytes>
__device__ __forceinline__ void cp_async_zfill(void* to, const void* from, bool take) {
  CopiedWord<Bytes> word = {};
  if (take) word = *static_cast<const CopiedWord<Bytes>*>(from);
  *static_cast<CopiedWord<Bytes>*>(to) = word;
}
template <int Bytes>
__device__ __forceinline__ void cp_async(void* to, const void* from) {
  cp_async_zfill<Bytes>(to, from, true);
}
__device__ __forceinline__ void cp_async_commit() {}
template <int Newest>
__device__ __forceinline__ void cp_async_wait() {}
__device__ __forceinline__ void cp_async_wait_all() {}
#else
template <int Bytes>
__device__ __forceinline__ void cp_async(void* to, const void* from) {
  static_assert(Bytes == 4 || Bytes == 8 || Bytes == 16, "cp.async copies 4, 8 or 16 bytes");
  const unsigned address = static_cast<unsigned>(__cvta_generic_to_shared(to));
  if constexpr (Bytes == 16) {
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16;" ::"r"(address), "l"(from) : "memory");
  } else {
    asm volatile("cp.async.ca.shared.global [%0], [%1], %2;" ::"r"(address), "l"(from), "n"(Bytes) : "memory");
  }
}
template <int Bytes>
__device__ __forceinline__ void cp_async_zfill(void* to, const void* from, bool take) {
  const unsigned address = static_cast<unsigned>(__cvta_generic_to_shared(to));
  const int size = take ? Bytes : 0;
  if constexpr (Bytes == 16) {
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(address), "l"(from), "r"(size) : "memory");
  } else {
    asm volatile("cp.async.ca.shared.global [%0], [%1], %2, %3;" ::"r"(address), "l"(from), "n"(Bytes), "r"(size) : "memory");
  }
}
__device__ __forceinline__ void cp_async_commit() { asm volatile("cp.async.commit_group;" ::: "memory"); }
template <int Newest>
__device__ __forceinline__ void cp_async_wait() {
  asm volatile("cp.async.wait_group %0;" ::"n"(Newest) : "memory");
}
__device__ __forceinline__ void cp_async_wait_all() { asm volatile("cp.async.wait_all;" ::: "memory"); }
#endif

}  // namespace pyneural::ptx
