// says: line 14: out_of_bounds: thread (0, 5) of block 0 reads global b[165], 4 bytes past the end of its 165 elements ((17, 5) times (5, 33))
// look: each tile has two edges: a row and a column of its matrix, of which one is along k
// says: line 38: race: thread (1, 5) of block 2 reads shared at[80] while thread (0, 5)'s asynchronous copy into it (line 14) is not waited for ((17, 5) times (5, 33))
// look: has each thread committed its copies, waited for them, and then told the others, at the barrier? And who may still read where the next copies go to?
// says: line 40: c[...] is ..., not ...; ... of 561 elements are wrong ((17, 5) times (5, 33)); this one is the work of ...
// look: which element each thread computes, for the thread named

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
    bool in_a = row < m, in_b = column < n;
    copy(&at[buffer][ty][tx], in_a ? &a[row * k + first + tx] : a, in_a);
    copy(&bt[buffer][ty][tx], in_b ? &b[(first + ty) * n + column] : b, in_b);
    __pipeline_commit();
    // <<<
  };
  float sum = 0;
  start(0, 0);
  for (int first = 0; first < k; first += SIDE) {
    int buffer = first / SIDE % 2;
    // >>> your code: this pair is in `buffer`, for all threads; the next one is on its way.
    __pipeline_wait_prior(0);
    __syncthreads();
    if (first + SIDE < k) start(1 - buffer, first + SIDE);
    // <<<
    for (int j = 0; j < SIDE; j++) sum += at[buffer][ty][j] * bt[buffer][j][tx];
  }
  if (row < m && column < n) c[row * n + column] = sum;
}
