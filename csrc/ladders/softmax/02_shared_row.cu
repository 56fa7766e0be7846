// Row in shared memory: the row is loaded once and kept; the second pass replaces its elements by their exponentials,
// and the third only divides. One load from global memory for each element instead of three, one exponential instead of
// two. Of rows longer than the 8192 elements that are kept, the rest is read again. Limited by the trips to shared
// memory, and by the memory that a row takes: few blocks fit on a multiprocessor.
//
// takes: x[rows, columns] -> y[rows, columns]
// let: held = min(columns, HELD)
// launch: softmax_shared_row(x, y, rows, columns) grid rows block THREADS shared held * 4
// improves: global_load_sectors per element

#include <math_constants.h>

constexpr int THREADS = 256;
constexpr int HELD = 8192;  // elements of a row in shared memory at most

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

__global__ void __launch_bounds__(THREADS) softmax_shared_row(const float* x, float* y, int rows, int columns) {
  extern __shared__ float row[];
  __shared__ float part[THREADS / 32];
  const float* from = x + size_t(blockIdx.x) * columns;
  float* to = y + size_t(blockIdx.x) * columns;
  const int held = columns < HELD ? columns : HELD;
  float largest = -CUDART_INF_F;
  for (int i = threadIdx.x; i < columns; i += THREADS) {  // every thread comes back to its own elements: no barrier
    const float v = from[i];
    if (i < held) row[i] = v;
    largest = fmaxf(largest, v);
  }
  largest = block_all(largest, part, [](float a, float b) { return fmaxf(a, b); });
  float sum = 0.0f;
  for (int i = threadIdx.x; i < columns; i += THREADS) {
    const float v = expf((i < held ? row[i] : from[i]) - largest);
    if (i < held) row[i] = v;
    sum += v;
  }
  sum = block_all(sum, part, [](float a, float b) { return a + b; });
  for (int i = threadIdx.x; i < columns; i += THREADS) to[i] = (i < held ? row[i] : expf(from[i] - largest)) / sum;
}
