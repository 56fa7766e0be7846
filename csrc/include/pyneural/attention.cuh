// What the kernels of attention share: a block owns 16 x kRows rows of one matrix (queries, or keys), walks through
// tiles of as many rows of the other, and holds 16 x 16 threads with kRows x kRows scores each.
//
// `score_tile` is the product of two tiles along their features, `add_product` adds a tile of weights, from shared
// memory, times rows of a matrix. Nothing of the size of the scores is ever written to memory.
#pragma once
#include "combine.cuh"
#include "layout.cuh"
#include "map.cuh"
#include "reduce.cuh"

namespace pyneural {

// Rows of an operand of PYNEURAL_ELEMENT, any strides.
template <typename Element> struct Rows {
  const Element* memory;
  Index rows, row_stride, feature_stride;
};

template <typename Real, int RowsOfThread> struct AttentionTile {
  static constexpr int kSide = 16;                      // threads along each side
  static constexpr int kThreads = kSide * kSide;
  static constexpr int kRows = RowsOfThread;            // scores of a thread along each side
  static constexpr int kTile = kSide * kRows;           // rows of a tile
  static constexpr int kPad = 16 / sizeof(Real);        // so that a column's 16 bytes lie in banks of their own
  static constexpr int kFeatures = 32;                  // staged at a time
  static constexpr int kStagedRows = 16;                // rows of values staged at a time
  static constexpr int kColumns = 8;                    // result columns of a thread at most
  static constexpr int kWidest = kSide * kColumns;      // result columns of a block at most

  using Strip = Vector<Real, kRows>;

  union Staged {
    struct {
      Real a[kFeatures][kTile + kPad], b[kFeatures][kTile + kPad];
    } features;
    Real values[kStagedRows][kWidest];
  };
  struct Shared {
    Staged staged;
    Real weights[kTile][kTile + kPad];  // [row of the other matrix][row of the block's]
  };
  static_assert(sizeof(Shared) <= 48 * 1024, "static shared memory");

  static __device__ __forceinline__ int row() { return threadIdx.x / kSide * kRows; }
  static __device__ __forceinline__ int column() { return threadIdx.x % kSide; }

  // kFeatures features of kTile rows, transposed, as lanes of 8 features x 4 rows: whole sectors are read, and no
  // two lanes write to one bank.
  template <typename Element>
  static __device__ __forceinline__ void stage(
      Real (&to)[kFeatures][kTile + kPad], const Rows<Element>& from, Index first_row, Index first_feature,
      Index features) {
    constexpr int across = 8;
#pragma unroll 4
    for (int e = threadIdx.x; e < kFeatures * kTile; e += kThreads) {
      const int feature = e % across + e / (across * kTile) * across, line = e / across % kTile;
      const bool inside = first_row + line < from.rows && first_feature + feature < features;
      const Index at = (first_row + line) * from.row_stride + (first_feature + feature) * from.feature_stride;
      to[feature][line] = inside ? widen(from.memory[at]) : Real(0);
    }
  }

  // scores[i][j] = sum over features of a(first_a + row() + i) b(first_b + column() + j kSide).
  template <typename Element>
  static __device__ __forceinline__ void score_tile(
      Shared& shared, const Rows<Element>& a, const Rows<Element>& b, Index first_a, Index first_b, Index features,
      Real (&scores)[kRows][kRows]) {
#pragma unroll
    for (int i = 0; i < kRows; ++i) {
#pragma unroll
      for (int j = 0; j < kRows; ++j) scores[i][j] = 0;
    }
    auto& staged = shared.staged.features;
    for (Index first = 0; first < features; first += kFeatures) {
      __syncthreads();
      stage(staged.a, a, first_a, first, features);
      stage(staged.b, b, first_b, first, features);
      __syncthreads();
#pragma unroll 8
      for (int f = 0; f < kFeatures; ++f) {
        const Strip x = *reinterpret_cast<const Strip*>(&staged.a[f][row()]);
#pragma unroll
        for (int j = 0; j < kRows; ++j) {
          const Real y = staged.b[f][column() + j * kSide];
#pragma unroll
          for (int i = 0; i < kRows; ++i) scores[i][j] += x.item[i] * y;
        }
      }
    }
  }

  // The scores' places in `weights`, for `add_product`.
  static __device__ __forceinline__ void keep(Shared& shared, const Real (&scores)[kRows][kRows]) {
#pragma unroll
    for (int j = 0; j < kRows; ++j) {
      Strip strip;
#pragma unroll
      for (int i = 0; i < kRows; ++i) strip.item[i] = scores[i][j];
      *reinterpret_cast<Strip*>(&shared.weights[column() + j * kSide][row()]) = strip;
    }
  }

  // sums[i][c] += sum over the tile's rows k of weights[k][row() + i] from(first_row + k, first_column + c'), where
  // c' is column() + c kSide. Begins and ends with the barriers it needs.
  template <int Columns, typename Element>
  static __device__ __forceinline__ void add_product(
      Shared& shared, const Rows<Element>& from, Index first_row, Index first_column, Index features,
      Real (&sums)[kRows][Columns]) {
    constexpr int width = Columns * kSide;
    auto& values = shared.staged.values;
    for (int first = 0; first < kTile && first_row + first < from.rows; first += kStagedRows) {
      __syncthreads();
#pragma unroll 4
      for (int e = threadIdx.x; e < kStagedRows * width; e += kThreads) {
        const int line = e / width, feature = e % width;
        const Index at_row = first_row + first + line, at_feature = first_column + feature;
        const bool inside = at_row < from.rows && at_feature < features;
        values[line][feature] =
            inside ? widen(from.memory[at_row * from.row_stride + at_feature * from.feature_stride]) : Real(0);
      }
      __syncthreads();
#pragma unroll 4
      for (int k = 0; k < kStagedRows; ++k) {
        const Strip x = *reinterpret_cast<const Strip*>(&shared.weights[first + k][row()]);
#pragma unroll
        for (int c = 0; c < Columns; ++c) {
          const Real y = values[k][column() + c * kSide];
#pragma unroll
          for (int i = 0; i < kRows; ++i) sums[i][c] += x.item[i] * y;
        }
      }
    }
    __syncthreads();
  }

  // Over the threads that share rows.
  template <typename Combine> static __device__ __forceinline__ Real row_reduce(Real value, const Combine& combine) {
#pragma unroll
    for (int offset = kSide / 2; offset > 0; offset /= 2) {
      value = combine(value, __shfl_xor_sync(kAllLanes, value, offset));
    }
    return value;
  }
};

constexpr int kMaxOperands = 6;
enum Operand { kQuery, kKey, kValue, kMask, kGrad, kOutput };

// Sizes, and of each operand the strides of its last two dimensions; `kind` and `causal` say which keys a query takes.
// Filled in by kernels/attention/cuda.py.
struct Attention {
  Index batch, queries, keys, features, value_features;
  Index row_stride[kMaxOperands], column_stride[kMaxOperands];
  double scale;
  Index kind;  // of mask
  Index causal;
};
enum MaskKind { kNoMask, kBoolMask, kAddedMask };

template <typename Element>
__device__ __forceinline__ Rows<Element> rows_of(
    const Attention& sizes, int operand, const Element* memory, Index start, Index rows) {
  return {memory + start, rows, sizes.row_stride[operand], sizes.column_stride[operand]};
}

// A scaled and masked score; minus infinity where the query does not take the key.
template <typename Real, typename Element>
__device__ __forceinline__ Real masked(
    const Attention& sizes, const void* mask, Index mask_start, Real score, Index query, Index key) {
  if (query >= sizes.queries || key >= sizes.keys || (sizes.causal && key > query)) return minus_infinity<Real>();
  score *= Real(sizes.scale);
  const Index at = mask_start + query * sizes.row_stride[kMask] + key * sizes.column_stride[kMask];
  if (sizes.kind == kBoolMask && !static_cast<const bool*>(mask)[at]) return minus_infinity<Real>();
  if (sizes.kind == kAddedMask) score += widen(static_cast<const Element*>(mask)[at]);
  return score;
}

}  // namespace pyneural
