// says: line 18: out_of_bounds: thread (0, 5) of block 0 reads global b[165], 4 bytes past the end of its 165 elements ((17, 5) times (5, 33))
// look: each tile has two edges: a row and a column of its matrix, of which one is along k
// says: line 17: out_of_bounds: thread (15, 14) of block 0 reads global a[85], 4 bytes past the end of its 85 elements ((17, 5) times (5, 33))
// look: each tile has two edges: a row and a column of its matrix, of which one is along k
// says: line 23: c[...] is ..., not ...; ... of 561 elements are wrong ((17, 5) times (5, 33)); this one is the work of ...
// look: which element each thread computes, for the thread named

constexpr int SIDE = 16;

__global__ void matmul(const float* a, const float* b, float* c, int m, int n, int k) {
  __shared__ float at[SIDE][SIDE], bt[SIDE][SIDE];
  int tx = threadIdx.x, ty = threadIdx.y;
  int row = blockIdx.y * SIDE + ty, column = blockIdx.x * SIDE + tx;
  // >>> your code: a loop over pairs of tiles; then the result.
  float sum = 0;
  for (int first = 0; first < k; first += SIDE) {
    at[ty][tx] = row < m ? a[row * k + first + tx] : 0;
    bt[ty][tx] = column < n ? b[(first + ty) * n + column] : 0;
    __syncthreads();
    for (int j = 0; j < SIDE; j++) sum += at[ty][j] * bt[j][tx];
    __syncthreads();
  }
  if (row < m && column < n) c[row * n + column] = sum;
  // <<<
}
