// says: line 22: divergent_barrier: thread 0 of block 2 waits at __syncthreads(), but thread 1 has returned and never comes ((17, 5) times (5, 33))
// look: threads without an element of c: they load, and come to every barrier, like the others
// says: line 23: uninitialized_read: thread 0 of block 2 reads shared at[1], which nothing has written ((17, 5) times (5, 33))
// look: who writes this element first, and whether all threads wait for it
// says: line 24: divergent_barrier: thread (0, 15) of block 2 waits at __syncthreads(), but thread 1 has returned and never comes ((17, 5) times (5, 33))
// look: threads without an element of c: they load, and come to every barrier, like the others
// says: line 26: c[...] is ..., not ...; ... of 561 elements are wrong ((17, 5) times (5, 33)); this one is the work of ...
// look: which element each thread computes, for the thread named

constexpr int SIDE = 16;

__global__ void matmul(const float* a, const float* b, float* c, int m, int n, int k) {
  __shared__ float at[SIDE][SIDE], bt[SIDE][SIDE];
  int tx = threadIdx.x, ty = threadIdx.y;
  int row = blockIdx.y * SIDE + ty, column = blockIdx.x * SIDE + tx;
  // >>> your code: a loop over pairs of tiles; then the result.
  if (row >= m || column >= n) return;
  float sum = 0;
  for (int first = 0; first < k; first += SIDE) {
    at[ty][tx] = first + tx < k ? a[row * k + first + tx] : 0;
    bt[ty][tx] = first + ty < k ? b[(first + ty) * n + column] : 0;
    __syncthreads();
    for (int j = 0; j < SIDE; j++) sum += at[ty][j] * bt[j][tx];
    __syncthreads();
  }
  c[row * n + column] = sum;
  // <<<
}
