// says: line 13: sums[0] is ..., not ...; 8 of 8 elements are wrong (8 rows of 32); this one is the work of lane 0 of warp 0 of block 0
// look: the upper 16 lanes are in no sum: the first distance is half a warp

__global__ void row_sums(const int* x, int* sums, int height, int width) {
  int lane = threadIdx.x % 32;
  int row = blockIdx.x * 4 + threadIdx.x / 32;
  if (row >= height) return;  // whole warps
  // >>> your code: each lane a sum of its own, then the sum of the warp by shuffles; lane 0 stores it.
  int sum = 0;
  for (int column = lane; column < width; column += 32) sum += x[row * width + column];

  for (int distance = 8; distance > 0; distance /= 2) sum += __shfl_down_sync(0xffffffff, sum, distance);
  if (lane == 0) sums[row] = sum;
  // <<<
}
