// line 13: lane 0 of each warp stores, not thread 0 of the block: only one warp's sum is stored
// words: never written; lane 0 of warp 1
// The sum of each row: one warp for a row, 4 rows in a block.

__global__ void row_sums(const int* x, int* sums, int height, int width) {
  int lane = threadIdx.x % 32;
  int row = blockIdx.x * 4 + threadIdx.x / 32;
  if (row >= height) return;  // whole warps
  // >>> your code: each lane a sum of its own, then the sum of the warp by shuffles; lane 0 stores it.
  int sum = 0;
  for (int column = lane; column < width; column += 32) sum += x[row * width + column];
  for (int distance = 16; distance > 0; distance /= 2) sum += __shfl_down_sync(0xffffffff, sum, distance);
  if (threadIdx.x == 0) sums[row] = sum;
  // <<<
}
