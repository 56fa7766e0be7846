// says: line 20: race: thread 1 of block 0 writes shared tile[1], which thread 0 of the same block read (line 25) with no __syncwarp() or __syncthreads() between (32 rows of 32)
// look: a pixel's neighbours are filled in by other threads: all must wait in between
// says: line 25: race: thread (2, 12) of block 0 reads shared tile[256], which thread 0 of the same block wrote (line 20) with no __syncthreads() between (32 rows of 32)
// look: a pixel's neighbours are filled in by other threads: all must wait in between
// says: line 23: race: thread (3, 13) of block 0 reads shared tile[256], which thread 0 of the same block wrote (line 20) with no __syncthreads() between (32 rows of 32)
// look: a pixel's neighbours are filled in by other threads: all must wait in between
// says: line 26: y[0, 0] is ..., not ...; ... of 1024 elements are wrong (32 rows of 32); this one is the work of thread (0, 0) of block (0, 0)
// look: which element each thread computes, for the thread named

constexpr int SIDE = 16, TILE = SIDE + 2;

__global__ void edges(const int* x, int* y, int height, int width) {
  __shared__ int tile[TILE][TILE];
  int top = blockIdx.y * SIDE - 1, left = blockIdx.x * SIDE - 1;  // of the tile
  int thread = threadIdx.y * SIDE + threadIdx.x;
  int row = blockIdx.y * SIDE + threadIdx.y, column = blockIdx.x * SIDE + threadIdx.x;
  // >>> your code: fill the tile, wait, add up, store.
  for (int p = thread; p < TILE * TILE; p += SIDE * SIDE) {
    int r = top + p / TILE, c = left + p % TILE;
    tile[p / TILE][p % TILE] = r >= 0 && r < height && c >= 0 && c < width ? x[r * width + c] : 0;
  }
  if (row < height && column < width) {
    int sum = 9 * tile[threadIdx.y + 1][threadIdx.x + 1];
    for (int r = 0; r < 3; r++)
      for (int c = 0; c < 3; c++) sum -= tile[threadIdx.y + r][threadIdx.x + c];
    y[row * width + column] = sum;
  }
  // <<<
}
