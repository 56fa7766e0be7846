// line 16 or 18: the block's offsets must change places as well: y's rows begin at blockIdx.x
// words: blockIdx.x; blockIdx.y
// The transpose of a matrix: a block of 32 x 8 threads moves a tile of 32 x 32.

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
  int to = blockIdx.x * SIDE + threadIdx.x;
  for (int t = threadIdx.y; t < SIDE; t += ROWS) {
    int from = blockIdx.y * SIDE + t;
    if (from < width && to < height) y[from * height + to] = tile[threadIdx.x][t];
  }
  // <<<
}
