// Two passes, deterministic: atomic additions come in the order in which blocks happen to end, and floating-point sums
// depend on it. Here each block stores its sum in a place of its own, and a second launch of one block adds those: the
// same bits every time, and no atomic. Costs a second launch and a few bytes of memory; limited by bandwidth in the
// first pass.
//
// takes: x[n] -> total[]
// let: blocks = max(1, min(ceil(n, 16 * THREADS), 528))
// scratch: parts[blocks]
// launch: reduce_two_pass(x, parts, n) grid blocks block THREADS
// launch: reduce_two_pass(parts, total, blocks) grid 1 block THREADS
// improves: atomic_requests per element

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

// What a thread of a grid-stride loop sums: 16 bytes at a time where x begins at a multiple of 16, and the rest.
__device__ __forceinline__ float strided_sum(const float* x, long long n) {
  const long long first = (long long)blockIdx.x * blockDim.x + threadIdx.x, step = (long long)gridDim.x * blockDim.x;
  const long long vectors = reinterpret_cast<size_t>(x) % 16 == 0 ? n / 4 : 0;
  float sum = 0.0f;
  for (long long i = first; i < vectors; i += step) {
    const float4 v = reinterpret_cast<const float4*>(x)[i];
    sum += (v.x + v.y) + (v.z + v.w);
  }
  for (long long i = vectors * 4 + first; i < n; i += step) sum += x[i];
  return sum;
}

// parts[i]: the sum of what block i goes over.
__global__ void __launch_bounds__(THREADS) reduce_two_pass(const float* x, float* parts, long long n) {
  const float sum = block_sum(strided_sum(x, n));
  if (threadIdx.x == 0) parts[blockIdx.x] = sum;
}
