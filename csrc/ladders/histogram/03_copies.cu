// Copies: 8 counters for each bin, and every eighth lane uses the same. Equal elements of a warp meet 4 to an address
// at most, where they could be 32, and the copies of a bin lie in neighbouring banks. They are added up at the end.
// Limited by shared memory, of which the copies need 8 times as much: 512 bins are held, the others are counted in
// global memory.
//
// takes: x:int32[n], bins=256 -> counts:int32[bins]
// zero: counts
// let: held = min(bins, HELD)
// launch: histogram_copies(x, counts, n, bins) grid ceil(n, EACH) block THREADS shared held * COPIES * 4
// improves: atomic_contention per request

constexpr int THREADS = 256;
constexpr int EACH = 4096;
constexpr int COPIES = 8;
constexpr int HELD = 512;

__global__ void __launch_bounds__(THREADS) histogram_copies(const int* x, int* counts, long long n, int bins) {
  extern __shared__ int own[];
  const int held = bins < HELD ? bins : HELD;
  for (int i = threadIdx.x; i < held * COPIES; i += THREADS) own[i] = 0;
  __syncthreads();
  const long long begin = (long long)blockIdx.x * EACH;
  for (long long i = begin + threadIdx.x; i < n && i < begin + EACH; i += THREADS) {
    const int bin = x[i];
    if (bin < 0 || bin >= bins) continue;
    atomicAdd(bin < held ? &own[bin * COPIES + threadIdx.x % COPIES] : &counts[bin], 1);
  }
  __syncthreads();
  for (int i = threadIdx.x; i < held; i += THREADS) {
    int sum = 0;  // lanes begin with different copies, which lie in different banks
    for (int copy = 0; copy < COPIES; ++copy) sum += own[i * COPIES + (copy + i / 4) % COPIES];
    if (sum) atomicAdd(&counts[i], sum);
  }
}
