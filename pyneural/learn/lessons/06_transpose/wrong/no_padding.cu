// says: line 18: 5952 times a warp waits for a bank of shared memory that serves another of its lanes
// look: docs/simulator.md, `shared_load_bank_conflicts`

constexpr int SIDE = 32, ROWS = 8;

__global__ void transpose(const float* x, float* y, int height, int width) {
  // >>> your code: a tile, filled by rows of x, emptied by rows of y.
  __shared__ float tile[SIDE][SIDE];
  int column = blockIdx.x * SIDE + threadIdx.x;
  for (int t = threadIdx.y; t < SIDE; t += ROWS) {
    int row = blockIdx.y * SIDE + t;
    if (row < height && column < width) tile[t][threadIdx.x] = x[row * width + column];
  }
  __syncthreads();
  int to = blockIdx.y * SIDE + threadIdx.x;
  for (int t = threadIdx.y; t < SIDE; t += ROWS) {
    int from = blockIdx.x * SIDE + t;
    if (from < width && to < height) y[from * height + to] = tile[threadIdx.x][t];
  }
  // <<<
}
