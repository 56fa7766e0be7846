// Sequential: the tree is folded the other way, the upper half onto the lower one. Lanes take places side by side,
// which lie in 32 different banks. Limited by idle threads: half of them load an element and then never do anything
// again.
//
// takes: x[n] -> total[]
// zero: total
// launch: reduce_sequential(x, total, n) grid ceil(n, THREADS) block THREADS
// improves: bank_conflicts per element

constexpr int THREADS = 256;

__global__ void __launch_bounds__(THREADS) reduce_sequential(const float* x, float* total, long long n) {
  __shared__ float part[THREADS];
  const int t = threadIdx.x;
  const long long i = (long long)blockIdx.x * THREADS + t;
  part[t] = i < n ? x[i] : 0.0f;
  __syncthreads();
  for (int s = THREADS / 2; s > 0; s /= 2) {
    if (t < s) part[t] += part[t + s];
    __syncthreads();
  }
  if (t == 0) atomicAdd(total, part[0]);
}
