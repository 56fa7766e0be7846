// A row for a cluster: four blocks share a row and hold all of it in their registers, 32,768 elements of it, so that long
// rows too are loaded once. What the blocks found, two numbers each, they read from one another's shared memory, without
// a trip to device memory or a second launch; no block may end before all have read. Short rows pay for barriers of the
// cluster that the warp of the rung before does not need. Limited by the bandwidth of device memory.
//
// takes: x[rows, columns] -> y[rows, columns]
// launch: softmax_cluster(x, y, rows, columns) grid rows * BLOCKS block THREADS
//    shared (THREADS / 32 + 1) * 8
// arch: sm_90a
// improves: global_load_sectors per element

#include <cooperative_groups.h>
#include <math_constants.h>

namespace cg = cooperative_groups;

constexpr int THREADS = 256;
constexpr int BLOCKS = 4;  // of a cluster
constexpr int KEPT = 8;    // groups of 4 elements in a thread's registers

// The largest of some elements, and the sum of exp(element - largest).
struct Running {
  float largest, sum;
};

// Sums of two sets, brought to the larger of their largest elements (Milakov and Gimelshein, 2018).
__device__ __forceinline__ Running merge(Running a, Running b) {
  const float largest = fmaxf(a.largest, b.largest);
  if (largest == -CUDART_INF_F) return {largest, a.sum + b.sum};  // of nothing, or of minus infinities alone
  return {largest, a.sum * expf(a.largest - largest) + b.sum * expf(b.largest - largest)};
}

__device__ __forceinline__ Running warp_all(Running r) {
  for (int offset = 16; offset > 0; offset /= 2) {
    const float largest = __shfl_xor_sync(0xffffffffu, r.largest, offset);
    r = merge(r, {largest, __shfl_xor_sync(0xffffffffu, r.sum, offset)});
  }
  return r;
}

// Takes one element more; minus infinity adds nothing. Only a new largest element costs a second exponential.
__device__ __forceinline__ void take(Running& r, float v) {
  if (v > r.largest) {
    r.sum = r.sum * expf(r.largest - v) + 1.0f + (v - v);  // no number for an infinity
    r.largest = v;
  } else if (v != -CUDART_INF_F) {
    r.sum += expf(v - r.largest);
  }
}

__global__ void __cluster_dims__(BLOCKS) __launch_bounds__(THREADS)
    softmax_cluster(const float* x, float* y, int rows, int columns) {
  extern __shared__ Running of_warp[];  // and behind them that of the block
  Running* of_block = of_warp + THREADS / 32;
  const cg::cluster_group cluster = cg::this_cluster();
  const int row = blockIdx.x / BLOCKS, first = blockIdx.x % BLOCKS * THREADS + threadIdx.x;
  constexpr int STEP = BLOCKS * THREADS;
  const float* from = x + size_t(row) * columns;
  float* to = y + size_t(row) * columns;
  const bool aligned = columns % 4 == 0 && reinterpret_cast<size_t>(x) % 16 == 0 && reinterpret_cast<size_t>(y) % 16 == 0;
  const int groups = (columns + 3) / 4;
  const auto load = [&](int group) {
    const int i = group * 4;
    if (aligned) return *reinterpret_cast<const float4*>(from + i);
    return make_float4(from[i], i + 1 < columns ? from[i + 1] : -CUDART_INF_F, i + 2 < columns ? from[i + 2] : -CUDART_INF_F,
                       i + 3 < columns ? from[i + 3] : -CUDART_INF_F);
  };
  Running r{-CUDART_INF_F, 0.0f};
  const auto take4 = [&](float4 v) {
    take(r, v.x);
    take(r, v.y);
    take(r, v.z);
    take(r, v.w);
  };
  float4 kept[KEPT];
#pragma unroll
  for (int i = 0; i < KEPT; ++i) {
    if (first + i * STEP < groups) take4(kept[i] = load(first + i * STEP));
  }
  for (int i = first + KEPT * STEP; i < groups; i += STEP) take4(load(i));
  r = warp_all(r);
  if (threadIdx.x % 32 == 0) of_warp[threadIdx.x / 32] = r;
  __syncthreads();
  if (threadIdx.x == 0) {
    for (int i = 1; i < THREADS / 32; ++i) r = merge(r, of_warp[i]);
    *of_block = r;
  }
  cluster.sync();
  r = *cluster.map_shared_rank(of_block, 0);
  for (int i = 1; i < BLOCKS; ++i) r = merge(r, *cluster.map_shared_rank(of_block, i));
  cluster.sync();
  const auto store = [&](int group, float4 v) {
    v.x = expf(v.x - r.largest) / r.sum;
    v.y = expf(v.y - r.largest) / r.sum;
    v.z = expf(v.z - r.largest) / r.sum;
    v.w = expf(v.w - r.largest) / r.sum;
    const int i = group * 4;
    if (aligned) {
      *reinterpret_cast<float4*>(to + i) = v;
      return;
    }
    to[i] = v.x;
    if (i + 1 < columns) to[i + 1] = v.y;
    if (i + 2 < columns) to[i + 2] = v.z;
    if (i + 3 < columns) to[i + 3] = v.w;
  };
#pragma unroll
  for (int i = 0; i < KEPT; ++i) {
    if (first + i * STEP < groups) store(first + i * STEP, kept[i]);
  }
  for (int i = first + KEPT * STEP; i < groups; i += STEP) store(i, load(i));
}
