// line 29: first grows in steps of 16, so first % 2 is always 0: the number of the pair is what changes
// words: always 0
// c = a b for matrices of m x k and k x n, from tiles that arrive while those before them are multiplied.

#include <cuda_pipeline.h>

constexpr int SIDE = 16;

// Starts the copy of one number into shared memory; of 0, where there is no number.
__device__ void copy(float* to, const float* from, bool exists) {
  __pipeline_memcpy_async(to, from, 4, exists ? 0 : 4);
}

__global__ void matmul(const float* a, const float* b, float* c, int m, int n, int k) {
  __shared__ float at[2][SIDE][SIDE], bt[2][SIDE][SIDE];
  int tx = threadIdx.x, ty = threadIdx.y;
  int row = blockIdx.y * SIDE + ty, column = blockIdx.x * SIDE + tx;
  auto start = [&](int buffer, int first) {
    // >>> your code: start this thread's two copies of the pair of tiles that begins at `first`, as one group.
    bool in_a = row < m && first + tx < k, in_b = first + ty < k && column < n;
    copy(&at[buffer][ty][tx], in_a ? &a[row * k + first + tx] : a, in_a);
    copy(&bt[buffer][ty][tx], in_b ? &b[(first + ty) * n + column] : b, in_b);
    __pipeline_commit();
    // <<<
  };
  float sum = 0;
  start(0, 0);
  for (int first = 0; first < k; first += SIDE) {
    int buffer = first % 2;
    // >>> your code: this pair is in `buffer`, for all threads; the next one is on its way.
    __pipeline_wait_prior(0);
    __syncthreads();
    if (first + SIDE < k) start(1 - buffer, first + SIDE);
    // <<<
    for (int j = 0; j < SIDE; j++) sum += at[buffer][ty][j] * bt[buffer][j][tx];
  }
  if (row < m && column < n) c[row * n + column] = sum;
}
