// says: line 13: uninitialized_read: thread ... of block ... reads shared mine[...], which nothing has written (n = 1000)
// look: who sets the shared counts to 0: shared memory holds anything at first
// says: line 15: uninitialized_read: thread ... of block ... reads shared mine[...], which nothing has written (n = 1000)
// look: who sets the shared counts to 0: shared memory holds anything at first
// says: line 15: counts[...] is ..., not ...; ... of 64 elements are wrong (n = 1000)
// look: which element each thread computes, for the thread named

constexpr int BINS = 64;

__global__ void histogram(const int* x, int* counts, int n) {
  __shared__ int mine[BINS];  // of this block
  // >>> your code: clear, count in shared memory, add to counts.
  for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < n; i += gridDim.x * blockDim.x) atomicAdd(&mine[x[i]], 1);
  __syncthreads();
  for (int bin = threadIdx.x; bin < BINS; bin += blockDim.x) atomicAdd(&counts[bin], mine[bin]);
  // <<<
}
