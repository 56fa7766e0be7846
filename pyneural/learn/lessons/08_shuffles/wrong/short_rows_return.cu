// says: line 14: invalid_warp_sync: thread 0 of block 0 names 25 lanes (7 to 31) in mask 0xffffffff, which has returned and has no value to give (1 rows of 7)
// look: the branch or loop around the shuffle: all 32 lanes that the mask names must come
// says: line 15: sums[0] is ..., not ...; 1 of 1 elements are wrong (1 rows of 7); this one is the work of lane 0 of warp 0 of block 0
// look: which element each thread computes, for the thread named

__global__ void row_sums(const int* x, int* sums, int height, int width) {
  int lane = threadIdx.x % 32;
  int row = blockIdx.x * 4 + threadIdx.x / 32;
  if (row >= height) return;  // whole warps
  // >>> your code: each lane a sum of its own, then the sum of the warp by shuffles; lane 0 stores it.
  if (lane >= width) return;
  int sum = 0;
  for (int column = lane; column < width; column += 32) sum += x[row * width + column];
  for (int distance = 16; distance > 0; distance /= 2) sum += __shfl_down_sync(0xffffffff, sum, distance);
  if (lane == 0) sums[row] = sum;
  // <<<
}
