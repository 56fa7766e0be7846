// Attention of 16-bit elements on tensor cores (sm_80 and up): four warps own 16 rows each of one matrix (queries, or
// keys) and walk through tiles of rows of the other, which lie in shared memory as they are in memory.
//
// A tile serves twice: as the rows that scores are made with (`scores`, ldmatrix), and as the matrix that weights are
// multiplied with (`add_weighted`, ldmatrix.trans). Weights stay in registers in between: what an accumulator holds is,
// rounded to 16 bits, the first operand of the next product.
#pragma once
#include "attention.cuh"
#include "ptx/cp_async.cuh"
#include "ptx/mma.cuh"

namespace pyneural {

// `D` features, `Walk` rows of a tile.
template <typename Element, int D, int Walk> struct MmaTile {
  static constexpr int kWarps = 4, kThreads = kWarps * kWarp;
  static constexpr int kOwned = kWarps * 16;  // rows of a block
  static constexpr int kWalk = Walk;
  static constexpr int kChunk = 8;            // elements of 16 bytes
  static constexpr int kSteps = D / 16;       // products along the features
  static constexpr int kGroups = Walk / 8;    // of 8 columns of scores
  static constexpr int kPitch = D + kChunk;   // so that eight rows of 16 bytes lie in banks of their own

  using Row = Element[kPitch];
  using Owned = unsigned[kSteps][4];    // a warp's 16 rows
  using Scores = float[kGroups][4];     // of a lane: rows lane / 4 and + 8, columns 2 (lane % 4) and + 1 of each group
  using Sums = float[D / 8][4];         // likewise, columns are features

  static __device__ __forceinline__ int lane() { return threadIdx.x % kWarp; }
  static __device__ __forceinline__ int warp() { return threadIdx.x / kWarp; }
  // Of the block's rows, and of a tile's, those of a lane's first accumulator.
  static __device__ __forceinline__ int row() { return warp() * 16 + lane() / 4; }
  static __device__ __forceinline__ int column() { return lane() % 4 * 2; }

  // `count` rows from `first` on, zeros beyond the matrix; asynchronous where rows are whole 16 bytes. The caller
  // commits, waits, and synchronises the block.
  static __device__ __forceinline__ void fetch(
      Row* to, const Rows<Element>& from, Index first, int count, Index features) {
    constexpr int chunks = D / kChunk;
    const bool whole = from.feature_stride == 1 && from.row_stride % kChunk == 0 && features % kChunk == 0 &&
                       is_aligned<kChunk>(from.memory);
    if (whole) {
#pragma unroll 4
      for (int e = threadIdx.x; e < count * chunks; e += kThreads) {
        const int line = e / chunks, feature = e % chunks * kChunk;
        const bool take = first + line < from.rows && feature < features;
        const Element* source = take ? from.memory + (first + line) * from.row_stride + feature : from.memory;
        ptx::cp_async_zfill<16>(&to[line][feature], source, take);
      }
    } else {
#pragma unroll 4
      for (int e = threadIdx.x; e < count * D; e += kThreads) {
        const int line = e / D, feature = e % D;
        const bool take = first + line < from.rows && feature < features;
        const Index at = (first + line) * from.row_stride + feature * from.feature_stride;
        to[line][feature] = take ? from.memory[at] : narrow<Element>(0.0f);
      }
    }
  }

  // The warp's own rows, from a tile of kOwned rows.
  static __device__ __forceinline__ void own(Owned& owned, const Row* tile) {
#pragma unroll
    for (int step = 0; step < kSteps; ++step) own(owned[step], tile, step);
  }
  static __device__ __forceinline__ void own(unsigned (&owned)[4], const Row* tile, int step) {
    ptx::ldmatrix<4>(owned, &tile[warp() * 16 + lane() % 16][step * 16 + lane() / 16 * kChunk]);
  }

  // scores[own row][tile row] = sum over features, with the own rows in registers, or in shared memory where there
  // are too few registers.
  static __device__ __forceinline__ void multiply(Scores& scores, const Owned& owned, const Row* tile, Index features) {
    multiply_steps(scores, tile, features, [&](int step, unsigned (&a)[4]) {
#pragma unroll
      for (int k = 0; k < 4; ++k) a[k] = owned[step][k];
    });
  }
  static __device__ __forceinline__ void multiply(Scores& scores, const Row* own_tile, const Row* tile, Index features) {
    multiply_steps(scores, tile, features, [&](int step, unsigned (&a)[4]) { own(a, own_tile, step); });
  }
  template <typename Fragment>
  static __device__ __forceinline__ void multiply_steps(
      Scores& scores, const Row* tile, Index features, const Fragment& fragment) {
#pragma unroll
    for (int g = 0; g < kGroups; ++g) {
#pragma unroll
      for (int k = 0; k < 4; ++k) scores[g][k] = 0;
    }
#pragma unroll
    for (int step = 0; step < kSteps; ++step) {
      if (step * 16 >= features) continue;
      unsigned a[4];
      fragment(step, a);
#pragma unroll
      for (int g = 0; g < kGroups; g += 2) {
        unsigned b[4];
        const int line = g * 8 + lane() / 16 * 8 + lane() % 8, feature = step * 16 + lane() / 8 % 2 * kChunk;
        ptx::ldmatrix<4>(b, &tile[line][feature]);
        ptx::mma_m16n8k16<Element>(scores[g], a, {b[0], b[1]});
        ptx::mma_m16n8k16<Element>(scores[g + 1], a, {b[2], b[3]});
      }
    }
  }

  // sums[own row][feature] += sum over tile rows of weights[own row][tile row] tile[tile row][feature].
  static __device__ __forceinline__ void add_weighted(
      Sums& sums, const Scores& weights, const Row* tile, Index features) {
#pragma unroll
    for (int step = 0; step < kWalk / 16; ++step) {
      const float(&low)[4] = weights[2 * step];
      const float(&high)[4] = weights[2 * step + 1];
      const unsigned a[4] = {pack(low[0], low[1]), pack(low[2], low[3]), pack(high[0], high[1]), pack(high[2], high[3])};
#pragma unroll
      for (int g = 0; g < D / 8; g += 2) {
        if (g * 8 >= features) continue;
        unsigned b[4];
        ptx::ldmatrix<4, true>(b, &tile[step * 16 + lane() % 16][g * 8 + lane() / 16 * kChunk]);
        ptx::mma_m16n8k16<Element>(sums[g], a, {b[0], b[1]});
        ptx::mma_m16n8k16<Element>(sums[g + 1], a, {b[2], b[3]});
      }
    }
  }

  // The block's rows of a result (entry, rows, features), through a tile of shared memory that no one uses any more:
  // 16 bytes a lane where rows are whole. `factor(k)` scales the lane's rows.
  template <typename Factor>
  static __device__ __forceinline__ void write(
      Element* out, Row* tile, const Sums& sums, Index entry, Index first, Index rows, Index features,
      const Factor& factor) {
#pragma unroll
    for (int g = 0; g < D / 8; ++g) {
#pragma unroll
      for (int half = 0; half < 2; ++half) {
        const float scale = factor(half);
        const unsigned pair = pack(sums[g][2 * half] * scale, sums[g][2 * half + 1] * scale);
        *reinterpret_cast<unsigned*>(&tile[row() + half * 8][g * 8 + column()]) = pair;
      }
    }
    __syncwarp();
    Element* to = out + (entry * rows + first) * features;
    const int own = warp() * 16;
    if (features % kChunk == 0 && is_aligned<kChunk>(out)) {
      const int chunks = static_cast<int>(features / kChunk);
      for (int e = lane(); e < 16 * chunks; e += kWarp) {
        const int line = own + e / chunks, feature = e % chunks * kChunk;
        if (first + line < rows) {
          *reinterpret_cast<Vector<Element, kChunk>*>(to + line * features + feature) =
              *reinterpret_cast<const Vector<Element, kChunk>*>(&tile[line][feature]);
        }
      }
    } else {
      for (int e = lane(); e < 16 * features; e += kWarp) {
        const int line = own + e / static_cast<int>(features), feature = e % static_cast<int>(features);
        if (first + line < rows) to[line * features + feature] = tile[line][feature];
      }
    }
  }

  static __device__ __forceinline__ unsigned pack(float low, float high) {
    const Vector<Element, 2> pair{{narrow<Element>(low), narrow<Element>(high)}};
    unsigned bits;
    memcpy(&bits, &pair, sizeof bits);
    return bits;
  }

  // Over the four lanes that share a row.
  template <typename Combine> static __device__ __forceinline__ float row_reduce(float value, const Combine& combine) {
    value = combine(value, __shfl_xor_sync(kAllLanes, value, 1));
    return combine(value, __shfl_xor_sync(kAllLanes, value, 2));
  }
};

// Whether every key of a tile takes part for every query of another, with nothing added.
__device__ __forceinline__ bool unmasked(
    const Attention& sizes, Index first_query, Index queries, Index first_key, Index keys) {
  return sizes.kind == kNoMask && first_query + queries <= sizes.queries && first_key + keys <= sizes.keys &&
         (!sizes.causal || first_key + keys - 1 <= first_query);
}

}  // namespace pyneural
