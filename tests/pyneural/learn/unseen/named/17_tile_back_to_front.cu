// line 29: the second step goes down the columns: row and column have changed places
// words: `row`; name
// y = sums over 5 x 5 pixels of x: a block computes 64 x 64 of them, in a tile that two steps share.

constexpr int THREADS = 256, SIDE = 64, HALO = 2, FULL = SIDE + 2 * HALO;

__global__ void box(const int* x, int* y, int height, int width) {
  __shared__ int tile[FULL][FULL];
  int t = threadIdx.x, lane = t % 32, warp = t / 32;
  int top = blockIdx.y * SIDE, left = blockIdx.x * SIDE;
  for (int p = t; p < FULL * FULL; p += THREADS) {
    int row = top - HALO + p / FULL, column = left - HALO + p % FULL;
    bool inside = row >= 0 && row < height && column >= 0 && column < width;
    tile[p / FULL][p % FULL] = inside ? x[row * width + column] : 0;
  }
  __syncthreads();
  // >>> your code: sums of five along the rows of the tile, then of five of these along its columns, to y.
  for (int row = warp; row < FULL; row += THREADS / 32) {
    for (int column = lane; column < SIDE; column += 32) {
      int sum = 0;
      for (int j = 0; j <= 2 * HALO; j++) sum += tile[row][column + j];
      __syncwarp();
      tile[row][column] = sum;
    }
  }
  __syncthreads();
  for (int p = t; p < SIDE * SIDE; p += THREADS) {
    int row = p / SIDE, column = p % SIDE, sum = 0;
    for (int j = 0; j <= 2 * HALO; j++) sum += tile[row + j][row];
    if (top + row < height && left + column < width) y[(top + row) * width + left + column] = sum;
  }
  // <<<
}
