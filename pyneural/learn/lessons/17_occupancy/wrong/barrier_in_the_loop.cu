// says: line 31: divergent_barrier: thread 255 of block 0 waits at this __syncthreads(), but thread 0 is at another one (line 27) (70 by 67)
// look: 68 rows for 8 warps: some warps have one more. What must wait for this row's sums?
// says: line 34: race: thread 128 of block 0 reads shared tile[4352], which thread 0 of the same block wrote (line 28) with no __syncthreads() between (70 by 67)
// look: where a sum takes the place of an element: who still needs the element, and who waits for the sum?
// says: line 27: divergent_barrier: thread 0 of block 0 waits at __syncthreads(), but thread 128 has returned and never comes (70 by 67)
// look: 68 rows for 8 warps: some warps have one more. What must wait for this row's sums?
// says: line 35: y[62, 32] is ..., not ...; ... of 4690 elements are wrong (70 by 67); this one is the work of block (0, 0), place [62][32] of its 64 by 64
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
      __syncthreads();
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
