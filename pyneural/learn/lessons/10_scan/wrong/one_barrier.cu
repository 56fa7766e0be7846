// says: line 15: race: thread 2 of block 0 reads shared sums[1], which thread 1 of the same block wrote (line 15) with no __syncwarp() or __syncthreads() between (n = 256)
// look: the two halves of a step: all threads read, wait, write, and wait again
// says: line 18: y[2] is ..., not ...; 254 of 256 elements are wrong (n = 256); this one is the work of thread 2 of block 0
// look: which element each thread computes, for the thread named

constexpr int BLOCK = 256;

__global__ void scan(const int* x, int* y, int n) {
  __shared__ int sums[BLOCK];
  int t = threadIdx.x;
  sums[t] = t < n ? x[t] : 0;
  __syncthreads();
  // >>> your code: the steps, for distances 1, 2, 4, ...; then the result.
  for (int distance = 1; distance < BLOCK; distance *= 2) {
    if (t >= distance) sums[t] += sums[t - distance];
    __syncthreads();
  }
  if (t < n) y[t] = sums[t];
  // <<<
}
