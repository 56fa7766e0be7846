// line 14: the thread at `distance` has a place to add, that of thread 0: >= and not >
// words: comparison; >
// Sums of all elements up to each, in one block.

constexpr int BLOCK = 256;

__global__ void scan(const int* x, int* y, int n) {
  __shared__ int sums[BLOCK];
  int t = threadIdx.x;
  sums[t] = t < n ? x[t] : 0;
  __syncthreads();
  // >>> your code: the steps, for distances 1, 2, 4, ...; then the result.
  for (int distance = 1; distance < BLOCK; distance *= 2) {
    int before = t > distance ? sums[t - distance] : 0;
    __syncthreads();
    sums[t] += before;
    __syncthreads();
  }
  if (t < n) y[t] = sums[t];
  // <<<
}
