// says: line 24: uninitialized_read: thread (31, 7) of block (0, 1) reads shared tile[1030], which nothing has written (33 rows of 70)
// look: who writes this element first, and whether all threads wait for it
// says: line 24: race: thread (31, 7) of block (0, 1) writes global y[294], which thread 30 of block 0 wrote (line 24); blocks run in any order: use an atomic operation, or two launches (33 rows of 70)
// look: which block is to have this element: no barrier orders two blocks
// says: line 24: out_of_bounds: thread (0, 7) of block 0 writes global y[1457], 4 bytes past the end of its 1457 elements (47 rows of 31)
// look: the condition that guards this access, and the largest index that comes here
// says: line 24: y[32, 0] is never written; it must be ...; 1024 of 2048 elements are wrong (32 rows of 64)
// look: which element each thread computes, for the thread named: `from = blockIdx.x * SIDE + t` (line 23), `to = blockIdx.y * SIDE + threadIdx.x` (line 21)

constexpr int SIDE = 32, ROWS = 8;

__global__ void transpose(const float* x, float* y, int height, int width) {
  // >>> your code: a tile, filled by rows of x, emptied by rows of y.
  __shared__ float tile[SIDE][SIDE + 1];
  int column = blockIdx.x * SIDE + threadIdx.x;
  for (int t = threadIdx.y; t < SIDE; t += ROWS) {
    int row = blockIdx.y * SIDE + t;
    if (row < height && column < width) tile[t][threadIdx.x] = x[row * width + column];
  }
  __syncthreads();
  int to = blockIdx.y * SIDE + threadIdx.x;
  for (int t = threadIdx.y; t < SIDE; t += ROWS) {
    int from = blockIdx.x * SIDE + t;
    if (from < height && to < width) y[from * height + to] = tile[threadIdx.x][t];
  }
  // <<<
}
