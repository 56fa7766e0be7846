// Online: largest element and sum in one pass. When a larger element comes, the sum so far is scaled by exp(old - new);
// two partial results are merged the same way. No row is kept, so that rows of any length run at the same occupancy and
// one reduction does the work of two; the price is a second load of each element. Limited by bandwidth and by the
// block's barriers, which a short row spends most of its time at.
//
// takes: x[rows, columns] -> y[rows, columns]
// launch: softmax_online(x, y, rows, columns) grid rows block THREADS
// improves: shared_load_requests per element

#include <math_constants.h>

constexpr int THREADS = 256;

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

__global__ void __launch_bounds__(THREADS) softmax_online(const float* x, float* y, int rows, int columns) {
  __shared__ float largest[THREADS / 32], sum[THREADS / 32];
  const float* from = x + size_t(blockIdx.x) * columns;
  float* to = y + size_t(blockIdx.x) * columns;
  Running r{-CUDART_INF_F, 0.0f};
  for (int i = threadIdx.x; i < columns; i += THREADS) take(r, from[i]);
  r = warp_all(r);
  if (threadIdx.x % 32 == 0) {
    largest[threadIdx.x / 32] = r.largest;
    sum[threadIdx.x / 32] = r.sum;
  }
  __syncthreads();
  r = {largest[0], sum[0]};
  for (int i = 1; i < THREADS / 32; ++i) r = merge(r, {largest[i], sum[i]});
  for (int i = threadIdx.x; i < columns; i += THREADS) to[i] = expf(from[i] - r.largest) / r.sum;
}
