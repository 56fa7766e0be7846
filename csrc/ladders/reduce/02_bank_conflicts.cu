// Without divergence, with bank conflicts: the same tree, its places dealt out to the first threads instead of to those
// that stand there. Warps either work whole or not at all, so that far fewer requests are made. But lanes now reach for
// places 2 s apart, and from s = 16 on all of them are in one bank. Limited by those conflicts.
//
// takes: x[n] -> total[]
// zero: total
// launch: reduce_bank_conflicts(x, total, n) grid ceil(n, THREADS) block THREADS
// improves: shared_load_requests per element

constexpr int THREADS = 256;

__global__ void __launch_bounds__(THREADS) reduce_bank_conflicts(const float* x, float* total, long long n) {
  __shared__ float part[THREADS];
  const int t = threadIdx.x;
  const long long i = (long long)blockIdx.x * THREADS + t;
  part[t] = i < n ? x[i] : 0.0f;
  __syncthreads();
  for (int s = 1; s < THREADS; s *= 2) {
    const int place = 2 * s * t;
    if (place < THREADS) part[place] += part[place + s];
    __syncthreads();
  }
  if (t == 0) atomicAdd(total, part[0]);
}
