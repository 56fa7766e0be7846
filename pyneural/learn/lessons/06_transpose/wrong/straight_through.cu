// says: line 11: a store of a warp touches 32 sectors on average; 32 floats side by side lie in 4
// look: docs/simulator.md, `global_store_sectors_per_request`

constexpr int SIDE = 32, ROWS = 8;

__global__ void transpose(const float* x, float* y, int height, int width) {
  // >>> your code: a tile, filled by rows of x, emptied by rows of y.
  int column = blockIdx.x * SIDE + threadIdx.x;
  for (int t = threadIdx.y; t < SIDE; t += ROWS) {
    int row = blockIdx.y * SIDE + t;
    if (row < height && column < width) y[column * height + row] = x[row * width + column];
  }
  // <<<
}
