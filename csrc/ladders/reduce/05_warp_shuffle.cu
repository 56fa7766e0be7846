// Warp shuffle: the lanes of a warp add each other's registers. Of the tree only one element of each warp goes through
// shared memory, behind the one barrier that is left. Limited by the loads: one instruction for 4 bytes, two of them in
// flight for each thread.
//
// takes: x[n] -> total[]
// zero: total
// launch: reduce_warp_shuffle(x, total, n) grid ceil(n, 2 * THREADS) block THREADS
// improves: shared_load_requests per element

constexpr int THREADS = 256;

// The sum over the lanes of a warp, in lane 0.
__device__ __forceinline__ float warp_sum(float v) {
  for (int offset = 16; offset > 0; offset /= 2) v += __shfl_down_sync(0xffffffffu, v, offset);
  return v;
}

// The sum over the threads of a block, in thread 0.
__device__ __forceinline__ float block_sum(float v) {
  __shared__ float part[THREADS / 32];
  v = warp_sum(v);
  if (threadIdx.x % 32 == 0) part[threadIdx.x / 32] = v;
  __syncthreads();
  if (threadIdx.x >= 32) return 0.0f;
  return warp_sum(threadIdx.x < THREADS / 32 ? part[threadIdx.x] : 0.0f);
}

__global__ void __launch_bounds__(THREADS) reduce_warp_shuffle(const float* x, float* total, long long n) {
  const long long i = (long long)blockIdx.x * 2 * THREADS + threadIdx.x;
  const float sum = block_sum((i < n ? x[i] : 0.0f) + (i + THREADS < n ? x[i + THREADS] : 0.0f));
  if (threadIdx.x == 0) atomicAdd(total, sum);
}
