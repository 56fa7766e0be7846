// line 8 or 13: extern __shared__ takes its size from the launch, which gives none here
// words: extern __shared__; 0 bytes; launch
// Sums of five neighbours, from a tile in shared memory.

constexpr int BLOCK = 128, RADIUS = 2;

__global__ void window(const int* x, int* y, int n) {
  extern __shared__ int tile[];
  int first = blockIdx.x * BLOCK - RADIUS;  // of the tile
  // >>> your code: fill the tile, wait, add five places of it.
  for (int t = threadIdx.x; t < BLOCK + 2 * RADIUS; t += BLOCK) {
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
