// says: line ...: race: thread ... of block ... shared mine[...], which thread ... of the same block ..., one of them not by an atomic operation (n = 1000)
// look: two threads may count one value at once; and before a step begins, all must have ended the last
// says: line ...: race: thread ... of block ... shared mine[...], which thread ... of the same block ..., one of them not by an atomic operation (n = 1000)
// look: two threads may count one value at once; and before a step begins, all must have ended the last
// says: line 16: counts[...] is ..., not ...; ... of 64 elements are wrong (n = 1000)
// look: which element each thread computes, for the thread named

constexpr int BINS = 64;

__global__ void histogram(const int* x, int* counts, int n) {
  __shared__ int mine[BINS];  // of this block
  // >>> your code: clear, count in shared memory, add to counts.
  for (int bin = threadIdx.x; bin < BINS; bin += blockDim.x) mine[bin] = 0;
  __syncthreads();
  for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < n; i += gridDim.x * blockDim.x) atomicAdd(&mine[x[i]], 1);
  for (int bin = threadIdx.x; bin < BINS; bin += blockDim.x) atomicAdd(&counts[bin], mine[bin]);
  // <<<
}
