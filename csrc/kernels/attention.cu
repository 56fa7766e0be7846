// Scaled dot-product attention of PYNEURAL_ELEMENT (Dao et al., FlashAttention, 2022): a block takes a tile of
// queries and walks through the keys, with a running maximum and denominator for each query. The scores are never
// written to memory.
#include <pyneural/attention.cuh>

using namespace pyneural;
using Element = PYNEURAL_ELEMENT;
using Real = Computed<Element>;
using Tile = AttentionTile<Real, sizeof(Real) == 8 ? 2 : 4>;

constexpr int kRows = Tile::kRows;

// blockIdx.y is the strip of kSide * Columns features of the result. The last queries come first: where attention is
// causal they have the most keys.
template <int Columns>
__device__ __forceinline__ void forward(
    const Attention& sizes, const Layout<4>& batches, const Element* query, const Element* key, const Element* value,
    const void* mask, Element* out, Real* logsumexp) {
  __shared__ typename Tile::Shared shared;
  const Index tiles = (sizes.queries + Tile::kTile - 1) / Tile::kTile;
  const Index first_column = Index(blockIdx.y) * Tile::kSide * Columns;
  for (Index task = blockIdx.x; task < sizes.batch * tiles; task += gridDim.x) {
    const Index entry = task / tiles, first_query = (tiles - 1 - task % tiles) * Tile::kTile;
    const Places<4> start = places(batches, entry);
    const auto queries = rows_of(sizes, kQuery, query, start.at[kQuery], sizes.queries);
    const auto keys = rows_of(sizes, kKey, key, start.at[kKey], sizes.keys);
    const auto values = rows_of(sizes, kValue, value, start.at[kValue], sizes.keys);
    Real top[kRows], total[kRows], sums[kRows][Columns] = {};
#pragma unroll
    for (int i = 0; i < kRows; ++i) top[i] = minus_infinity<Real>(), total[i] = 0;

    const Index last_query = first_query + Tile::kTile < sizes.queries ? first_query + Tile::kTile : sizes.queries;
    const Index end = sizes.causal && last_query < sizes.keys ? last_query : sizes.keys;
    for (Index first_key = 0; first_key < end; first_key += Tile::kTile) {
      Real score[kRows][kRows];
      Tile::score_tile(shared, queries, keys, first_query, first_key, sizes.features, score);
#pragma unroll
      for (int i = 0; i < kRows; ++i) {
        Real highest = minus_infinity<Real>();
#pragma unroll
        for (int j = 0; j < kRows; ++j) {
          score[i][j] = masked<Real, Element>(
              sizes, mask, start.at[kMask], score[i][j], first_query + Tile::row() + i,
              first_key + Tile::column() + j * Tile::kSide);
          highest = Largest{}(highest, score[i][j]);
        }
        highest = Largest{}(top[i], Tile::row_reduce(highest, Largest{}));
        // Minus infinity has met nothing but itself, whose exponentials are 0.
        const Real before = top[i] == minus_infinity<Real>() ? Real(0) : exp(top[i] - highest);
        top[i] = highest;
        total[i] *= before;
#pragma unroll
        for (int c = 0; c < Columns; ++c) sums[i][c] *= before;
#pragma unroll
        for (int j = 0; j < kRows; ++j) {
          score[i][j] = score[i][j] == minus_infinity<Real>() ? Real(0) : exp(score[i][j] - highest);
          total[i] += score[i][j];
        }
      }
      Tile::keep(shared, score);
      Tile::template add_product<Columns>(shared, values, first_key, first_column, sizes.value_features, sums);
    }

#pragma unroll
    for (int i = 0; i < kRows; ++i) {
      const Index at = first_query + Tile::row() + i;
      const Real all = Tile::row_reduce(total[i], Plus{});
      if (at >= sizes.queries) continue;
      const Index line = entry * sizes.queries + at;
#pragma unroll
      for (int c = 0; c < Columns; ++c) {
        const Index column = first_column + Tile::column() + c * Tile::kSide;
        if (column < sizes.value_features) {
          out[line * sizes.value_features + column] = narrow<Element>(all == Real(0) ? Real(0) : sums[i][c] / all);
        }
      }
      if (blockIdx.y == 0 && Tile::column() == 0) {
        logsumexp[line] = all == Real(0) ? minus_infinity<Real>() : top[i] + log(all);
      }
    }
    __syncthreads();
  }
}

__global__ void __launch_bounds__(Tile::kThreads, 1) forward_32(
    Attention sizes, Layout<4> batches, const Element* query, const Element* key, const Element* value,
    const void* mask, Element* out, Real* logsumexp) {
  forward<2>(sizes, batches, query, key, value, mask, out, logsumexp);
}
__global__ void __launch_bounds__(Tile::kThreads, 1) forward_64(
    Attention sizes, Layout<4> batches, const Element* query, const Element* key, const Element* value,
    const void* mask, Element* out, Real* logsumexp) {
  forward<4>(sizes, batches, query, key, value, mask, out, logsumexp);
}
__global__ void __launch_bounds__(Tile::kThreads, 1) forward_128(
    Attention sizes, Layout<4> batches, const Element* query, const Element* key, const Element* value,
    const void* mask, Element* out, Real* logsumexp) {
  forward<8>(sizes, batches, query, key, value, mask, out, logsumexp);
}
