// line 15: rows of b lie n elements apart, not k
// words: a row of `b`; `n` elements; `k`
// c = a b for matrices of m x k and k x n: a block computes 16 x 16 elements, from tiles in shared memory.

constexpr int SIDE = 16;

__global__ void matmul(const float* a, const float* b, float* c, int m, int n, int k) {
  __shared__ float at[SIDE][SIDE], bt[SIDE][SIDE];
  int tx = threadIdx.x, ty = threadIdx.y;
  int row = blockIdx.y * SIDE + ty, column = blockIdx.x * SIDE + tx;
  // >>> your code: a loop over pairs of tiles; then the result.
  float sum = 0;
  for (int first = 0; first < k; first += SIDE) {
    at[ty][tx] = row < m && first + tx < k ? a[row * k + first + tx] : 0;
    bt[ty][tx] = first + ty < k && column < n ? b[(first + ty) * k + column] : 0;
    __syncthreads();
    for (int j = 0; j < SIDE; j++) sum += at[ty][j] * bt[j][tx];
    __syncthreads();
  }
  if (row < m && column < n) c[row * n + column] = sum;
  // <<<
}
