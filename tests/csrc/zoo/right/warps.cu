// Warps that exchange values by the rules: masks of those who come, __syncwarp where shared memory is used.
#include <cooperative_groups.h>
#include <cooperative_groups/reduce.h>
#include <cooperative_groups/scan.h>
namespace cg = cooperative_groups;

#define FULL 0xffffffffu

// run <<<2, 64>>> (rand(128), zeros(4))
// gives y = x.reshape(4, 32).sum(axis=1)
__global__ void warp_sums(const float* x, float* y) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  float v = x[i];
  for (int d = 16; d > 0; d /= 2) v += __shfl_xor_sync(FULL, v, d);
  if (threadIdx.x % 32 == 0) y[i / 32] = v;
}

// run <<<1, 32>>> (rand(32), zeros(1))
// gives y = x.sum(keepdims=True)
__global__ void shared_tree_of_one_warp(const float* x, float* y) {
  __shared__ float s[32];
  const int t = threadIdx.x;
  s[t] = x[t];
  for (int d = 16; d > 0; d /= 2) {
    __syncwarp();
    if (t < d) s[t] += s[t + d];
  }
  if (t == 0) *y = s[0];
}

// run <<<1, 64>>> (rand(64), zeros(1))
// gives y = x.sum(keepdims=True)
__global__ void volatile_tree_in_steps(const float* x, float* y) {
  volatile __shared__ float s[64];
  const int t = threadIdx.x;
  s[t] = x[t];
  __syncthreads();
  if (t >= 32) return;
  float v = s[t] + s[t + 32];
  for (int d = 16; d > 0; d /= 2) {
    s[t] = v;
    __syncwarp();
    v += s[(t + d) % 32];
    __syncwarp();
  }
  if (t == 0) *y = v;
}

// run <<<1, 64>>> (ints(64, high=9), zeros(64, dtype=i32))
// gives y = x.reshape(8, 8).sum(axis=1).repeat(8)
__global__ void segments_of_eight(const int* x, int* y) {
  int v = x[threadIdx.x];
  for (int d = 4; d > 0; d >>= 1) v += __shfl_down_sync(FULL, v, d, 8);
  y[threadIdx.x] = __shfl_sync(FULL, v, 0, 8);
}

// run <<<1, 64>>> (rand(50), zeros(2), 50)
// gives y = array([x[:32].sum(), x[32:].sum()], f32)
__global__ void mask_of_those_in_range(const float* x, float* y, int n) {
  const unsigned mask = __ballot_sync(FULL, threadIdx.x < n);
  if (threadIdx.x >= n) return;
  float v = x[threadIdx.x];
  for (int d = 16; d > 0; d /= 2) {
    const float other = __shfl_down_sync(mask, v, d);
    if (threadIdx.x % 32 + d < 32 && threadIdx.x + d < n) v += other;
  }
  if (threadIdx.x % 32 == 0) y[threadIdx.x / 32] = v;
}

// run <<<1, 48>>> (ints(48, high=9), zeros(2, dtype=i32))
// gives y = array([x[:32].sum(), x[32:].sum()])
__global__ void block_of_one_and_a_half_warps(const int* x, int* y) {
  const int sum = __reduce_add_sync(FULL, x[threadIdx.x]);
  if (threadIdx.x % 32 == 0) y[threadIdx.x / 32] = sum;
}

// run <<<1, 32>>> (rand(32, dtype=f64), zeros(32, dtype=f64))
// gives y = x.reshape(2, 16)[:, ::-1].ravel()
__global__ void halves_with_masks_of_their_own(const double* x, double* y) {
  if (threadIdx.x < 16) {
    y[threadIdx.x] = __shfl_xor_sync(0xffffu, x[threadIdx.x], 15);
  } else {
    y[threadIdx.x] = __shfl_xor_sync(0xffff0000u, x[threadIdx.x], 15);
  }
}

// run <<<1, 64>>> (arange(64), zeros(64, dtype=i32))
// gives y = where(x % 2 == 0, (x // 2 % 16), -1)
__global__ void rank_among_the_even(const int* x, int* y) {
  const bool even = x[threadIdx.x] % 2 == 0;
  const unsigned votes = __ballot_sync(FULL, even);
  y[threadIdx.x] = even ? __popc(votes & ((1u << threadIdx.x % 32) - 1)) : -1;
}

// run <<<2, 32>>> (ints(64, high=3), zeros(1, dtype=i32), zeros(64, dtype=i32))
// gives count = array([(x == 1).sum()])
__global__ void warp_aggregated_append(const int* x, int* count, int* list) {
  const int i = blockIdx.x * 32 + threadIdx.x;
  if (x[i] == 1) {
    cg::coalesced_group active = cg::coalesced_threads();
    int first = 0;
    if (active.thread_rank() == 0) first = atomicAdd(count, int(active.size()));
    first = active.shfl(first, 0);
    list[first + active.thread_rank()] = i;
  }
}

// run <<<1, 32>>> (ints(32, high=4), zeros(4, dtype=i32))
// gives bins = bincount(x, minlength=4)
__global__ void histogram_by_match(const int* x, int* bins) {
  const unsigned peers = __match_any_sync(FULL, x[threadIdx.x]);
  if (threadIdx.x == __ffs(peers) - 1) bins[x[threadIdx.x]] += __popc(peers);
}

// run <<<1, 32>>> (ints(32, high=1000))
// gives x = sort(x)
__global__ void bitonic_sort(int* x) {
  int v = x[threadIdx.x];
  for (int size = 2; size <= 32; size *= 2)
    for (int d = size / 2; d > 0; d /= 2) {
      const int other = __shfl_xor_sync(FULL, v, d);
      const bool up = (threadIdx.x & size) == 0, lower = (threadIdx.x & d) == 0;
      v = lower == up ? min(v, other) : max(v, other);
    }
  x[threadIdx.x] = v;
}

// run <<<1, 32>>> (ints(32, high=9))
// gives x = cumsum(x)
__global__ void scan_by_shuffle(int* x) {
  int v = x[threadIdx.x];
  for (unsigned d = 1; d < 32; d *= 2) {
    const int before = __shfl_up_sync(FULL, v, d);
    if (threadIdx.x >= d) v += before;
  }
  x[threadIdx.x] = v;
}

// run <<<1, 64>>> (rand(64), zeros(64))
// gives y = x.reshape(16, 4).sum(axis=1).repeat(4)
__global__ void tiles_of_four(const float* x, float* y) {
  auto tile = cg::tiled_partition<4>(cg::this_thread_block());
  y[threadIdx.x] = cg::reduce(tile, x[threadIdx.x], cg::plus<float>());
}

// run <<<1, 64>>> (rand(64))
// gives x = x.reshape(8, 8)[:, ::-1].ravel()
__global__ void tile_exchanges_in_shared(float* x) {
  __shared__ float s[64];
  auto tile = cg::tiled_partition<8>(cg::this_thread_block());
  s[threadIdx.x] = x[threadIdx.x];
  tile.sync();
  x[threadIdx.x] = s[threadIdx.x ^ 7];
}

// run <<<1, 32>>> (ints(32, high=9), zeros(32, dtype=i32))
// gives y = array([x[x % 2 == k % 2].sum() for k in x])
__global__ void partition_by_parity(const int* x, int* y) {
  auto warp = cg::tiled_partition<32>(cg::this_thread_block());
  auto mine = cg::binary_partition(warp, x[threadIdx.x] % 2 == 0);
  y[threadIdx.x] = cg::reduce(mine, x[threadIdx.x], cg::plus<int>());
}

// run <<<1, 32>>> (ints(32, high=5), zeros(32, dtype=i32))
// gives y = array([(x == k).sum() for k in x])
__global__ void partition_by_label(const int* x, int* y) {
  auto warp = cg::tiled_partition<32>(cg::this_thread_block());
  y[threadIdx.x] = int(cg::labeled_partition(warp, x[threadIdx.x]).size());
}

// run <<<1, 32>>> (ints(32, high=20), zeros(1, dtype=i32))
// gives y = array([x.max()])
__global__ void loop_until_all_done(const int* x, int* y) {
  int left = x[threadIdx.x], rounds = 0;
  while (__any_sync(FULL, left > 0)) {
    if (left > 0) --left;
    ++rounds;
  }
  if (threadIdx.x == 0) *y = rounds;
}

// run <<<1, 96>>> (rand(96), zeros(96))
// gives y = x.reshape(3, 32)[:, [5]].repeat(32, axis=1).ravel()
__global__ void leader_speaks_through_shared(const float* x, float* y) {
  __shared__ float said[3];
  if (threadIdx.x % 32 == 5) said[threadIdx.x / 32] = x[threadIdx.x];
  __syncwarp();
  y[threadIdx.x] = said[threadIdx.x / 32];
}

// run <<<2, 64>>> (ints(512, high=16), zeros(512, dtype=i32))
// gives rank = array([sum(digit.reshape(2, 4, 2, 32)[b, :, w].ravel()[:r * 32 + l] == d) for (b, r, w, l), d in ndenumerate(digit.reshape(2, 4, 2, 32))])
__global__ void ranks_of_digits(const int* digit, int* rank) {
  __shared__ int before[2][16];
  const int w = threadIdx.x / 32, lane = threadIdx.x % 32;
  if (lane < 16) before[w][lane] = 0;
  __syncwarp();
  for (int r = 0; r < 4; ++r) {
    const int i = (blockIdx.x * 4 + r) * 64 + threadIdx.x;
    const unsigned same = __match_any_sync(FULL, digit[i]);
    rank[i] = before[w][digit[i]] + __popc(same & ((1u << lane) - 1));
    __syncwarp();
    if (lane == __ffs(same) - 1) before[w][digit[i]] += __popc(same);  // reads once more what all of them have read
    __syncwarp();
  }
}

// run <<<1, 32>>> (arange(32, dtype=i64), zeros(32, dtype=i64))
// gives y = roll(x, -1) * 10000000000
__global__ void rotate_long(const long long* x, long long* y) {
  y[threadIdx.x] = __shfl_sync(FULL, x[threadIdx.x] * 10000000000ll, threadIdx.x + 1);
}

// run block_sum<128> <<<3, 128>>> (rand(384), zeros(3))
// gives y = x.reshape(3, 128).sum(axis=1)
template <int Threads>
__global__ void block_sum(const float* x, float* y) {
  __shared__ float parts[Threads / 32];
  float v = x[blockIdx.x * Threads + threadIdx.x];
#pragma unroll
  for (int d = 16; d > 0; d /= 2) v += __shfl_down_sync(FULL, v, d);
  if (threadIdx.x % 32 == 0) parts[threadIdx.x / 32] = v;
  __syncthreads();
  if (threadIdx.x < 32) {
    v = threadIdx.x < Threads / 32 ? parts[threadIdx.x] : 0;
    for (int d = 16; d > 0; d /= 2) v += __shfl_down_sync(FULL, v, d);
    if (threadIdx.x == 0) y[blockIdx.x] = v;
  }
}
