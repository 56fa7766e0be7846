// says: line 16: race: thread 1 of block 0 writes shared tile[1], which thread 0 of the same block read (line 21) with no __syncwarp() or __syncthreads() between (n = 256)
// look: one thread fills a place of the tile, another one reads it: all threads must wait in between
// says: line 21: race: thread 124 of block 0 reads shared tile[128], which thread 0 of the same block wrote (line 16) with no __syncthreads() between (n = 256)
// look: one thread fills a place of the tile, another one reads it: all threads must wait in between
// says: line 22: y[0] is ..., not ...; ... of 256 elements are wrong (n = 256); this one is the work of thread 0 of block 0
// look: which element each thread computes, for the thread named

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
    int sum = 0;
    for (int t = 0; t <= 2 * RADIUS; t++) sum += tile[threadIdx.x + t];
    y[i] = sum;
  }
  // <<<
}
