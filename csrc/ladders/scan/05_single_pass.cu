// Single pass, decoupled look-back (Merrill and Garland, 2016): one launch that reads x once and writes y once. A block
// notes its own sum as soon as it has it, then goes back over the blocks before it, adding their sums, until it meets
// one whose running sum is known; then it notes its own running sum. A block takes its number from a counter as it
// starts, so that those before it have started too and it never waits for one that cannot run. Limited by the bandwidth
// of device memory.
//
// takes: x[n] -> y[n]
// let: blocks = ceil(n, EACH)
// scratch: states:int32[blocks], sums[blocks], running[blocks], counter:int32[1]
// zero: states, counter
// launch: scan_single_pass(x, y, states, sums, running, counter, n) grid blocks block THREADS
// improves: global_load_sectors per element

constexpr int THREADS = 256, EACH = 4 * THREADS;

enum State { NOTHING, SUM, RUNNING };  // what is known of a block

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

// The total of all blocks before this one.
__device__ __forceinline__ float look_back(int block, const volatile int* states, const volatile float* sums,
                                           const volatile float* running) {
  float before = 0.0f;
  for (int i = block - 1; i >= 0; --i) {
    int state;
    do state = states[i];
    while (state == NOTHING);
    __threadfence();  // the sum was stored before the state
    if (state == RUNNING) return before + running[i];
    before += sums[i];
  }
  return before;
}

__global__ void __launch_bounds__(THREADS)
scan_single_pass(const float* x, float* y, volatile int* states, volatile float* sums, volatile float* running,
                 int* counter, long long n) {
  __shared__ float part[THREADS / 32], shared_before;
  __shared__ int shared_block;
  if (threadIdx.x == 0) shared_block = atomicAdd(counter, 1);
  __syncthreads();
  const int block = shared_block;
  const long long i = (long long)block * EACH + threadIdx.x * 4;
  float4 v = load4(x, i, n);
  v.y += v.x, v.z += v.y, v.w += v.z;
  float total;
  const float inside = block_scan(v.w, part, total);
  if (threadIdx.x == 0) {
    sums[block] = total;
    __threadfence();
    states[block] = SUM;
    const float before = look_back(block, states, sums, running);
    running[block] = before + total;
    __threadfence();
    states[block] = RUNNING;
    shared_before = before;
  }
  __syncthreads();
  const float before = shared_before + inside;
  store4(y, i, n, make_float4(before + v.x, before + v.y, before + v.z, before + v.w));
}
