// says: line 14: 28544 bytes move to and from global memory; 8192 would do (n = 1024)
// look: this line, which moves most of them

constexpr int BLOCK = 128, RADIUS = 2;

__global__ void window(const int* x, int* y, int n) {
  __shared__ int tile[BLOCK + 2 * RADIUS];
  int first = blockIdx.x * BLOCK - RADIUS;  // of the tile
  // >>> your code: fill the tile, wait, add five places of it.
  int i = blockIdx.x * BLOCK + threadIdx.x;
  if (i < n) {
    int sum = 0;
    for (int j = i - RADIUS; j <= i + RADIUS; j++)
      if (j >= 0 && j < n) sum += x[j];
    y[i] = sum;
  }
  // <<<
}
