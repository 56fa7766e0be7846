// line 13: a shuffle changes nothing by itself: its value must be added
// words: __shfl_down_sync; value
// The sum of each row: one warp for a row, 4 rows in a block.

__global__ void row_sums(const int* x, int* sums, int height, int width) {
  int lane = threadIdx.x % 32;
  int row = blockIdx.x * 4 + threadIdx.x / 32;
  if (row >= height) return;  // whole warps
  // >>> your code: each lane a sum of its own, then the sum of the warp by shuffles; lane 0 stores it.
  int sum = 0;
  for (int column = lane; column < width; column += 32) sum += x[row * width + column];
  for (int distance = 16; distance > 0; distance /= 2) {
    __shfl_down_sync(0xffffffff, sum, distance);
  }
  if (lane == 0) sums[row] = sum;
  // <<<
}
