// Scaled dot-product attention of 16-bit PYNEURAL_ELEMENT on tensor cores (Dao, FlashAttention-2, 2023): as
// attention.cu, with the next keys on their way to shared memory while values are added, and values while scores are
// made. Up to 128 features.
#include <pyneural/attention_mma.cuh>

using namespace pyneural;
using Element = PYNEURAL_ELEMENT;

template <int D>
__device__ __forceinline__ void forward(
    const Attention& sizes, const Layout<4>& batches, const Element* query, const Element* key, const Element* value,
    const void* mask, Element* out, float* logsumexp) {
  using Tile = MmaTile<Element, D, 64>;
  static_assert(Tile::kWalk == Tile::kOwned, "queries pass through the tile of keys");
  alignas(16) __shared__ typename Tile::Row key_tile[Tile::kWalk];
  alignas(16) __shared__ typename Tile::Row value_tile[Tile::kWalk];
  const Index tiles = (sizes.queries + Tile::kOwned - 1) / Tile::kOwned;
  for (Index task = blockIdx.x; task < sizes.batch * tiles; task += gridDim.x) {
    // The last queries come first: where attention is causal they have the most keys.
    const Index entry = task / tiles, first_query = (tiles - 1 - task % tiles) * Tile::kOwned;
    const Places<4> start = places(batches, entry);
    const auto queries = rows_of(sizes, kQuery, query, start.at[kQuery], sizes.queries);
    const auto keys = rows_of(sizes, kKey, key, start.at[kKey], sizes.keys);
    const auto values = rows_of(sizes, kValue, value, start.at[kValue], sizes.keys);

    typename Tile::Owned owned;
    Tile::fetch(key_tile, queries, first_query, Tile::kOwned, sizes.features);
    ptx::cp_async_wait_all();
    __syncthreads();
    Tile::own(owned, key_tile);
    __syncthreads();

    float top[2] = {minus_infinity<float>(), minus_infinity<float>()}, total[2] = {0, 0};
    typename Tile::Sums sums = {};
    const Index last_query = first_query + Tile::kOwned < sizes.queries ? first_query + Tile::kOwned : sizes.queries;
    const Index end = sizes.causal && last_query < sizes.keys ? last_query : sizes.keys;
    Tile::fetch(key_tile, keys, 0, Tile::kWalk, sizes.features);
    ptx::cp_async_commit();
    for (Index first_key = 0; first_key < end; first_key += Tile::kWalk) {
      Tile::fetch(value_tile, values, first_key, Tile::kWalk, sizes.value_features);
      ptx::cp_async_commit();
      ptx::cp_async_wait<1>();
      __syncthreads();
      typename Tile::Scores scores;
      Tile::multiply(scores, owned, key_tile, sizes.features);
      __syncthreads();
      if (first_key + Tile::kWalk < end) {
        Tile::fetch(key_tile, keys, first_key + Tile::kWalk, Tile::kWalk, sizes.features);
      }
      ptx::cp_async_commit();

      const bool plain = unmasked(sizes, first_query, Tile::kOwned, first_key, Tile::kWalk);
#pragma unroll
      for (int half = 0; half < 2; ++half) {
        float highest = top[half];
#pragma unroll
        for (int g = 0; g < Tile::kGroups; ++g) {
#pragma unroll
          for (int k = 2 * half; k < 2 * half + 2; ++k) {
            float& score = scores[g][k];
            score = plain ? score * float(sizes.scale)
                          : masked<float, Element>(
                                sizes, mask, start.at[kMask], score, first_query + Tile::row() + half * 8,
                                first_key + g * 8 + Tile::column() + k % 2);
            highest = Largest{}(highest, score);
          }
        }
        highest = Tile::row_reduce(highest, Largest{});
        // Minus infinity has met nothing but itself, whose exponentials are 0.
        const float before = top[half] == minus_infinity<float>() ? 0.0f : __expf(top[half] - highest);
        top[half] = highest;
        total[half] *= before;
#pragma unroll
        for (int g = 0; g < D / 8; ++g) {
          sums[g][2 * half] *= before;
          sums[g][2 * half + 1] *= before;
        }
#pragma unroll
        for (int g = 0; g < Tile::kGroups; ++g) {
#pragma unroll
          for (int k = 2 * half; k < 2 * half + 2; ++k) {
            scores[g][k] = scores[g][k] == minus_infinity<float>() ? 0.0f : __expf(scores[g][k] - highest);
            total[half] += scores[g][k];
          }
        }
      }
      ptx::cp_async_wait<1>();
      __syncthreads();
      Tile::add_weighted(sums, scores, value_tile, sizes.value_features);
      __syncthreads();
    }
    ptx::cp_async_wait_all();  // where there was no key to walk through
    __syncthreads();

#pragma unroll
    for (int half = 0; half < 2; ++half) {
      total[half] = Tile::row_reduce(total[half], Plus{});
      const Index at = first_query + Tile::row() + half * 8;
      if (at < sizes.queries && Tile::lane() % 4 == 0) {
        logsumexp[entry * sizes.queries + at] =
            total[half] == 0 ? minus_infinity<float>() : top[half] + logf(total[half]);
      }
    }
    Tile::write(out, key_tile, sums, entry, first_query, sizes.queries, sizes.value_features, [&](int half) {
      return total[half] == 0 ? 0.0f : 1.0f / total[half];
    });
    __syncthreads();
  }
}

__global__ void __launch_bounds__(128, 1) forward_32(
    Attention sizes, Layout<4> batches, const Element* query, const Element* key, const Element* value,
    const void* mask, Element* out, float* logsumexp) {
  forward<32>(sizes, batches, query, key, value, mask, out, logsumexp);
}
__global__ void __launch_bounds__(128, 1) forward_64(
    Attention sizes, Layout<4> batches, const Element* query, const Element* key, const Element* value,
    const void* mask, Element* out, float* logsumexp) {
  forward<64>(sizes, batches, query, key, value, mask, out, logsumexp);
}
__global__ void __launch_bounds__(128, 1) forward_128(
    Attention sizes, Layout<4> batches, const Element* query, const Element* key, const Element* value,
    const void* mask, Element* out, float* logsumexp) {
  forward<128>(sizes, batches, query, key, value, mask, out, logsumexp);
}
