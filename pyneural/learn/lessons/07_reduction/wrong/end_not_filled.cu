// says: line 16: uninitialized_read: thread 60 of block 2 reads shared part[188], which nothing has written (n = 700)
// look: the last block: its threads past n have a place in part as well
// says: line 19: sums[...] is ..., not ...; ... of 3 elements are wrong (n = 700)
// look: which element each thread computes, for the thread named

constexpr int BLOCK = 256;

__global__ void block_sums(const int* x, int* sums, int n) {
  __shared__ int part[BLOCK];
  int t = threadIdx.x;
  int i = blockIdx.x * BLOCK + t;
  // >>> your code: fill part, add in halves, store the sum.
  if (i < n) part[t] = x[i];
  __syncthreads();
  for (int half = BLOCK / 2; half > 0; half /= 2) {
    if (t < half) part[t] += part[t + half];
    __syncthreads();
  }
  if (t == 0) sums[blockIdx.x] = part[0];
  // <<<
}
