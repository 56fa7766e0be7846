// How a tile of 16-bit elements lies in shared memory for wgmma: lines of 128 bytes, swizzled, as TMA writes them.
#pragma once
#include "gemm.cuh"
#include "ptx/wgmma.cuh"

namespace pyneural {

// What wgmma is told of a tile, and how far 16 inner places are in it.
template <Along along> __device__ __forceinline__ unsigned long long operand_descriptor(const void* tile) {
  return ptx::wgmma_descriptor(tile, along == kAlongInner ? 16 : 64 * 128, 8 * 128, ptx::Swizzle::B128);
}
template <Along along> constexpr unsigned long long kInnerStep = (along == kAlongInner ? 16 * 2 : 16 * 128) >> 4;

// Where row (or column) `outer` and inner place `k` lie, in elements: a line for each row of 64 inner places, or boxes of
// 64 rows with a line for each inner place.
template <Along along> __device__ __forceinline__ int operand_place(int outer, int k) {
  if constexpr (along == kAlongInner) {
    return outer * 64 + ((k / 8) ^ (outer & 7)) * 8 + k % 8;
  } else {
    return outer / 64 * 64 * 64 + k * 64 + ((outer % 64 / 8) ^ (k & 7)) * 8 + outer % 8;
  }
}

}  // namespace pyneural
