// line 20: r goes up to EACH, and sum has places 0 to EACH - 1
// words: past the end; `sum`
// c = a b for matrices of m x k and k x n: a block computes 64 x 16 elements, a thread 4 of them.

constexpr int SIDE = 16, EACH = 4;

__global__ void matmul(const float* a, const float* b, float* c, int m, int n, int k) {
  __shared__ float at[SIDE * EACH][SIDE], bt[SIDE][SIDE];
  int tx = threadIdx.x, ty = threadIdx.y;
  int top = blockIdx.y * SIDE * EACH, column = blockIdx.x * SIDE + tx;
  float sum[EACH] = {};
  for (int first = 0; first < k; first += SIDE) {
    // >>> your code: fill both tiles, wait, multiply, wait. Row r of this thread is row ty * EACH + r of the tile.
    for (int t = ty; t < SIDE * EACH; t += SIDE)
      at[t][tx] = top + t < m && first + tx < k ? a[(top + t) * k + first + tx] : 0;
    bt[ty][tx] = first + ty < k && column < n ? b[(first + ty) * n + column] : 0;
    __syncthreads();
    for (int j = 0; j < SIDE; j++) {
      float once = bt[j][tx];
      for (int r = 0; r <= EACH; r++) sum[r] += at[ty * EACH + r][j] * once;
    }
    __syncthreads();
    // <<<
  }
  for (int r = 0; r < EACH; r++) {
    int row = top + ty * EACH + r;
    if (row < m && column < n) c[row * n + column] = sum[r];
  }
}
