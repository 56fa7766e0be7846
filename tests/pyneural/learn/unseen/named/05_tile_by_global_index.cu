// line 12: a shared array begins at 0 in every block: its index is the place in the block and not the element's
// words: shared; block's own; among all blocks
// Sums of five neighbours, from a tile in shared memory.

constexpr int BLOCK = 128, RADIUS = 2;

__global__ void window(const int* x, int* y, int n) {
  __shared__ int tile[BLOCK + 2 * RADIUS];
  int first = blockIdx.x * BLOCK - RADIUS;  // of the tile
  // >>> your code: fill the tile, wait, add five places of it.
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) tile[i + RADIUS] = x[i];
  if (threadIdx.x < RADIUS) {
    tile[threadIdx.x] = first + (int)threadIdx.x >= 0 ? x[first + threadIdx.x] : 0;
    tile[BLOCK + RADIUS + threadIdx.x] = i + BLOCK < n ? x[i + BLOCK] : 0;
  }
  __syncthreads();
  if (i < n) {
    int sum = 0;
    for (int t = 0; t <= 2 * RADIUS; t++) sum += tile[i + t];
    y[i] = sum;
  }
  // <<<
}
