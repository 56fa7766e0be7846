// Vectorised, row in registers: 16 bytes a load, and up to 1024 elements of a row stay in the registers of their warp,
// 8 times 4 in each lane. Each is loaded once, as when the row was kept in shared memory, without shared memory's
// trips; and a quarter of the instructions load it. Longer rows are read twice; unaligned ones element by element.
// Limited by the bandwidth of device memory.
//
// takes: x[rows, columns] -> y[rows, columns]
// launch: softmax_vectorised(x, y, rows, columns) grid ceil(rows, THREADS / 32) block THREADS
// improves: global_load_requests per element

#include <math_constants.h>

constexpr int THREADS = 256;
constexpr int KEPT = 8;  // groups of 4 elements in a lane's registers

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

__global__ void __launch_bounds__(THREADS) softmax_vectorised(const float* x, float* y, int rows, int columns) {
  const int row = blockIdx.x * (THREADS / 32) + threadIdx.x / 32, lane = threadIdx.x % 32;
  if (row >= rows) return;
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
    if (lane + i * 32 < groups) take4(kept[i] = load(lane + i * 32));
  }
  for (int i = lane + KEPT * 32; i < groups; i += 32) take4(load(i));
  r = warp_all(r);
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
    if (lane + i * 32 < groups) store(lane + i * 32, kept[i]);
  }
  for (int i = lane + KEPT * 32; i < groups; i += 32) store(i, load(i));
}
