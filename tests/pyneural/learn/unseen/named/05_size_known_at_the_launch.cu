// line 9: the size of a shared array must be a constant, known to the compiler
// words: constant
// Sums of five neighbours, from a tile in shared memory.

constexpr int BLOCK = 128, RADIUS = 2;

__global__ void window(const int* x, int* y, int n) {
  int width = blockDim.x + 2 * RADIUS;
  __shared__ int tile[width];
  int first = blockIdx.x * BLOCK - RADIUS;  // of the tile
  // >>> your code: fill the tile, wait, add five places of it.
  for (int t = threadIdx.x; t < width; t += BLOCK) {
    int i = first + t;
    tile[t] = i >= 0 && i < n ? x[i] : 0;
  }
  __syncthreads();
  int i = blockIdx.x * BLOCK + threadIdx.x;
  if (i < n) {
    int sum = 0;
    for (int t = 0; t <= 2 * RADIUS; t++) sum += tile[threadIdx.x + t];
    y[i] = sum;
  }
  // <<<
}
