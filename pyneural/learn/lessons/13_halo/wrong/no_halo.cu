// says: line 19: uninitialized_read: thread (15, 15) of block 0 reads shared tile[287], which nothing has written (32 rows of 32)
// look: the halo: 324 places must be filled, by 256 threads
// says: line 20: y[...] is ..., not ...; ... of 1024 elements are wrong (32 rows of 32); this one is the work of ...
// look: which element each thread computes, for the thread named

constexpr int SIDE = 16, TILE = SIDE + 2;

__global__ void edges(const int* x, int* y, int height, int width) {
  __shared__ int tile[TILE][TILE];
  int top = blockIdx.y * SIDE - 1, left = blockIdx.x * SIDE - 1;  // of the tile
  int thread = threadIdx.y * SIDE + threadIdx.x;
  int row = blockIdx.y * SIDE + threadIdx.y, column = blockIdx.x * SIDE + threadIdx.x;
  // >>> your code: fill the tile, wait, add up, store.
  tile[threadIdx.y + 1][threadIdx.x + 1] = row < height && column < width ? x[row * width + column] : 0;
  __syncthreads();
  if (row < height && column < width) {
    int sum = 9 * tile[threadIdx.y + 1][threadIdx.x + 1];
    for (int r = 0; r < 3; r++)
      for (int c = 0; c < 3; c++) sum -= tile[threadIdx.y + r][threadIdx.x + c];
    y[row * width + column] = sum;
  }
  // <<<
}
