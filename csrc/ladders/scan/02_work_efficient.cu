// Work-efficient (Blelloch): a tree of sums upwards, then the sums before each place downwards. 2 n additions instead
// of n log n, by half as many threads as elements. Limited by bank conflicts: in step s lanes reach for places 2 s
// apart.
//
// takes: x[n] -> y[n]
// let: blocks = ceil(n, EACH)
// scratch: totals[blocks]
// launch: scan_work_efficient(x, y, totals, n) grid blocks block THREADS
// launch: scan_totals(totals, blocks) grid min(blocks, 1) block THREADS
// launch: scan_add(y, totals, n) grid blocks block THREADS
// improves: shared_load_requests per element

constexpr int THREADS = 256, EACH = 2 * THREADS;

__global__ void __launch_bounds__(THREADS) scan_work_efficient(const float* x, float* y, float* totals, long long n) {
  __shared__ float part[EACH];
  const int t = threadIdx.x;
  const long long begin = (long long)blockIdx.x * EACH;
  const long long i = begin + t, j = i + THREADS;
  const float first = i < n ? x[i] : 0.0f, second = j < n ? x[j] : 0.0f;
  part[t] = first;
  part[t + THREADS] = second;
  for (int s = 1; s < EACH; s *= 2) {  // up: every 2 s-th place becomes the sum of 2 s elements
    __syncthreads();
    const int at = 2 * s * (t + 1) - 1;
    if (at < EACH) part[at] += part[at - s];
  }
  __syncthreads();
  if (t == 0) {
    totals[blockIdx.x] = part[EACH - 1];
    part[EACH - 1] = 0.0f;
  }
  for (int s = EACH / 2; s > 0; s /= 2) {  // down: the left half gets what is before both, the right half the left sum too
    __syncthreads();
    const int at = 2 * s * (t + 1) - 1;
    if (at < EACH) {
      const float left = part[at - s], before = part[at];
      part[at - s] = before;
      part[at] = before + left;
    }
  }
  __syncthreads();
  if (i < n) y[i] = part[t] + first;
  if (j < n) y[j] = part[t + THREADS] + second;
}

// Replaces the totals by their running sums: one block, THREADS of them at a time.
__global__ void __launch_bounds__(THREADS) scan_totals(float* totals, int blocks) {
  __shared__ float part[2][THREADS];
  const int t = threadIdx.x;
  float before = 0.0f;
  for (int start = 0; start < blocks; start += THREADS) {
    int now = 0;
    part[0][t] = start + t < blocks ? totals[start + t] : 0.0f;
    __syncthreads();
    for (int s = 1; s < THREADS; s *= 2, now = 1 - now) {
      part[1 - now][t] = part[now][t] + (t >= s ? part[now][t - s] : 0.0f);
      __syncthreads();
    }
    if (start + t < blocks) totals[start + t] = before + part[now][t];
    before += part[now][THREADS - 1];
    __syncthreads();
  }
}

// Adds to each block's elements the total of all blocks before it.
__global__ void __launch_bounds__(THREADS) scan_add(float* y, const float* totals, long long n) {
  if (blockIdx.x == 0) return;
  const float before = totals[blockIdx.x - 1];
  const long long begin = (long long)blockIdx.x * EACH;
  for (long long i = begin + threadIdx.x; i < n && i < begin + EACH; i += THREADS) y[i] += before;
}
