// says: line 16: divergent_barrier: thread 0 of block 2 waits at __syncthreads(), but thread 44 has returned and never comes (n = 300)
// look: threads past the end of x have no result, but they must come to the barrier as well

constexpr int BLOCK = 128, RADIUS = 2;

__global__ void window(const int* x, int* y, int n) {
  __shared__ int tile[BLOCK + 2 * RADIUS];
  int first = blockIdx.x * BLOCK - RADIUS;  // of the tile
  // >>> your code: fill the tile, wait, add five places of it.
  for (int t = threadIdx.x; t < BLOCK + 2 * RADIUS; t += BLOCK) {
    int i = first + t;
    tile[t] = i >= 0 && i < n ? x[i] : 0;
  }
  int i = blockIdx.x * BLOCK + threadIdx.x;
  if (i < n) {
    __syncthreads();
    int sum = 0;
    for (int t = 0; t <= 2 * RADIUS; t++) sum += tile[threadIdx.x + t];
    y[i] = sum;
  }
  // <<<
}
