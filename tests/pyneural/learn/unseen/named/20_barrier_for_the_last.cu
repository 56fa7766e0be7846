// line 28: only the last thread comes to this barrier: all must
// words: divergent_barrier; all must reach it
// Running sums of each row: a block for a row, tile after tile.

constexpr int BLOCK = 128, WARPS = BLOCK / 32;

__global__ void running_sums(const int* x, int* y, int width) {
  __shared__ int part[WARPS];  // the sum of each warp's elements
  __shared__ int carry;        // the sum of the tiles before this one
  int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
  x += blockIdx.x * width;
  y += blockIdx.x * width;
  // >>> mend this kernel.
  if (threadIdx.x == 0) carry = 0;
  for (int first = 0; first < width; first += BLOCK) {
    int i = first + threadIdx.x;
    int sum = i < width ? x[i] : 0;
    for (int distance = 1; distance < 32; distance *= 2) {
      int before = __shfl_up_sync(0xffffffff, sum, distance);
      if (lane >= distance) sum += before;
    }
    if (lane == 31) part[warp] = sum;
    __syncthreads();
    sum += carry;
    for (int w = 0; w < warp; w++) sum += part[w];
    if (i < width) y[i] = sum;
    if (threadIdx.x == BLOCK - 1) {
      __syncthreads();
      carry = sum;
    }
  }
  // <<<
}
