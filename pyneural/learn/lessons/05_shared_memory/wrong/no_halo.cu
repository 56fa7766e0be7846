// says: line 17: uninitialized_read: thread 127 of block 0 reads shared tile[130], which nothing has written (n = 256)
// look: the halo: 132 places of the tile must be filled, by 128 threads
// says: line 18: y[...] is ..., not ...; ... of 256 elements are wrong (n = 256); this one is the work of ...
// look: which element each thread computes, for the thread named

constexpr int BLOCK = 128, RADIUS = 2;

__global__ void window(const int* x, int* y, int n) {
  __shared__ int tile[BLOCK + 2 * RADIUS];
  int first = blockIdx.x * BLOCK - RADIUS;  // of the tile
  // >>> your code: fill the tile, wait, add five places of it.
  int i = blockIdx.x * BLOCK + threadIdx.x;
  tile[threadIdx.x + RADIUS] = i < n ? x[i] : 0;
  __syncthreads();
  if (i < n) {
    int sum = 0;
    for (int t = 0; t <= 2 * RADIUS; t++) sum += tile[threadIdx.x + t];
    y[i] = sum;
  }
  // <<<
}
