// Conflict-free: place i lies at i + i / 32, one word further for each row of banks, so that places 32 or 64 apart fall
// into different banks. Limited by the number of trips to shared memory and of barriers, two for each level of the
// tree.
//
// takes: x[n] -> y[n]
// let: blocks = ceil(n, EACH)
// scratch: totals[blocks]
// launch: scan_conflict_free(x, y, totals, n) grid blocks block THREADS
// launch: scan_totals(totals, blocks) grid min(blocks, 1) block THREADS
// launch: scan_add(y, totals, n) grid blocks block THREADS
// improves: bank_conflicts per element

constexpr int THREADS = 256, EACH = 2 * THREADS;

__device__ __forceinline__ int padded(int i) { return i + i / 32; }

__global__ void __launch_bounds__(THREADS) scan_conflict_free(const float* x, float* y, float* totals, long long n) {
  __shared__ float part[EACH + EACH / 32];
  const int t = threadIdx.x;
  const long long begin = (long long)blockIdx.x * EACH;
  const long long i = begin + t, j = i + THREADS;
  const float first = i < n ? x[i] : 0.0f, second = j < n ? x[j] : 0.0f;
  part[padded(t)] = first;
  part[padded(t + THREADS)] = second;
  for (int s = 1; s < EACH; s *= 2) {  // up: every 2 s-th place becomes the sum of 2 s elements
    __syncthreads();
    const int at = 2 * s * (t + 1) - 1;
    if (at < EACH) part[padded(at)] += part[padded(at - s)];
  }
  __syncthreads();
  if (t == 0) {
    totals[blockIdx.x] = part[padded(EACH - 1)];
    part[padded(EACH - 1)] = 0.0f;
  }
  for (int s = EACH / 2; s > 0; s /= 2) {  // down: the left half gets what is before both, the right half the left sum too
    __syncthreads();
    const int at = 2 * s * (t + 1) - 1;
    if (at < EACH) {
      const float left = part[padded(at - s)], before = part[padded(at)];
      part[padded(at - s)] = before;
      part[padded(at)] = before + left;
    }
  }
  __syncthreads();
  if (i < n) y[i] = part[padded(t)] + first;
  if (j < n) y[j] = part[padded(t + THREADS)] + second;
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
