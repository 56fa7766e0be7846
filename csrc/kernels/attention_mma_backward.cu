// The gradients of scaled dot-product attention of 16-bit PYNEURAL_ELEMENT on tensor cores: as attention_backward.cu
// (whose `row_sums` they begin with), with the next tiles on their way to shared memory. Weights and their gradients
// are rounded to 16 bits before they are multiplied on, as in FlashAttention. Up to 128 features.
#include <pyneural/attention_mma.cuh>

using namespace pyneural;
using Element = PYNEURAL_ELEMENT;

// Rows of a tile: as many as registers hold accumulators for.
template <int D> constexpr int kKeysAtOnce = D > 64 ? 32 : 64;
template <int D> constexpr int kQueriesAtOnce = D > 64 ? 16 : D > 32 ? 32 : 64;

// Two tiles of each of two matrices, walked through together: one is computed on while the other arrives.
template <typename Tile> struct Walked {
  alignas(16) typename Tile::Row first[2][Tile::kWalk], second[2][Tile::kWalk];
};

// A block's own rows of a matrix, by way of the shared memory of the tiles.
template <typename Tile>
__device__ __forceinline__ void own(
    typename Tile::Owned& owned, Walked<Tile>& walked, const Rows<Element>& from, Index row, Index features) {
  static_assert(4 * Tile::kWalk >= Tile::kOwned, "the tiles have room for the block's rows");
  auto* tile = &walked.first[0][0];
  Tile::fetch(tile, from, row, Tile::kOwned, features);
  ptx::cp_async_wait_all();
  __syncthreads();
  Tile::own(owned, tile);
  __syncthreads();
}

__device__ __forceinline__ float weight(float score, float logsumexp) {
  return score == minus_infinity<float>() || logsumexp == minus_infinity<float>() ? 0.0f : __expf(score - logsumexp);
}
__device__ __forceinline__ float slope(float weight, float by_weight, float mean) {
  return weight == 0.0f ? 0.0f : weight * (by_weight - mean);
}

template <int D>
__device__ __forceinline__ void by_query(
    const Attention& sizes, const Layout<6>& batches, const Element* query, const Element* key, const Element* value,
    const void* mask, const Element* grad, const float* logsumexp, const float* row_sums, Element* out) {
  using Tile = MmaTile<Element, D, kKeysAtOnce<D>>;
  __shared__ Walked<Tile> walked;
  const Index tiles = (sizes.queries + Tile::kOwned - 1) / Tile::kOwned;
  for (Index task = blockIdx.x; task < sizes.batch * tiles; task += gridDim.x) {
    const Index entry = task / tiles, first_query = (tiles - 1 - task % tiles) * Tile::kOwned;
    const Places<6> start = places(batches, entry);
    const auto keys = rows_of(sizes, kKey, key, start.at[kKey], sizes.keys);
    const auto values = rows_of(sizes, kValue, value, start.at[kValue], sizes.keys);
    typename Tile::Owned queries, grads;
    own<Tile>(
        queries, walked, rows_of(sizes, kQuery, query, start.at[kQuery], sizes.queries), first_query, sizes.features);
    own<Tile>(
        grads, walked, rows_of(sizes, kGrad, grad, start.at[kGrad], sizes.queries), first_query, sizes.value_features);
    float log_sum[2], mean[2];
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      const Index at = first_query + Tile::row() + half * 8, line = entry * sizes.queries + at;
      log_sum[half] = at < sizes.queries ? logsumexp[line] : 0.0f;
      mean[half] = at < sizes.queries ? row_sums[line] : 0.0f;
    }
    const Index last_query = first_query + Tile::kOwned < sizes.queries ? first_query + Tile::kOwned : sizes.queries;
    const Index end = sizes.causal && last_query < sizes.keys ? last_query : sizes.keys;
    const auto fetch = [&](Index first_key, int to) {
      if (first_key < end) {
        Tile::fetch(walked.first[to], keys, first_key, Tile::kWalk, sizes.features);
        Tile::fetch(walked.second[to], values, first_key, Tile::kWalk, sizes.value_features);
      }
      ptx::cp_async_commit();
    };
    typename Tile::Sums sums = {};
    fetch(0, 0);
    int here = 0;
    for (Index first_key = 0; first_key < end; first_key += Tile::kWalk, here ^= 1) {
      fetch(first_key + Tile::kWalk, here ^ 1);
      ptx::cp_async_wait<1>();
      __syncthreads();
      typename Tile::Scores weights, slopes;
      Tile::multiply(weights, queries, walked.first[here], sizes.features);
      Tile::multiply(slopes, grads, walked.second[here], sizes.value_features);
      const bool plain = unmasked(sizes, first_query, Tile::kOwned, first_key, Tile::kWalk);
#pragma unroll
      for (int g = 0; g < Tile::kGroups; ++g) {
#pragma unroll
        for (int k = 0; k < 4; ++k) {
          const float score = plain ? weights[g][k] * float(sizes.scale)
                                    : masked<float, Element>(
                                          sizes, mask, start.at[kMask], weights[g][k],
                                          first_query + Tile::row() + k / 2 * 8,
                                          first_key + g * 8 + Tile::column() + k % 2);
          slopes[g][k] = slope(weight(score, log_sum[k / 2]), slopes[g][k], mean[k / 2]);
        }
      }
      Tile::add_weighted(sums, slopes, walked.first[here], sizes.features);
      __syncthreads();
    }
    ptx::cp_async_wait_all();
    __syncthreads();
    Tile::write(
        out, &walked.first[0][0], sums, entry, first_query, sizes.queries, sizes.features,
        [&](int) { return float(sizes.scale); });
    __syncthreads();
  }
}

template <int D>
__device__ __forceinline__ void by_key(
    const Attention& sizes, const Layout<6>& batches, const Element* query, const Element* key, const Element* value,
    const void* mask, const Element* grad, const float* logsumexp, const float* row_sums, Element* by_key,
    Element* by_value) {
  using Tile = MmaTile<Element, D, kQueriesAtOnce<D>>;
  __shared__ Walked<Tile> walked;
  alignas(16) __shared__ typename Tile::Row values[Tile::kOwned];
  __shared__ float log_sums[2][Tile::kWalk], means[2][Tile::kWalk];
  const Index tiles = (sizes.keys + Tile::kOwned - 1) / Tile::kOwned;
  for (Index task = blockIdx.x; task < sizes.batch * tiles; task += gridDim.x) {
    const Index entry = task / tiles, first_key = task % tiles * Tile::kOwned;
    const Places<6> start = places(batches, entry);
    const auto queries = rows_of(sizes, kQuery, query, start.at[kQuery], sizes.queries);
    const auto grads = rows_of(sizes, kGrad, grad, start.at[kGrad], sizes.queries);
    typename Tile::Owned keys;
    own<Tile>(keys, walked, rows_of(sizes, kKey, key, start.at[kKey], sizes.keys), first_key, sizes.features);
    // Complete with the first of the tiles.
    Tile::fetch(
        values, rows_of(sizes, kValue, value, start.at[kValue], sizes.keys), first_key, Tile::kOwned,
        sizes.value_features);
    const auto fetch = [&](Index first_query, int to) {
      if (first_query < sizes.queries) {
        Tile::fetch(walked.first[to], queries, first_query, Tile::kWalk, sizes.features);
        Tile::fetch(walked.second[to], grads, first_query, Tile::kWalk, sizes.value_features);
        if (threadIdx.x < Tile::kWalk) {
          const Index at = first_query + threadIdx.x, line = entry * sizes.queries + at;
          log_sums[to][threadIdx.x] = at < sizes.queries ? logsumexp[line] : 0.0f;
          means[to][threadIdx.x] = at < sizes.queries ? row_sums[line] : 0.0f;
        }
      }
      ptx::cp_async_commit();
    };
    typename Tile::Sums key_sums = {}, value_sums = {};
    // Queries before the block's first key take none of its keys where attention is causal.
    const Index begin = sizes.causal ? first_key : 0;
    fetch(begin, 0);
    int here = 0;
    for (Index first_query = begin; first_query < sizes.queries; first_query += Tile::kWalk, here ^= 1) {
      fetch(first_query + Tile::kWalk, here ^ 1);
      ptx::cp_async_wait<1>();
      __syncthreads();
      typename Tile::Scores weights, slopes;
      Tile::multiply(weights, keys, walked.first[here], sizes.features);
      Tile::multiply(slopes, values, walked.second[here], sizes.value_features);
      const bool plain = unmasked(sizes, first_query, Tile::kWalk, first_key, Tile::kOwned);
#pragma unroll
      for (int g = 0; g < Tile::kGroups; ++g) {
#pragma unroll
        for (int k = 0; k < 4; ++k) {
          const int column = g * 8 + Tile::column() + k % 2;
          const float score = plain ? weights[g][k] * float(sizes.scale)
                                    : masked<float, Element>(
                                          sizes, mask, start.at[kMask], weights[g][k], first_query + column,
                                          first_key + Tile::row() + k / 2 * 8);
          weights[g][k] = weight(score, log_sums[here][column]);
          slopes[g][k] = slope(weights[g][k], slopes[g][k], means[here][column]);
        }
      }
      Tile::add_weighted(value_sums, weights, walked.second[here], sizes.value_features);
      Tile::add_weighted(key_sums, slopes, walked.first[here], sizes.features);
      __syncthreads();
    }
    ptx::cp_async_wait_all();
    __syncthreads();
    auto* tile = &walked.first[0][0];
    Tile::write(by_key, tile, key_sums, entry, first_key, sizes.keys, sizes.features, [&](int) {
      return float(sizes.scale);
    });
    __syncwarp();
    Tile::write(by_value, tile, value_sums, entry, first_key, sizes.keys, sizes.value_features, [](int) {
      return 1.0f;
    });
    __syncthreads();
  }
}

__global__ void __launch_bounds__(128, 1) by_key_32(
    Attention sizes, Layout<6> batches, const Element* query, const Element* key, const Element* value,
    const void* mask, const Element* grad, const float* logsumexp, const float* sums, Element* keys, Element* values) {
  by_key<32>(sizes, batches, query, key, value, mask, grad, logsumexp, sums, keys, values);
}
__global__ void __launch_bounds__(128, 1) by_key_64(
    Attention sizes, Layout<6> batches, const Element* query, const Element* key, const Element* value,
    const void* mask, const Element* grad, const float* logsumexp, const float* sums, Element* keys, Element* values) {
  by_key<64>(sizes, batches, query, key, value, mask, grad, logsumexp, sums, keys, values);
}
__global__ void __launch_bounds__(128, 1) by_key_128(
    Attention sizes, Layout<6> batches, const Element* query, const Element* key, const Element* value,
    const void* mask, const Element* grad, const float* logsumexp, const float* sums, Element* keys, Element* values) {
  by_key<128>(sizes, batches, query, key, value, mask, grad, logsumexp, sums, keys, values);
}
__global__ void __launch_bounds__(128, 1) by_query_32(
    Attention sizes, Layout<6> batches, const Element* query, const Element* key, const Element* value,
    const void* mask, const Element* grad, const float* logsumexp, const float* sums, Element* out) {
  by_query<32>(sizes, batches, query, key, value, mask, grad, logsumexp, sums, out);
}
__global__ void __launch_bounds__(128, 1) by_query_64(
    Attention sizes, Layout<6> batches, const Element* query, const Element* key, const Element* value,
    const void* mask, const Element* grad, const float* logsumexp, const float* sums, Element* out) {
  by_query<64>(sizes, batches, query, key, value, mask, grad, logsumexp, sums, out);
}
__global__ void __launch_bounds__(128, 1) by_query_128(
    Attention sizes, Layout<6> batches, const Element* query, const Element* key, const Element* value,
    const void* mask, const Element* grad, const float* logsumexp, const float* sums, Element* out) {
  by_query<128>(sizes, batches, query, key, value, mask, grad, logsumexp, sums, out);
}
