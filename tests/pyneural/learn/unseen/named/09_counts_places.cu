// line 12: the value x[i] is what is counted, not its place i
// words: `i`; among all blocks
// How often each of 64 values is in x. The counts are 0 before the launch.

constexpr int BINS = 64;

__global__ void histogram(const int* x, int* counts, int n) {
  __shared__ int mine[BINS];  // of this block
  // >>> your code: clear, count in shared memory, add to counts.
  for (int bin = threadIdx.x; bin < BINS; bin += blockDim.x) mine[bin] = 0;
  __syncthreads();
  for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < n; i += gridDim.x * blockDim.x) atomicAdd(&mine[i], 1);
  __syncthreads();
  for (int bin = threadIdx.x; bin < BINS; bin += blockDim.x) atomicAdd(&counts[bin], mine[bin]);
  // <<<
}
