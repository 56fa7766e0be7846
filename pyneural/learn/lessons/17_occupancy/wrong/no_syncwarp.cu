// says: line 25: race: thread 1 of block 0 writes shared tile[1], which thread 0 of the same block read (line 24) with no __syncwarp() or __syncthreads() between (70 by 67)
// look: where a sum takes the place of an element: who still needs the element, and who waits for the sum?
// says: line 24: race: thread 28 of block 0 reads shared tile[32], which thread 0 of the same block wrote (line 25) with no __syncwarp() or __syncthreads() between (70 by 67)
// look: where a sum takes the place of an element: who still needs the element, and who waits for the sum?
// says: line 32: y[...] is ..., not ...; ... of 4690 elements are wrong (70 by 67); this one is the work of block (...), place [...] of its 64 by 64
// look: which element each thread computes, for the thread named

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
      tile[row][column] = sum;
    }
  }
  __syncthreads();
  for (int p = t; p < SIDE * SIDE; p += THREADS) {
    int row = p / SIDE, column = p % SIDE, sum = 0;
    for (int j = 0; j <= 2 * HALO; j++) sum += tile[row + j][column];
    if (top + row < height && left + column < width) y[(top + row) * width + left + column] = sum;
  }
  // <<<
}
