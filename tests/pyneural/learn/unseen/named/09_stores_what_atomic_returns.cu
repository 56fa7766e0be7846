// line 14: atomicAdd returns the value before and has stored the new one already
// words: atomicAdd; before; stored
// How often each of 64 values is in x. The counts are 0 before the launch.

constexpr int BINS = 64;

__global__ void histogram(const int* x, int* counts, int n) {
  __shared__ int mine[BINS];  // of this block
  // >>> your code: clear, count in shared memory, add to counts.
  for (int bin = threadIdx.x; bin < BINS; bin += blockDim.x) mine[bin] = 0;
  __syncthreads();
  for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < n; i += gridDim.x * blockDim.x) atomicAdd(&mine[x[i]], 1);
  __syncthreads();
  for (int bin = threadIdx.x; bin < BINS; bin += blockDim.x) counts[bin] = atomicAdd(&counts[bin], mine[bin]);
  // <<<
}
