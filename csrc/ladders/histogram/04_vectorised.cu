// Vectorised: 16 bytes a load, and no more blocks than the card holds at once, each going over the array in steps of
// the grid. A quarter of the load instructions, and the copies are added to the result once for each block, however
// long the array is. Limited by the rate of shared atomics.
//
// takes: x:int32[n], bins=256 -> counts:int32[bins]
// zero: counts
// let: held = min(bins, HELD)
// let: blocks = min(ceil(n, 16 * THREADS), 528)
// launch: histogram_vectorised(x, counts, n, bins) grid blocks block THREADS shared held * COPIES * 4
// improves: global_load_requests per element

constexpr int THREADS = 256;
constexpr int COPIES = 8;
constexpr int HELD = 512;

__global__ void __launch_bounds__(THREADS) histogram_vectorised(const int* x, int* counts, long long n, int bins) {
  extern __shared__ int own[];
  const int held = bins < HELD ? bins : HELD;
  for (int i = threadIdx.x; i < held * COPIES; i += THREADS) own[i] = 0;
  __syncthreads();
  const auto count = [&](int bin) {
    if (bin < 0 || bin >= bins) return;
    atomicAdd(bin < held ? &own[bin * COPIES + threadIdx.x % COPIES] : &counts[bin], 1);
  };
  const long long first = (long long)blockIdx.x * THREADS + threadIdx.x, step = (long long)gridDim.x * THREADS;
  const long long vectors = reinterpret_cast<size_t>(x) % 16 == 0 ? n / 4 : 0;
  for (long long i = first; i < vectors; i += step) {
    const int4 v = reinterpret_cast<const int4*>(x)[i];
    count(v.x);
    count(v.y);
    count(v.z);
    count(v.w);
  }
  for (long long i = vectors * 4 + first; i < n; i += step) count(x[i]);
  __syncthreads();
  for (int i = threadIdx.x; i < held; i += THREADS) {
    int sum = 0;  // lanes begin with different copies, which lie in different banks
    for (int copy = 0; copy < COPIES; ++copy) sum += own[i * COPIES + (copy + i / 4) % COPIES];
    if (sum) atomicAdd(&counts[i], sum);
  }
}
