// line 19 or 20: the lanes of a warp do not run in lockstep: __syncwarp() is missing between the steps
// words: race; __syncwarp()
// The sum of each block's elements, by a tree.

constexpr int BLOCK = 256;

__global__ void block_sums(const int* x, int* sums, int n) {
  __shared__ int part[BLOCK];
  int t = threadIdx.x;
  int i = blockIdx.x * BLOCK + t;
  // >>> your code: fill part, add in halves, store the sum.
  part[t] = i < n ? x[i] : 0;
  __syncthreads();
  for (int half = BLOCK / 2; half > 32; half /= 2) {
    if (t < half) part[t] += part[t + half];
    __syncthreads();
  }
  if (t < 32) {
    part[t] += part[t + 32];
    part[t] += part[t + 16];
    part[t] += part[t + 8];
    part[t] += part[t + 4];
    part[t] += part[t + 2];
    part[t] += part[t + 1];
  }
  if (t == 0) sums[blockIdx.x] = part[0];
  // <<<
}
