// says: line 20: 12800 loads of a warp from shared memory; 5280 do if the sums of five along rows are kept
// look: docs/simulator.md, `shared_load_requests`

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
  for (int p = t; p < SIDE * SIDE; p += THREADS) {
    int row = p / SIDE, column = p % SIDE, sum = 0;
    for (int i = 0; i <= 2 * HALO; i++)
      for (int j = 0; j <= 2 * HALO; j++) sum += tile[row + i][column + j];
    if (top + row < height && left + column < width) y[(top + row) * width + left + column] = sum;
  }
  // <<<
}
