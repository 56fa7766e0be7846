// Reductions in a warp and in a block, for any associative operation `combine(a, b)`.
#pragma once
#include "element.cuh"

namespace pyneural {

constexpr int kWarp = 32;
constexpr unsigned kAllLanes = 0xffffffffu;

// The combination of the values of all lanes of a warp, in every lane.
template <typename T, typename Combine> __device__ __forceinline__ T warp_reduce(T value, const Combine& combine) {
#pragma unroll
  for (int offset = kWarp / 2; offset > 0; offset /= 2) {
    value = combine(value, __shfl_xor_sync(kAllLanes, value, offset));
  }
  return value;
}

// The combination of the values of all threads of a block of full warps along x, in every thread. `shared` has
// room for a value a warp; it may be used again after the next barrier.
template <typename T, typename Combine>
__device__ __forceinline__ T block_reduce(T value, T identity, T* shared, const Combine& combine) {
  const int lane = threadIdx.x % kWarp, warp = threadIdx.x / kWarp, warps = blockDim.x / kWarp;
  value = warp_reduce(value, combine);
  if (lane == 0) shared[warp] = value;
  __syncthreads();
  return warp_reduce(lane < warps ? shared[lane] : identity, combine);
}

}  // namespace pyneural
