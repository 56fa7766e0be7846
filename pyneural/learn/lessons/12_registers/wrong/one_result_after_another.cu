// says: line 19: 16384 loads of a warp from shared memory; 10240 do if what was loaded of bt stays in a register for 4 multiplications
// look: docs/simulator.md, `shared_load_requests`

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

    for (int r = 0; r < EACH; r++)
      for (int j = 0; j < SIDE; j++) sum[r] += at[ty * EACH + r][j] * bt[j][tx];
    __syncthreads();
    // <<<
  }
  for (int r = 0; r < EACH; r++) {
    int row = top + ty * EACH + r;
    if (row < m && column < n) c[row * n + column] = sum[r];
  }
}
