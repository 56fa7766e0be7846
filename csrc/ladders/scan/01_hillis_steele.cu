// Hillis and Steele: in step s each element adds the one s places before it; after log2(256) steps every element is the
// sum of all before it. Three launches: each block scans its own elements and notes its total, one block scans the
// totals, and the totals are added. Limited by work: 8 steps in which every thread loads twice, n log n additions where
// n are needed.
//
// takes: x[n] -> y[n]
// let: blocks = ceil(n, EACH)
// scratch: totals[blocks]
// launch: scan_hillis_steele(x, y, totals, n) grid blocks block THREADS
// launch: scan_totals(totals, blocks) grid min(blocks, 1) block THREADS
// launch: scan_add(y, totals, n) grid blocks block THREADS

constexpr int THREADS = 256, EACH = THREADS;

__global__ void __launch_bounds__(THREADS) scan_hillis_steele(const float* x, float* y, float* totals, long long n) {
  __shared__ float part[2][THREADS];  // two, so that a step reads what no thread of it writes
  const int t = threadIdx.x;
  const long long i = (long long)blockIdx.x * EACH + t;
  int now = 0;
  part[0][t] = i < n ? x[i] : 0.0f;
  __syncthreads();
  for (int s = 1; s < THREADS; s *= 2, now = 1 - now) {
    part[1 - now][t] = part[now][t] + (t >= s ? part[now][t - s] : 0.0f);
    __syncthreads();
  }
  if (i < n) y[i] = part[now][t];
  if (t == THREADS - 1) totals[blockIdx.x] = part[now][t];
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
