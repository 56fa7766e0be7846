// Inclusive sums over the threads of a warp or a block, each thread with several values in a row. The order of the
// additions is fixed, and nothing is subtracted: infinities reach only what follows them.
#pragma once
#include "map.cuh"
#include "reduce.cuh"

namespace pyneural {

// Inclusive sums of the values of a warp's lanes.
template <typename T> __device__ __forceinline__ T warp_scan(T value) {
  const int lane = threadIdx.x % kWarp;
#pragma unroll
  for (int offset = 1; offset < kWarp; offset *= 2) {
    const T before = __shfl_up_sync(kAllLanes, value, offset);
    if (lane >= offset) value = before + value;
  }
  return value;
}

// What precedes a lane's own value, from the inclusive sums.
template <typename T> __device__ __forceinline__ T before_lane(T inclusive) {
  const T before = __shfl_up_sync(kAllLanes, inclusive, 1);
  return threadIdx.x % kWarp == 0 ? T(0) : before;
}

template <int N, typename T> __device__ __forceinline__ void thread_scan(T (&value)[N]) {
#pragma unroll
  for (int k = 1; k < N; ++k) value[k] = value[k - 1] + value[k];
}

// The sums up to each value of a warp's tile, on top of `carry`, in place; the sum of all, for the next tile.
template <int N, typename T> __device__ __forceinline__ T warp_tile_scan(T (&value)[N], T carry) {
  thread_scan(value);
  const T running = warp_scan(value[N - 1]);
  const T before = carry + before_lane(running);
#pragma unroll
  for (int k = 0; k < N; ++k) value[k] = before + value[k];
  return carry + __shfl_sync(kAllLanes, running, kWarp - 1);
}

// The same for a block of full warps; `shared` has room for a value a warp.
template <int N, typename T> __device__ __forceinline__ T block_tile_scan(T (&value)[N], T carry, T* shared) {
  const int lane = threadIdx.x % kWarp, warp = threadIdx.x / kWarp, warps = blockDim.x / kWarp;
  thread_scan(value);
  const T running = warp_scan(value[N - 1]);
  if (lane == kWarp - 1) shared[warp] = running;
  __syncthreads();
  T before = carry, all = carry;
  for (int w = 0; w < warps; ++w) {
    const T sum = shared[w];
    if (w < warp) before = before + sum;
    all = all + sum;
  }
  before = before + before_lane(running);
#pragma unroll
  for (int k = 0; k < N; ++k) value[k] = before + value[k];
  __syncthreads();
  return all;
}

}  // namespace pyneural
