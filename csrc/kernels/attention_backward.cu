// The gradients of scaled dot-product attention of PYNEURAL_ELEMENT (Dao et al., FlashAttention, 2022, algorithm 4).
//
// `row_sums` finds sum(grad * output) of each query. The gradients by keys and values belong to the block that has the
// keys and walks through the queries, those by queries to the block that has these and walks through the keys: the
// weights are computed anew from logsumexp in both, nothing is added up by atomics, and every sum has a fixed order.
#include <pyneural/attention.cuh>

using namespace pyneural;
using Element = PYNEURAL_ELEMENT;
using Real = Computed<Element>;
using Tile = AttentionTile<Real, sizeof(Real) == 8 ? 2 : 4>;

constexpr int kRows = Tile::kRows, kSide = Tile::kSide;

__global__ void row_sums(
    Attention sizes, Layout<6> batches, const Element* grad, const Element* output, Real* sums) {
  const int lane = threadIdx.x % kWarp;
  const Index warps = threads_of_grid() / kWarp;
  for (Index line = thread_of_grid() / kWarp; line < sizes.batch * sizes.queries; line += warps) {
    const Index entry = line / sizes.queries, query = line - entry * sizes.queries;
    const Places<6> start = places(batches, entry);
    const Element* a = grad + start.at[kGrad] + query * sizes.row_stride[kGrad];
    const Element* b = output + start.at[kOutput] + query * sizes.row_stride[kOutput];
    Real sum = 0;
    for (Index c = lane; c < sizes.value_features; c += kWarp) {
      sum += widen(a[c * sizes.column_stride[kGrad]]) * widen(b[c * sizes.column_stride[kOutput]]);
    }
    sum = warp_reduce(sum, [](Real x, Real y) { return x + y; });
    if (lane == 0) sums[line] = sum;
  }
}

// What a score becomes: its weight, 0 where no key takes part.
__device__ __forceinline__ Real weight(Real score, Real logsumexp) {
  return score == minus_infinity<Real>() || logsumexp == minus_infinity<Real>() ? Real(0) : exp(score - logsumexp);
}

template <int Columns>
__device__ __forceinline__ void write(
    Element* out, Index entry, Index first_row, Index rows, Index first_column, Index columns, Real scale,
    const Real (&sums)[kRows][Columns]) {
#pragma unroll
  for (int i = 0; i < kRows; ++i) {
    const Index row = first_row + Tile::row() + i;
#pragma unroll
    for (int c = 0; c < Columns; ++c) {
      const Index column = first_column + Tile::column() + c * kSide;
      if (row < rows && column < columns) {
        out[(entry * rows + row) * columns + column] = narrow<Element>(sums[i][c] * scale);
      }
    }
  }
}

template <int Columns>
__device__ __forceinline__ void by_key(
    const Attention& sizes, const Layout<6>& batches, const Element* query, const Element* key, const Element* value,
    const void* mask, const Element* grad, const Real* logsumexp, const Real* row_sums, Element* by_key,
    Element* by_value) {
  __shared__ typename Tile::Shared shared;
  const Index tiles = (sizes.keys + Tile::kTile - 1) / Tile::kTile;
  const Index first_column = Index(blockIdx.y) * kSide * Columns;
  for (Index task = blockIdx.x; task < sizes.batch * tiles; task += gridDim.x) {
    const Index entry = task / tiles, first_key = task % tiles * Tile::kTile;
    const Places<6> start = places(batches, entry);
    const auto queries = rows_of(sizes, kQuery, query, start.at[kQuery], sizes.queries);
    const auto keys = rows_of(sizes, kKey, key, start.at[kKey], sizes.keys);
    const auto values = rows_of(sizes, kValue, value, start.at[kValue], sizes.keys);
    const auto grads = rows_of(sizes, kGrad, grad, start.at[kGrad], sizes.queries);
    Real key_sums[kRows][Columns] = {}, value_sums[kRows][Columns] = {};
    // Queries before the tile's first key take none of its keys where attention is causal.
    for (Index first_query = sizes.causal ? first_key : 0; first_query < sizes.queries; first_query += Tile::kTile) {
      Real weights[kRows][kRows], slopes[kRows][kRows];
      Tile::score_tile(shared, keys, queries, first_key, first_query, sizes.features, weights);
#pragma unroll
      for (int j = 0; j < kRows; ++j) {
        const Index at = first_query + Tile::column() + j * kSide;
        const Real log_sum = at < sizes.queries ? logsumexp[entry * sizes.queries + at] : Real(0);
#pragma unroll
        for (int i = 0; i < kRows; ++i) {
          const Real score = masked<Real, Element>(
              sizes, mask, start.at[kMask], weights[i][j], at, first_key + Tile::row() + i);
          weights[i][j] = weight(score, log_sum);
        }
      }
      Tile::keep(shared, weights);
      Tile::template add_product<Columns>(
          shared, grads, first_query, first_column, sizes.value_features, value_sums);
      Tile::score_tile(shared, values, grads, first_key, first_query, sizes.value_features, slopes);
#pragma unroll
      for (int j = 0; j < kRows; ++j) {
        const Index at = first_query + Tile::column() + j * kSide;
        const Real mean = at < sizes.queries ? row_sums[entry * sizes.queries + at] : Real(0);
#pragma unroll
        for (int i = 0; i < kRows; ++i) {
          slopes[i][j] = weights[i][j] == Real(0) ? Real(0) : weights[i][j] * (slopes[i][j] - mean);
        }
      }
      Tile::keep(shared, slopes);
      Tile::template add_product<Columns>(shared, queries, first_query, first_column, sizes.features, key_sums);
    }
    write(by_key, entry, first_key, sizes.keys, first_column, sizes.features, Real(sizes.scale), key_sums);
    write(by_value, entry, first_key, sizes.keys, first_column, sizes.value_features, Real(1), value_sums);
    __syncthreads();
  }
}

template <int Columns>
__device__ __forceinline__ void by_query(
    const Attention& sizes, const Layout<6>& batches, const Element* query, const Element* key, const Element* value,
    const void* mask, const Element* grad, const Real* logsumexp, const Real* row_sums, Element* out) {
  __shared__ typename Tile::Shared shared;
  const Index tiles = (sizes.queries + Tile::kTile - 1) / Tile::kTile;
  const Index first_column = Index(blockIdx.y) * kSide * Columns;
  for (Index task = blockIdx.x; task < sizes.batch * tiles; task += gridDim.x) {
    const Index entry = task / tiles, first_query = (tiles - 1 - task % tiles) * Tile::kTile;
    const Places<6> start = places(batches, entry);
    const auto queries = rows_of(sizes, kQuery, query, start.at[kQuery], sizes.queries);
    const auto keys = rows_of(sizes, kKey, key, start.at[kKey], sizes.keys);
    const auto values = rows_of(sizes, kValue, value, start.at[kValue], sizes.keys);
    const auto grads = rows_of(sizes, kGrad, grad, start.at[kGrad], sizes.queries);
    Real log_sum[kRows], mean[kRows], sums[kRows][Columns] = {};
#pragma unroll
    for (int i = 0; i < kRows; ++i) {
      const Index at = first_query + Tile::row() + i, line = entry * sizes.queries + at;
      log_sum[i] = at < sizes.queries ? logsumexp[line] : Real(0);
      mean[i] = at < sizes.queries ? row_sums[line] : Real(0);
    }
    const Index last_query = first_query + Tile::kTile < sizes.queries ? first_query + Tile::kTile : sizes.queries;
    const Index end = sizes.causal && last_query < sizes.keys ? last_query : sizes.keys;
    for (Index first_key = 0; first_key < end; first_key += Tile::kTile) {
      Real weights[kRows][kRows], slopes[kRows][kRows];
      Tile::score_tile(shared, queries, keys, first_query, first_key, sizes.features, weights);
#pragma unroll
      for (int i = 0; i < kRows; ++i) {
#pragma unroll
        for (int j = 0; j < kRows; ++j) {
          const Real score = masked<Real, Element>(
              sizes, mask, start.at[kMask], weights[i][j], first_query + Tile::row() + i,
              first_key + Tile::column() + j * kSide);
          weights[i][j] = weight(score, log_sum[i]);
        }
      }
      Tile::score_tile(shared, grads, values, first_query, first_key, sizes.value_features, slopes);
#pragma unroll
      for (int i = 0; i < kRows; ++i) {
#pragma unroll
        for (int j = 0; j < kRows; ++j) {
          slopes[i][j] = weights[i][j] == Real(0) ? Real(0) : weights[i][j] * (slopes[i][j] - mean[i]);
        }
      }
      Tile::keep(shared, slopes);
      Tile::template add_product<Columns>(shared, keys, first_key, first_column, sizes.features, sums);
    }
    write(out, entry, first_query, sizes.queries, first_column, sizes.features, Real(sizes.scale), sums);
    __syncthreads();
  }
}

__global__ void __launch_bounds__(Tile::kThreads, 1) by_key_32(
    Attention sizes, Layout<6> batches, const Element* query, const Element* key, const Element* value,
    const void* mask, const Element* grad, const Real* logsumexp, const Real* sums, Element* keys, Element* values) {
  by_key<2>(sizes, batches, query, key, value, mask, grad, logsumexp, sums, keys, values);
}
__global__ void __launch_bounds__(Tile::kThreads, 1) by_key_64(
    Attention sizes, Layout<6> batches, const Element* query, const Element* key, const Element* value,
    const void* mask, const Element* grad, const Real* logsumexp, const Real* sums, Element* keys, Element* values) {
  by_key<4>(sizes, batches, query, key, value, mask, grad, logsumexp, sums, keys, values);
}
__global__ void __launch_bounds__(Tile::kThreads, 1) by_key_128(
    Attention sizes, Layout<6> batches, const Element* query, const Element* key, const Element* value,
    const void* mask, const Element* grad, const Real* logsumexp, const Real* sums, Element* keys, Element* values) {
  by_key<8>(sizes, batches, query, key, value, mask, grad, logsumexp, sums, keys, values);
}
__global__ void __launch_bounds__(Tile::kThreads, 1) by_query_32(
    Attention sizes, Layout<6> batches, const Element* query, const Element* key, const Element* value,
    const void* mask, const Element* grad, const Real* logsumexp, const Real* sums, Element* out) {
  by_query<2>(sizes, batches, query, key, value, mask, grad, logsumexp, sums, out);
}
__global__ void __launch_bounds__(Tile::kThreads, 1) by_query_64(
    Attention sizes, Layout<6> batches, const Element* query, const Element* key, const Element* value,
    const void* mask, const Element* grad, const Real* logsumexp, const Real* sums, Element* out) {
  by_query<4>(sizes, batches, query, key, value, mask, grad, logsumexp, sums, out);
}
__global__ void __launch_bounds__(Tile::kThreads, 1) by_query_128(
    Attention sizes, Layout<6> batches, const Element* query, const Element* key, const Element* value,
    const void* mask, const Element* grad, const Real* logsumexp, const Real* sums, Element* out) {
  by_query<8>(sizes, batches, query, key, value, mask, grad, logsumexp, sums, out);
}
