// says: line 20: uninitialized_read: thread (15, 15) of block 0 reads shared at[960], which nothing has written ((64, 32) times (32, 16))
// look: a's tile has 64 rows, and there are 16 rows of threads
// says: line 27: c[...] is ..., not ...; ... of 1024 elements are wrong ((64, 32) times (32, 16)); this one is the work of ...
// look: which element each thread computes, for the thread named

constexpr int SIDE = 16, EACH = 4;

__global__ void matmul(const float* a, const float* b, float* c, int m, int n, int k) {
  __shared__ float at[SIDE * EACH][SIDE], bt[SIDE][SIDE];
  int tx = threadIdx.x, ty = threadIdx.y;
  int top = blockIdx.y * SIDE * EACH, column = blockIdx.x * SIDE + tx;
  float sum[EACH] = {};
  for (int first = 0; first < k; first += SIDE) {
    // >>> your code: fill both tiles, wait, multiply, wait. Row r of this thread is row ty * EACH + r of the tile.
    at[ty][tx] = top + ty < m && first + tx < k ? a[(top + ty) * k + first + tx] : 0;
    bt[ty][tx] = first + ty < k && column < n ? b[(first + ty) * n + column] : 0;
    __syncthreads();
    for (int j = 0; j < SIDE; j++) {
      float once = bt[j][tx];
      for (int r = 0; r < EACH; r++) sum[r] += at[ty * EACH + r][j] * once;
    }
    __syncthreads();
    // <<<
  }
  for (int r = 0; r < EACH; r++) {
    int row = top + ty * EACH + r;
    if (row < m && column < n) c[row * n + column] = sum[r];
  }
}
