// Lanes of a warp: shared memory without __syncwarp, masks that name lanes which never come.
#include <cooperative_groups.h>
#include <cooperative_groups/reduce.h>
namespace cg = cooperative_groups;

#define FULL 0xffffffffu

// run <<<1, 32>>> (rand(32), zeros(1))
__global__ void warp_tree_without_sync(const float* x, float* y) {
  __shared__ float s[64];
  const int t = threadIdx.x;
  s[t] = x[t];
  s[t + 32] = 0;
  __syncwarp();
  s[t] += s[t + 16];  // BUG: race (lockstep is assumed between the steps)
  s[t] += s[t + 8];   // BUG: race (the same)
  s[t] += s[t + 4];
  if (t == 0) y[0] = s[0] + s[1] + s[2] + s[3];
}

// run <<<1, 64>>> (rand(64), zeros(1))
__global__ void volatile_tree(const float* x, float* y) {
  volatile __shared__ float s[64];
  const int t = threadIdx.x;
  s[t] = x[t];
  __syncthreads();
  if (t < 32) {
    s[t] += s[t + 32];
    for (int d = 16; d > 0; d /= 2)
      if (t < d) s[t] += s[t + d];  // BUG: race (volatile does not make lanes wait for each other)
    if (t == 0) y[0] = s[0];
  }
}

// run <<<1, 32>>> (zeros(32, dtype=i32))
__global__ void broadcast_without_sync(int* y) {
  __shared__ int leader;
  if (threadIdx.x == 5) leader = 17;
  y[threadIdx.x] = leader;  // BUG: race (lanes read before lane 5 has written)
}

// run <<<1, 32>>> (ints(64, high=9), zeros(32, dtype=i32))
__global__ void slot_overwritten(const int* x, int* y) {
  __shared__ int s[32];
  int sum = 0;
  for (int k = 0; k < 2; ++k) {
    s[threadIdx.x] = x[k * 32 + threadIdx.x];  // BUG: race (a neighbour may still read the last round's value)
    __syncwarp();
    sum += s[(threadIdx.x + 1) % 32];
  }
  y[threadIdx.x] = sum;
}

// run <<<1, 32>>> (ints(32, high=9))
__global__ void warp_scan_without_sync(int* x) {
  __shared__ int s[32];
  const unsigned lane = threadIdx.x;
  s[lane] = x[lane];
  __syncwarp();
  for (unsigned d = 1; d < 32; d <<= 1)
    if (lane >= d) s[lane] += s[lane - d];  // BUG: race (reads and writes of one step are not kept apart)
  x[lane] = s[lane];
}

// run <<<1, 32>>> (rand(32))
__global__ void shuffle_in_branch(float* x) {
  float v = x[threadIdx.x];
  if (threadIdx.x < 16) v += __shfl_down_sync(FULL, v, 8);  // BUG: invalid_warp_sync (lanes 16 to 31 are not here)
  __syncthreads();
  x[threadIdx.x] = v;
}

// run <<<1, 64>>> (rand(50), 50)
__global__ void shuffle_past_guard(float* x, int n) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= n) return;
  float v = x[i];
  v += __shfl_xor_sync(FULL, v, 16);  // BUG: invalid_warp_sync (lanes past n have returned)
  x[i] = v;
}

// run <<<1, 32>>> (rand(32, dtype=f64))
__global__ void mask_of_lower_half(double* x) {
  x[threadIdx.x] += __shfl_xor_sync(0xffff, x[threadIdx.x], 1);  // BUG: invalid_warp_sync (the upper half is not named)
}

// run <<<1, 32>>> (arange(32), zeros(32, dtype=u32))
__global__ void ballot_in_branch(const int* x, unsigned* y) {
  unsigned mask = 0;
  if (x[threadIdx.x] % 3 == 0) mask = __ballot_sync(FULL, 1);  // BUG: invalid_warp_sync (ballot before the branch)
  __syncthreads();
  y[threadIdx.x] = mask;
}

// run <<<1, 32>>> (rand(40), zeros(1), 40)
__global__ void uneven_shuffle_loop(const float* x, float* y, int n) {
  float sum = 0;
  for (int i = threadIdx.x; i < n; i += 32) sum += __shfl_xor_sync(FULL, x[i], 1);  // BUG: invalid_warp_sync (last round)
  atomicAdd(y, sum);
}

// run <<<1, 32>>> (ints(32, high=9), zeros(1, dtype=i32))
__global__ void reduce_of_some(const int* x, int* y) {
  int total = 0;
  if (threadIdx.x < 20) total = __reduce_add_sync(FULL, x[threadIdx.x]);  // BUG: invalid_warp_sync (12 lanes missing)
  __syncthreads();
  if (threadIdx.x == 0) *y = total;
}

// run <<<1, 64>>> (ints(64, high=4), zeros(64, dtype=u32))
__global__ void match_after_break(const int* x, unsigned* y) {
  unsigned peers = 0;
  for (int k = 0; k < 2; ++k) {
    if (threadIdx.x % 8 == 7) break;
    peers = __match_any_sync(FULL, x[threadIdx.x]);  // BUG: invalid_warp_sync (one lane in eight has left the loop)
  }
  __syncthreads();
  y[threadIdx.x] = peers;
}

// run <<<1, 64>>> (rand(64))
__global__ void tile_sync_in_branch(float* x) {
  auto tile = cg::tiled_partition<32>(cg::this_thread_block());
  if (tile.thread_rank() < 8) {
    x[threadIdx.x] *= 2;
    tile.sync();  // BUG: invalid_warp_sync (24 lanes of the tile do not come)
  }
  cg::this_thread_block().sync();
}

// run <<<1, 32>>> (rand(32), zeros(1))
__global__ void tile_reduce_in_branch(const float* x, float* y) {
  auto tile = cg::tiled_partition<16>(cg::this_thread_block());
  float v = 0;
  if (threadIdx.x % 2 == 0) v = cg::reduce(tile, x[threadIdx.x], cg::plus<float>());  // BUG: invalid_warp_sync (even only)
  __syncthreads();
  if (threadIdx.x == 0) *y = v;
}

// run <<<1, 32>>> (arange(32))
__global__ void coalesced_then_split(int* x) {
  if (x[threadIdx.x] < 12) {
    auto active = cg::coalesced_threads();
    if (active.thread_rank() < 4) active.sync();  // BUG: invalid_warp_sync (8 of the group's 12 lanes pass by)
    x[threadIdx.x] = int(active.size());
  }
  __syncthreads();
}

// run <<<1, 32>>> (zeros(32, dtype=i32))
__global__ void wrong_half_waits(int* y) {
  __shared__ int s[32];
  s[threadIdx.x] = threadIdx.x;
  const unsigned mask = threadIdx.x < 16 ? 0xffffu : 0xffffu;
  __syncwarp(mask);  // BUG: invalid_warp_sync (lanes 16 to 31 use the mask of the lower half)
  y[threadIdx.x] = s[threadIdx.x ^ 1];  // BUG: race (so their neighbours have not waited)
}

// run <<<1, 32>>> (zeros(32, dtype=i32))
__global__ void half_warp_reads_all(int* y) {
  __shared__ int s[32];
  s[threadIdx.x] = threadIdx.x;
  __syncwarp(threadIdx.x < 16 ? 0xffffu : 0xffff0000u);
  y[threadIdx.x] = s[31 - threadIdx.x];  // BUG: race (the halves waited for themselves, not for each other)
}

// run <<<1, 64>>> (zeros(64, dtype=i32))
__global__ void syncwarp_between_warps(int* y) {
  __shared__ int s[64];
  s[threadIdx.x] = threadIdx.x;
  __syncwarp();
  y[threadIdx.x] = s[(threadIdx.x + 32) % 64];  // BUG: race (the value is another warp's: __syncthreads is needed)
}

// run transpose_by_tile<8> <<<1, 32>>> (rand(32))
template <int Size>
__global__ void transpose_by_tile(float* x) {
  __shared__ float s[32];
  auto tile = cg::tiled_partition<Size>(cg::this_thread_block());
  s[threadIdx.x] = x[threadIdx.x];
  tile.sync();
  x[threadIdx.x] = s[threadIdx.x % 4 * 8 + threadIdx.x / 4];  // BUG: race (the tile of 8 waits, but 32 lanes exchange)
}
