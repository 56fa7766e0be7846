// says: line 21: y[0, 0] is ..., not ...; 1024 of 1024 elements are wrong (32 rows of 32); this one is the work of thread (0, 0) of block (0, 0)
// look: the pixel itself is among the nine: it counts 8 times when all is done

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
  __syncthreads();
  if (row < height && column < width) {
    int sum = 8 * tile[threadIdx.y + 1][threadIdx.x + 1];
    for (int r = 0; r < 3; r++)
      for (int c = 0; c < 3; c++) sum -= tile[threadIdx.y + r][threadIdx.x + c];
    y[row * width + column] = sum;
  }
  // <<<
}
