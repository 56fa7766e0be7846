// says: line 16: race: thread 1 of block 0 writes shared part[1], which thread 0 of the same block read (line 16) with no __syncwarp() or __syncthreads() between (n = 512)
// look: two steps of the tree: the next one may begin only when all threads have ended this one
// says: line 18: sums[0] is ..., not ...; 2 of 2 elements are wrong (n = 512)
// look: which element each thread computes, for the thread named

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
  }
  if (t == 0) sums[blockIdx.x] = part[0];
  // <<<
}
