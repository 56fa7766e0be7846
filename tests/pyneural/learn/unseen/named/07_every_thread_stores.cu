// line 18: all threads store to one element: only thread 0 has the sum and may
// words: race; one thread
// The sum of each block's elements, by a tree.

constexpr int BLOCK = 256;

__global__ void block_sums(const int* x, int* sums, int n) {
  __shared__ int part[BLOCK];
  int t = threadIdx.x;
  int i = blockIdx.x * BLOCK + t;
  // >>> your code: fill part, add in halves, store the sum.
  part[t] = i < n ? x[i] : 0;
  __syncthreads();
  for (int half = BLOCK / 2; half > 0; half /= 2) {
    if (t < half) part[t] += part[t + half];
    __syncthreads();
  }
  sums[blockIdx.x] = part[t];
  // <<<
}
