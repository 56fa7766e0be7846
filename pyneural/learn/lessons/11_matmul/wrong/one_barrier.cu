// says: line 22: race: thread 1 of block 0 reads shared at[0], which thread 0 of the same block wrote (line 19) with no __syncwarp() or __syncthreads() between ((32, 48) times (48, 16))
// look: the tiles are written once for each pair: all must have read the old ones, and wait for the new
// says: line 19: race: thread 1 of block 0 writes shared at[1], which thread 0 of the same block read (line 22) with no __syncwarp() or __syncthreads() between ((32, 48) times (48, 16))
// look: the tiles are written once for each pair: all must have read the old ones, and wait for the new
// says: line 20: race: thread 15 of block 0 writes shared bt[15], which thread (15, 15) of the same block read (line 22) with no __syncthreads() between ((32, 48) times (48, 16))
// look: the tiles are written once for each pair: all must have read the old ones, and wait for the new
// says: line 24: c[0, 1] is ..., not ...; ... of 512 elements are wrong ((32, 48) times (48, 16)); this one is the work of thread (1, 0) of block (0, 0)
// look: which element each thread computes, for the thread named

constexpr int SIDE = 16;

__global__ void matmul(const float* a, const float* b, float* c, int m, int n, int k) {
  __shared__ float at[SIDE][SIDE], bt[SIDE][SIDE];
  int tx = threadIdx.x, ty = threadIdx.y;
  int row = blockIdx.y * SIDE + ty, column = blockIdx.x * SIDE + tx;
  // >>> your code: a loop over pairs of tiles; then the result.
  float sum = 0;
  for (int first = 0; first < k; first += SIDE) {
    at[ty][tx] = row < m && first + tx < k ? a[row * k + first + tx] : 0;
    bt[ty][tx] = first + ty < k && column < n ? b[(first + ty) * n + column] : 0;
    __syncthreads();
    for (int j = 0; j < SIDE; j++) sum += at[ty][j] * bt[j][tx];
  }
  if (row < m && column < n) c[row * n + column] = sum;
  // <<<
}
