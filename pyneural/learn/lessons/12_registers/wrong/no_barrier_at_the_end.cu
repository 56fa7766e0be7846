// says: line 25: race: thread 1 of block 0 reads shared at[0], which thread 0 of the same block wrote (line 20) with no __syncwarp() or __syncthreads() between ((64, 32) times (32, 16))
// look: the tiles are written once for each pair: all must have read the old ones, and wait for the new
// says: line 20: race: thread 1 of block 0 writes shared at[1], which thread 0 of the same block read (line 25) with no __syncwarp() or __syncthreads() between ((64, 32) times (32, 16))
// look: the tiles are written once for each pair: all must have read the old ones, and wait for the new
// says: line 24: race: thread 15 of block 0 reads shared bt[255], which thread (15, 15) of the same block wrote (line 21) with no __syncthreads() between ((64, 32) times (32, 16))
// look: the tiles are written once for each pair: all must have read the old ones, and wait for the new
// says: line 31: c[0, 1] is ..., not ...; ... of 1024 elements are wrong ((64, 32) times (32, 16)); this one is the work of thread (1, 0) of block (0, 0), its result 0
// look: which element each thread computes, for the thread named

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
      for (int r = 0; r < EACH; r++) sum[r] += at[ty * EACH + r][j] * once;
    }
    // <<<
  }
  for (int r = 0; r < EACH; r++) {
    int row = top + ty * EACH + r;
    if (row < m && column < n) c[row * n + column] = sum[r];
  }
}
