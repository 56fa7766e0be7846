// Grid stride, vector loads: no more blocks than the card holds at once (528: 4 for each multiprocessor of an H100);
// each goes over the whole array in steps of the grid, 16 bytes a load, and reduces once at its end. A quarter of the
// load instructions, and the number of trees no longer grows with n. Limited by the bandwidth of device memory, as a
// sum should be.
//
// takes: x[n] -> total[]
// zero: total
// let: blocks = max(1, min(ceil(n, 16 * THREADS), 528))
// launch: reduce_grid_stride(x, total, n) grid blocks block THREADS
// improves: global_load_requests per element

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

__global__ void __launch_bounds__(THREADS) reduce_grid_stride(const float* x, float* total, long long n) {
  const float sum = block_sum(strided_sum(x, n));
  if (threadIdx.x == 0) atomicAdd(total, sum);
}
