// Warp shuffle: each thread scans 4 elements in registers, a warp the sums of its lanes by shuffles, and only the sums
// of the warps go through shared memory. One barrier is left, and 16 bytes a load. Limited by bandwidth, and by the
// second and third launch, which read and write all of y once more.
//
// takes: x[n] -> y[n]
// let: blocks = ceil(n, EACH)
// scratch: totals[blocks]
// launch: scan_warp_shuffle(x, y, totals, n) grid blocks block THREADS
// launch: scan_totals(totals, blocks) grid min(blocks, 1) block THREADS
// launch: scan_add(y, totals, n) grid blocks block THREADS
// improves: shared_load_requests per element

constexpr int THREADS = 256, EACH = 4 * THREADS;

// The sum of v over this lane and those before it.
__device__ __forceinline__ float warp_scan(float v) {
  for (int offset = 1; offset < 32; offset *= 2) {
    const float other = __shfl_up_sync(0xffffffffu, v, offset);
    if (threadIdx.x % 32 >= offset) v += other;
  }
  return v;
}

// The sum of v over the threads before this one; `total` is that of all. `part` has a place for each warp.
__device__ __forceinline__ float block_scan(float v, float* part, float& total) {
  const int warp = threadIdx.x / 32;
  v = warp_scan(v);
  if (threadIdx.x % 32 == 31) part[warp] = v;
  __syncthreads();
  float before = 0.0f;
  total = 0.0f;
  for (int i = 0; i < THREADS / 32; ++i) {
    if (i < warp) before += part[i];
    total += part[i];
  }
  const float left = __shfl_up_sync(0xffffffffu, v, 1);  // no subtraction: infinity less infinity is no number
  return threadIdx.x % 32 ? before + left : before;
}

// 4 elements from i on; zeros past the end.
__device__ __forceinline__ float4 load4(const float* x, long long i, long long n) {
  if (i + 3 < n && reinterpret_cast<size_t>(x) % 16 == 0) return *reinterpret_cast<const float4*>(x + i);
  return make_float4(i < n ? x[i] : 0.0f, i + 1 < n ? x[i + 1] : 0.0f, i + 2 < n ? x[i + 2] : 0.0f,
                     i + 3 < n ? x[i + 3] : 0.0f);
}

__device__ __forceinline__ void store4(float* y, long long i, long long n, float4 v) {
  if (i + 3 < n && reinterpret_cast<size_t>(y) % 16 == 0) {
    *reinterpret_cast<float4*>(y + i) = v;
    return;
  }
  if (i < n) y[i] = v.x;
  if (i + 1 < n) y[i + 1] = v.y;
  if (i + 2 < n) y[i + 2] = v.z;
  if (i + 3 < n) y[i + 3] = v.w;
}

__global__ void __launch_bounds__(THREADS) scan_warp_shuffle(const float* x, float* y, float* totals, long long n) {
  __shared__ float part[THREADS / 32];
  const long long i = (long long)blockIdx.x * EACH + threadIdx.x * 4;
  float4 v = load4(x, i, n);
  v.y += v.x, v.z += v.y, v.w += v.z;
  float total;
  const float before = block_scan(v.w, part, total);
  store4(y, i, n, make_float4(before + v.x, before + v.y, before + v.z, before + v.w));
  if (threadIdx.x == 0) totals[blockIdx.x] = total;
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
