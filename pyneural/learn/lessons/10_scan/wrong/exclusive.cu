// says: line 19: y[0] is ..., not ...; 256 of 256 elements are wrong (n = 256); this one is the work of thread 0 of block 0
// look: each sum lacks its own element: that is the exclusive scan

constexpr int BLOCK = 256;

__global__ void scan(const int* x, int* y, int n) {
  __shared__ int sums[BLOCK];
  int t = threadIdx.x;
  sums[t] = t < n ? x[t] : 0;
  __syncthreads();
  // >>> your code: the steps, for distances 1, 2, 4, ...; then the result.
  int own = sums[t];
  for (int distance = 1; distance < BLOCK; distance *= 2) {
    int before = t >= distance ? sums[t - distance] : 0;
    __syncthreads();
    sums[t] += before;
    __syncthreads();
  }
  if (t < n) y[t] = sums[t] - own;
  // <<<
}
