// says: line 15: out_of_bounds: thread 0 of block 0 uses sums[-1], but its last element is [255] (n = 256)
// look: the first threads of each step: what lies `distance` places before them?
// says: line 20: y[0] is never written; it must be ...; 128 of 256 elements are wrong (n = 256); this one is the work of thread 0 of block 0
// look: which element each thread computes, for the thread named: `t = threadIdx.x` (line 10)

constexpr int BLOCK = 256;

__global__ void scan(const int* x, int* y, int n) {
  __shared__ int sums[BLOCK];
  int t = threadIdx.x;
  sums[t] = t < n ? x[t] : 0;
  __syncthreads();
  // >>> your code: the steps, for distances 1, 2, 4, ...; then the result.
  for (int distance = 1; distance < BLOCK; distance *= 2) {
    int before = sums[t - distance];
    __syncthreads();
    sums[t] += before;
    __syncthreads();
  }
  if (t < n) y[t] = sums[t];
  // <<<
}
