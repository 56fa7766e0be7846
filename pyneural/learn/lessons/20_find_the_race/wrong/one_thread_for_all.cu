// says: line 18: 98304 bytes move to and from global memory; 12288 would do (3 rows of 512)
// look: this line, which moves most of them

// Running sums of each row: a block for a row, tile after tile.

constexpr int BLOCK = 128, WARPS = BLOCK / 32;

__global__ void running_sums(const int* x, int* y, int width) {
  __shared__ int part[WARPS];  // the sum of each warp's elements
  __shared__ int carry;        // the sum of the tiles before this one
  int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
  x += blockIdx.x * width;
  y += blockIdx.x * width;
  // >>> mend this kernel.
  if (threadIdx.x > 0) return;
  carry = 0;
  for (int i = 0; i < width; i++) {
    carry += x[i];
    y[i] = carry;
  }
  // <<<
}
