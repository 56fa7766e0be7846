/* Reductions and scans, from the shared-memory tree to one pass over the grid. */
#include <cooperative_groups.h>
namespace cg = cooperative_groups;

typedef unsigned int u32;
static constexpr u32 FULL_MASK = 0xffffffffu;

extern "C" __global__ void sum_tree(const float* x, float* block_sums, int n)
{
    extern __shared__ float cache[];
    const u32 tid = threadIdx.x;
    float temp = 0.f;
    for (int i = blockIdx.x * blockDim.x + tid; i < n; i += gridDim.x * blockDim.x) temp += x[i];
    cache[tid] = temp;
    __syncthreads();
    for (u32 i = blockDim.x / 2; i != 0; i /= 2)
    {
        if (tid < i) cache[tid] += cache[tid + i];
        __syncthreads();
    }
    if (tid == 0) block_sums[blockIdx.x] = cache[0];
}

__inline__ __device__ int warp_max(int v)
{
#pragma unroll
    for (int delta = warpSize >> 1; delta; delta >>= 1) v = max(v, __shfl_xor_sync(FULL_MASK, v, delta));
    return v;
}

extern "C" __global__ void max_shuffle(const int* __restrict__ x, int* __restrict__ result, int n)
{
    __shared__ int partial[32];
    const int lane = threadIdx.x & 31, wid = threadIdx.x >> 5;
    int v = INT_MIN;
    for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < n; i += blockDim.x * gridDim.x) v = max(v, x[i]);
    v = warp_max(v);
    if (lane == 0) partial[wid] = v;
    __syncthreads();
    v = (threadIdx.x < blockDim.x / 32) ? partial[lane] : INT_MIN;
    if (wid == 0) v = warp_max(v);
    if (threadIdx.x == 0) atomicMax(result, v);
}

// The last block to finish adds up what all of them left: one launch, no second kernel.
__device__ u32 finished = 0;
extern "C" __global__ void sum_last_block(const double* x, int n, volatile double* partial, double* result)
{
    __shared__ double shared[128];
    __shared__ bool is_last;
    double mine = 0;
    for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < n; i += gridDim.x * blockDim.x) mine += x[i];
    shared[threadIdx.x] = mine;
    __syncthreads();
    for (int s = 64; s > 0; s >>= 1)
    {
        if (threadIdx.x < s) shared[threadIdx.x] += shared[threadIdx.x + s];
        __syncthreads();
    }
    if (threadIdx.x == 0)
    {
        partial[blockIdx.x] = shared[0];
        __threadfence();
        const u32 ticket = atomicInc(&finished, gridDim.x);
        is_last = (ticket == gridDim.x - 1);
    }
    __syncthreads();
    if (is_last && threadIdx.x == 0)
    {
        double total = 0;
        for (int b = 0; b < gridDim.x; ++b) total += partial[b];
        *result = total;
        finished = 0;
    }
}

// Kogge and Stone, with two buffers.
extern "C" __global__ void scan_kogge_stone(const float* in, float* out, int n)
{
    __shared__ float buffer[2][256];
    int from = 0;
    const int i = threadIdx.x;
    buffer[0][i] = i < n ? in[i] : 0.f;
    for (int offset = 1; offset < blockDim.x; offset <<= 1)
    {
        __syncthreads();
        const int to = 1 - from;
        buffer[to][i] = i >= offset ? buffer[from][i] + buffer[from][i - offset] : buffer[from][i];
        from = to;
    }
    if (i < n) out[i] = buffer[from][i];
}

// Decoupled look-back in its simplest form: each block waits for the running total of the one before it.
extern "C" __global__ void scan_chained(const int* in, int* out, int n, int* flags, volatile int* totals)
{
    cg::thread_block block = cg::this_thread_block();
    cg::thread_block_tile<32> warp = cg::tiled_partition<32>(block);
    __shared__ int warp_totals[8];
    __shared__ int previous;
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    int v = i < n ? in[i] : 0;
    for (int d = 1; d < 32; d *= 2)
    {
        const int other = warp.shfl_up(v, d);
        if (warp.thread_rank() >= d) v += other;
    }
    if (warp.thread_rank() == 31) warp_totals[warp.meta_group_rank()] = v;
    block.sync();
    int before = 0;
    for (int w = 0; w < (int)warp.meta_group_rank(); ++w) before += warp_totals[w];
    if (threadIdx.x == blockDim.x - 1)
    {
        int base = 0;
        if (blockIdx.x > 0)
        {
            while (atomicAdd(&flags[blockIdx.x - 1], 0) == 0) {}
            __threadfence();
            base = totals[blockIdx.x - 1];
        }
        totals[blockIdx.x] = base + before + v;
        __threadfence();
        atomicExch(&flags[blockIdx.x], 1);
        previous = base;
    }
    block.sync();
    if (i < n) out[i] = previous + before + v;
}

// Stream compaction with ballots: each warp takes its place in the output with one atomic.
extern "C" __global__ void keep_positive(const float* in, float* out, int* count, int n)
{
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    const int lane = threadIdx.x % warpSize;
    const float v = i < n ? in[i] : -1.0f;
    const u32 votes = __ballot_sync(FULL_MASK, v > 0);
    int base;
    if (lane == 0) base = atomicAdd(count, __popc(votes));
    base = __shfl_sync(FULL_MASK, base, 0);
    if (v > 0) out[base + __popc(votes & ((1u << lane) - 1))] = v;
}
