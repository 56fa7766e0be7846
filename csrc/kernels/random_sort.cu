// A stable sort of 64-bit keys with the places they came from: least significant digit first, 8 bits a pass.
//
// `count` counts the digits of each tile, a scan (scan.cu) of the counts, digit by digit and within a digit tile by
// tile, tells where each goes, and `place` moves the keys there. Elements of one digit keep their order: a warp ranks
// 32 neighbours at a time by who shares a digit (Merrill and Grimshaw 2011; Adinets and Merrill 2022).
#include <pyneural/scan.cuh>

using namespace pyneural;
using Word64 = unsigned long long;

constexpr int kThreads = 256, kWarps = kThreads / kWarp, kItems = 8, kTile = kThreads * kItems;
constexpr int kDigits = 256;
static_assert(kDigits == kThreads, "a thread has a digit");

__device__ __forceinline__ int digit_of(Word64 key, int shift) { return static_cast<int>(key >> shift & (kDigits - 1)); }

// counts[digit][tile]
__global__ void __launch_bounds__(kThreads) count(const Word64* keys, int* counts, Index n, int shift) {
  __shared__ int digits[kDigits];
  digits[threadIdx.x] = 0;
  __syncthreads();
  const Index first = Index(blockIdx.x) * kTile;
#pragma unroll
  for (int k = 0; k < kItems; ++k) {
    const Index i = first + k * kThreads + threadIdx.x;
    if (i < n) atomicAdd(&digits[digit_of(keys[i], shift)], 1);
  }
  __syncthreads();
  counts[Index(threadIdx.x) * gridDim.x + blockIdx.x] = digits[threadIdx.x];
}

// `up_to` holds the inclusive sums of `counts`; `order` is null in the first pass, where element i came from i.
__global__ void __launch_bounds__(kThreads) place(
    const Word64* keys, const Index* order, const int* counts, const Index* up_to, Word64* sorted_keys,
    Index* sorted_order, Index n, int shift) {
  __shared__ Word64 staged[kTile];
  __shared__ int before[kWarps][kDigits];  // elements of the digit in the warps before, and then in the tile
  __shared__ Index to[kDigits];            // from a place in the tile, sorted by digit, to one in the result
  __shared__ int sums[kWarps];
  const int lane = threadIdx.x % kWarp, warp = threadIdx.x / kWarp;
  const Index tile = Index(blockIdx.x) * kTile;
  const int held = static_cast<int>(n - tile < kTile ? n - tile : kTile);
  for (int w = 0; w < kWarps; ++w) before[w][threadIdx.x] = 0;
  __syncthreads();

  Word64 key[kItems];
  int rank[kItems];
#pragma unroll
  for (int k = 0; k < kItems; ++k) {
    const int i = (warp * kItems + k) * kWarp + lane;
    // What is beyond the end comes last, for it has the last digit and stands behind all that have it.
    key[k] = i < held ? keys[tile + i] : ~Word64(0);
    const int digit = digit_of(key[k], shift);
    const unsigned same = __match_any_sync(kAllLanes, digit);
    const int first = __ffs(same) - 1;
    int ahead = 0;
    if (lane == first) {
      ahead = before[warp][digit];
      before[warp][digit] = ahead + __popc(same);
    }
    rank[k] = __shfl_sync(kAllLanes, ahead, first) + __popc(same & ((1u << lane) - 1));
    __syncwarp();
  }
  __syncthreads();

  int value[1] = {0};
  for (int w = 0; w < kWarps; ++w) {
    const int here = before[w][threadIdx.x];
    before[w][threadIdx.x] = value[0];
    value[0] += here;
  }
  const int all = value[0];
  block_tile_scan(value, 0, sums);
  const int start = value[0] - all;  // of the digit in the tile
  for (int w = 0; w < kWarps; ++w) before[w][threadIdx.x] += start;
  const Index counted = Index(threadIdx.x) * gridDim.x + blockIdx.x;
  to[threadIdx.x] = up_to[counted] - counts[counted] - start;
  __syncthreads();

#pragma unroll
  for (int k = 0; k < kItems; ++k) {
    rank[k] += before[warp][digit_of(key[k], shift)];
    staged[rank[k]] = key[k];
  }
  __syncthreads();
  Index target[kItems];
#pragma unroll
  for (int k = 0; k < kItems; ++k) {
    const int i = k * kThreads + threadIdx.x;
    if (i < held) {
      target[k] = to[digit_of(staged[i], shift)] + i;
      sorted_keys[target[k]] = staged[i];
    }
  }
  __syncthreads();
#pragma unroll
  for (int k = 0; k < kItems; ++k) {
    const int i = (warp * kItems + k) * kWarp + lane;
    if (i < held) staged[rank[k]] = order ? order[tile + i] : tile + i;
  }
  __syncthreads();
#pragma unroll
  for (int k = 0; k < kItems; ++k) {
    const int i = k * kThreads + threadIdx.x;
    if (i < held) sorted_order[target[k]] = staged[i];
  }
}
