// Three passes: a block takes a row and reads it three times from global memory: for the largest element, for the sum
// of exp(x - largest), for the results. The largest is subtracted so that no exponential overflows. Limited by
// bandwidth: 3 loads and a store for each element, where 1 and 1 are what has to move.
//
// takes: x[rows, columns] -> y[rows, columns]
// launch: softmax_three_pass(x, y, rows, columns) grid rows block THREADS

#include <math_constants.h>

constexpr int THREADS = 256;

// `combine` over the threads of a block, in all of them. `part` has a place for each warp.
template <typename Combine>
__device__ __forceinline__ float block_all(float v, float* part, const Combine& combine) {
  for (int offset = 16; offset > 0; offset /= 2) v = combine(v, __shfl_xor_sync(0xffffffffu, v, offset));
  __syncthreads();  // the last call's places have been read
  if (threadIdx.x % 32 == 0) part[threadIdx.x / 32] = v;
  __syncthreads();
  v = part[0];
  for (int i = 1; i < THREADS / 32; ++i) v = combine(v, part[i]);
  return v;
}

__global__ void __launch_bounds__(THREADS) softmax_three_pass(const float* x, float* y, int rows, int columns) {
  __shared__ float part[THREADS / 32];
  const float* from = x + size_t(blockIdx.x) * columns;
  float* to = y + size_t(blockIdx.x) * columns;
  float largest = -CUDART_INF_F;
  for (int i = threadIdx.x; i < columns; i += THREADS) largest = fmaxf(largest, from[i]);
  largest = block_all(largest, part, [](float a, float b) { return fmaxf(a, b); });
  float sum = 0.0f;
  for (int i = threadIdx.x; i < columns; i += THREADS) sum += expf(from[i] - largest);
  sum = block_all(sum, part, [](float a, float b) { return a + b; });
  for (int i = threadIdx.x; i < columns; i += THREADS) to[i] = expf(from[i] - largest) / sum;
}
