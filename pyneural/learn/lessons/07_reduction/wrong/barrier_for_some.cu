// says: line 15: divergent_barrier: thread 0 of block 0 waits at __syncthreads(), but thread 128 has returned and never comes (n = 512)
// look: who leaves the loop early: a barrier within it must be reached by all 256 threads

constexpr int BLOCK = 256;

__global__ void block_sums(const int* x, int* sums, int n) {
  __shared__ int part[BLOCK];
  int t = threadIdx.x;
  int i = blockIdx.x * BLOCK + t;
  // >>> your code: fill part, add in halves, store the sum.
  part[t] = i < n ? x[i] : 0;
  __syncthreads();
  for (int half = BLOCK / 2; t < half; half /= 2) {
    part[t] += part[t + half];
    __syncthreads();
  }
  if (t == 0) sums[blockIdx.x] = part[0];
  // <<<
}
