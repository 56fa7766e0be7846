// Fused: one kernel, a warp for each row of q. It goes over the keys twice, first for the largest score and the sum, as
// softmax's online rung does, then for the result, and works the scores out anew instead of storing them: nothing but
// the result is written. The lanes share the elements of a key, so that keys are read side by side. Limited by the keys
// and values, which every row reads from global memory for itself.
//
// takes: q[heads, rows, e], k[heads, keys, e], v[heads, keys, ev], causal=0 -> y[heads, rows, ev]
// requires: e >= 1
// launch: attention_fused(q, k, v, y, heads * rows, rows, keys, e, ev, causal) grid ceil(heads * rows, THREADS / 32)
//   block THREADS
// improves: global_store_sectors per FMA

#include <math_constants.h>

constexpr int THREADS = 128;
constexpr int DIMS = 4;  // elements of the result in a lane: 128 of them in a warp; more take another round

__device__ __forceinline__ float warp_sum(float v) {
  for (int offset = 16; offset > 0; offset /= 2) v += __shfl_xor_sync(0xffffffffu, v, offset);
  return v;
}

__global__ void __launch_bounds__(THREADS) attention_fused(const float* q, const float* k, const float* v, float* y,
                                                           int all_rows, int rows, int keys, int e, int ev, int causal) {
  const int i = blockIdx.x * (THREADS / 32) + threadIdx.x / 32, lane = threadIdx.x % 32;
  if (i >= all_rows) return;
  const int row = i % rows;
  const float *from_q = q + size_t(i) * e, *from_k = k + size_t(i / rows) * keys * e;
  const float* from_v = v + size_t(i / rows) * keys * ev;
  const int end = causal && row + 1 < keys ? row + 1 : keys;
  const float scale = 1.0f / sqrtf(float(e));
  const auto score = [&](int key) {
    float part = 0.0f;
    for (int j = lane; j < e; j += 32) part += from_q[j] * from_k[size_t(key) * e + j];
    return warp_sum(part) * scale;
  };
  float largest = -CUDART_INF_F, sum = 0.0f;
  for (int key = 0; key < end; ++key) {
    const float s = score(key), larger = fmaxf(largest, s);
    sum = sum * expf(largest - larger) + expf(s - larger);
    largest = larger;
  }
  for (int start = 0; start < ev; start += 32 * DIMS) {
    float result[DIMS] = {};
    for (int key = 0; key < end; ++key) {
      const float weight = expf(score(key) - largest) / sum;
#pragma unroll
      for (int j = 0; j < DIMS; ++j) {
        const int at = start + j * 32 + lane;
        if (at < ev) result[j] += weight * from_v[size_t(key) * ev + at];
      }
    }
#pragma unroll
    for (int j = 0; j < DIMS; ++j) {
      const int at = start + j * 32 + lane;
      if (at < ev) y[size_t(i) * ev + at] = result[j];
    }
  }
}
