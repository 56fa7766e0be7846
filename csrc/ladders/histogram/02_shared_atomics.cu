// Shared atomics: each block counts in shared memory, which is nearer and which no other block waits for, and adds its
// counts to the result once, at the end. A block takes 4096 elements, so that this end is seldom. Bins past the 4096
// that shared memory has room for are counted in global memory. Limited by lanes of a warp that meet in one bin.
//
// takes: x:int32[n], bins=256 -> counts:int32[bins]
// zero: counts
// let: held = min(bins, HELD)
// launch: histogram_shared_atomics(x, counts, n, bins) grid ceil(n, EACH) block THREADS shared held * 4
// improves: atomic_global_requests per element

constexpr int THREADS = 256;
constexpr int EACH = 4096;  // elements of a block
constexpr int HELD = 4096;  // bins in shared memory at most

__global__ void __launch_bounds__(THREADS) histogram_shared_atomics(const int* x, int* counts, long long n, int bins) {
  extern __shared__ int own[];
  const int held = bins < HELD ? bins : HELD;
  for (int i = threadIdx.x; i < held; i += THREADS) own[i] = 0;
  __syncthreads();
  const long long begin = (long long)blockIdx.x * EACH;
  for (long long i = begin + threadIdx.x; i < n && i < begin + EACH; i += THREADS) {
    const int bin = x[i];
    if (bin < 0 || bin >= bins) continue;
    atomicAdd(bin < held ? &own[bin] : &counts[bin], 1);
  }
  __syncthreads();
  for (int i = threadIdx.x; i < held; i += THREADS) {
    if (own[i]) atomicAdd(&counts[i], own[i]);
  }
}
