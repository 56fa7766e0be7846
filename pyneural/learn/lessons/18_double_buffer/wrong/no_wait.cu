// says: line 35: race: thread (15, 15) of block 0 reads shared at[240] while thread (0, 15)'s asynchronous copy into it (line 12) is not waited for ((32, 48) times (48, 16))
// look: has each thread committed its copies, waited for them, and then told the others, at the barrier? And who may still read where the next copies go to?
// says: line 37: c[0, 0] is 0, not ...; ... of 512 elements are wrong ((32, 48) times (48, 16)); this one is the work of thread (0, 0) of block (0, 0)
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
    bool in_a = row < m && first + tx < k, in_b = first + ty < k && column < n;
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
    __syncthreads();
    if (first + SIDE < k) start(1 - buffer, first + SIDE);
    // <<<
    for (int j = 0; j < SIDE; j++) sum += at[buffer][ty][j] * bt[buffer][j][tx];
  }
  if (row < m && column < n) c[row * n + column] = sum;
}
