// Warp per row: a row is the business of 32 lanes, which agree by shuffles. No shared memory, no barrier, 8 rows in a
// block that do not wait for each other: what short rows need. Limited by the number of load instructions, and for rows
// of many thousands of elements by too few lanes on each.
//
// takes: x[rows, columns] -> y[rows, columns]
// launch: softmax_warp_per_row(x, y, rows, columns) grid ceil(rows, THREADS / 32) block THREADS
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

__global__ void __launch_bounds__(THREADS) softmax_warp_per_row(const float* x, float* y, int rows, int columns) {
  const int row = blockIdx.x * (THREADS / 32) + threadIdx.x / 32, lane = threadIdx.x % 32;
  if (row >= rows) return;  // a whole warp
  const float* from = x + size_t(row) * columns;
  float* to = y + size_t(row) * columns;
  Running r{-CUDART_INF_F, 0.0f};
  for (int i = lane; i < columns; i += 32) take(r, from[i]);
  r = warp_all(r);
  for (int i = lane; i < columns; i += 32) to[i] = expf(from[i] - r.largest) / r.sum;
}
