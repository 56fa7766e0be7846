// says: line 9: 120 atomic instructions go to global memory; 6 do if each block counts in shared memory first
// look: docs/simulator.md, `atomic_global_requests`

constexpr int BINS = 64;

__global__ void histogram(const int* x, int* counts, int n) {
  __shared__ int mine[BINS];  // of this block
  // >>> your code: clear, count in shared memory, add to counts.
  for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < n; i += gridDim.x * blockDim.x) atomicAdd(&counts[x[i]], 1);
  // <<<
}
