// The main loop on tensor cores: mma.sync over shared memory that cp.async fills three stages ahead, with float sums.
// Tiles are swizzled instead of padded, so that ldmatrix and the copies meet no bank twice. What is multiplied, and how a
// stage lies, are a `Math`: half and bfloat16 here, float in gemm_tf32.cuh.
#pragma once
#include "gemm.cuh"
#include "map.cuh"
#include "ptx/cp_async.cuh"
#include "ptx/mma.cuh"

namespace pyneural {

template <int M, int N, int WarpM, int WarpN> struct MmaTile {
  static constexpr int m = M, n = N, stages = 3, warp_m = WarpM, warp_n = WarpN;
  static constexpr int warps_n = N / WarpN, threads = M / WarpM * warps_n * 32;
  static_assert(WarpM % 16 == 0 && WarpN % 32 == 0 && M % WarpM == 0 && N % WarpN == 0, "whole fragments");
};
using MediumMmaTile = MmaTile<64, 64, 32, 32>;
using LargeMmaTile = MmaTile<128, 128, 64, 32>;

// The row of its 8x8 matrix whose address this lane gives to ldmatrix, and which of the four matrices.
struct MatrixRow {
  int line = threadIdx.x % 8, low = threadIdx.x / 8 & 1, high = threadIdx.x % 32 / 16;
};

// Products of 16 x 16 and 16 x 16 elements of 16 bits. `step` inner places are a stage, `vector` elements 16 bytes.
template <typename ElementT> struct HalfMath {
  using Element = ElementT;
  static constexpr int step = 32, vector = 8, k = 16, unroll = 2;
  struct Fragment {
    unsigned word[4];
  };
  struct Sum {
    float value[4] = {};
    __device__ __forceinline__ float total(int i) const { return value[i]; }
  };

  // Where the 16 bytes of row (or column) `outer` and inner place `k` lie in a stage, in elements.
  template <Along along, int Rows> static __device__ __forceinline__ int place(int outer, int k) {
    if constexpr (along == kAlongInner) {  // lines of 64 bytes: two of them meet every bank
      return outer * 32 + ((k / 8) ^ (outer / 2 & 3)) * 8;
    } else {  // lines of 128 or 256 bytes
      return k * Rows + ((outer / 8) ^ (k & 7)) * 8;
    }
  }
  // Of a's 16 rows; of b's 16 columns, 8 after the other.
  template <Along along, int Rows>
  static __device__ __forceinline__ void load_a(Fragment& to, const Element* stage, int row, int k) {
    const MatrixRow at;
    if constexpr (along == kAlongInner) {
      ptx::ldmatrix<4>(to.word, stage + place<along, Rows>(row + at.low * 8 + at.line, k + at.high * 8));
    } else {
      ptx::ldmatrix<4, true>(to.word, stage + place<along, Rows>(row + at.low * 8, k + at.high * 8 + at.line));
    }
  }
  template <Along along, int Rows>
  static __device__ __forceinline__ void load_b(Fragment& to, const Element* stage, int column, int k) {
    const MatrixRow at;
    if constexpr (along == kAlongInner) {
      ptx::ldmatrix<4>(to.word, stage + place<along, Rows>(column + at.high * 8 + at.line, k + at.low * 8));
    } else {
      ptx::ldmatrix<4, true>(to.word, stage + place<along, Rows>(column + at.high * 8, k + at.low * 8 + at.line));
    }
  }
  // With the `half` of b's columns.
  static __device__ __forceinline__ void multiply(Sum& sum, const Fragment& a, const Fragment& b, int half) {
    const unsigned columns[2] = {b.word[half * 2], b.word[half * 2 + 1]};
    ptx::mma_m16n8k16<Element>(sum.value, a.word, columns);
  }
};

// One operand's share of a stage that this thread copies, 16 bytes at a time.
template <typename T, typename Math, int Rows, typename Source> struct Copy {
  using Element = typename Math::Element;
  static constexpr bool inner = Source::along == kAlongInner;
  static constexpr int vector = Math::vector, vectors = Rows * Math::step / (T::threads * vector);
  static constexpr int across = (inner ? Math::step : Rows) / vector, step = T::threads / across;
  static_assert(Source::width == vector && vectors * T::threads * vector == Rows * Math::step, "whole vectors");

  const Source& source;
  int row, k;
  typename Source::Outer outer[inner ? vectors : 1];

  __device__ __forceinline__ Copy(const Source& source, Index first) : source(source) {
    const int side = threadIdx.x % across * vector, line = threadIdx.x / across;
    row = inner ? line : side;
    k = inner ? side : line;
#pragma unroll
    for (int v = 0; v < (inner ? vectors : 1); ++v) outer[v] = source.outer(first + row + v * step);
  }
  __device__ __forceinline__ void start(Element* stage, Index first_k, Index end) const {
#pragma unroll
    for (int v = 0; v < vectors; ++v) {
      const int at = Math::template place<Source::along, Rows>(row + (inner ? v * step : 0), k + (inner ? 0 : v * step));
      source.copy(outer[inner ? v : 0], first_k + k + (inner ? 0 : v * step), end, stage + at);
    }
  }
};

// Columns 8 t + 2 q and the next of four 8-wide fragments t, held by the lanes q of a quad, become columns 8 q to 8 q + 7.
__device__ __forceinline__ void gather_columns(float (&pair)[4][2]) {
#pragma unroll
  for (int bit = 1; bit < 4; bit *= 2) {
    const bool high = threadIdx.x & bit;
#pragma unroll
    for (int t = 0; t < 4; ++t) {
      if (t & bit) continue;
#pragma unroll
      for (int w = 0; w < 2; ++w) {
        const float near = pair[t][w], far = pair[t | bit][w];
        const float got = __shfl_xor_sync(0xffffffffu, high ? near : far, bit);
        pair[t][w] = high ? got : near;
        pair[t | bit][w] = high ? far : got;
      }
    }
  }
}

// Eight floats are two accesses. So that each access of two neighbouring lanes fills a sector of 32 bytes, the even lane
// gives its second half for the odd one's first.
template <typename Store>
__device__ __forceinline__ void store_floats(Index row, Index column, const float (&values)[8], const Store& store) {
  const bool odd = threadIdx.x & 1;
  float first[4], second[4];
#pragma unroll
  for (int w = 0; w < 4; ++w) {
    const float got = __shfl_xor_sync(0xffffffffu, odd ? values[w] : values[w + 4], 1);
    first[w] = odd ? got : values[w];
    second[w] = odd ? values[w + 4] : got;
  }
  store(row, column - (odd ? 4 : 0), first);
  store(row, column + (odd ? 4 : 8), second);
}

template <typename T, typename Math, typename A, typename B, typename Store>
__device__ __forceinline__ void gemm_mma(const Product& product, const A& a, const B& b, const Store& store) {
  using Element = typename Math::Element;
  __shared__ __align__(128) Element left[T::stages][T::m * Math::step], right[T::stages][T::n * Math::step];
  constexpr int fragments_m = T::warp_m / 16, fragments_n = T::warp_n / 8;
  const int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
  const int warp_m = warp / T::warps_n * T::warp_m, warp_n = warp % T::warps_n * T::warp_n;
  product.tiles<T>([&](Index first_m, Index first_n) {
    const Copy<T, Math, T::m, A> copy_a(a, first_m);
    const Copy<T, Math, T::n, B> copy_b(b, first_n);
    typename Math::Sum sum[fragments_m][fragments_n];
    const int steps = static_cast<int>((product.end - product.begin + Math::step - 1) / Math::step);
    const auto start = [&](int step) {
      if (step < steps) {
        const Index k = product.begin + Index(step) * Math::step;
        copy_a.start(left[step % T::stages], k, product.end);
        copy_b.start(right[step % T::stages], k, product.end);
      }
      ptx::cp_async_commit();  // empty beyond the end, so that the count of groups stays right
    };
#pragma unroll
    for (int step = 0; step < T::stages - 1; ++step) start(step);
    for (int step = 0; step < steps; ++step) {
      ptx::cp_async_wait<T::stages - 2>();
      __syncthreads();
      start(step + T::stages - 1);  // into the stage that all warps have just left
      const Element *x = left[step % T::stages], *y = right[step % T::stages];
#pragma unroll Math::unroll
      for (int k = 0; k < Math::step; k += Math::k) {
        typename Math::Fragment fa, fb[fragments_n / 2];
#pragma unroll
        for (int j = 0; j < fragments_n / 2; ++j) Math::template load_b<B::along, T::n>(fb[j], y, warp_n + j * 16, k);
#pragma unroll
        for (int i = 0; i < fragments_m; ++i) {
          Math::template load_a<A::along, T::m>(fa, x, warp_m + i * 16, k);
#pragma unroll
          for (int j = 0; j < fragments_n; ++j) Math::multiply(sum[i][j], fa, fb[j / 2], j % 2);
        }
      }
    }
    ptx::cp_async_wait<0>();
    __syncthreads();  // before the next tile's copies
#pragma unroll
    for (int i = 0; i < fragments_m; ++i) {
#pragma unroll
      for (int half = 0; half < 2; ++half) {
#pragma unroll
        for (int j = 0; j < fragments_n; j += 4) {
          float pair[4][2];
#pragma unroll
          for (int t = 0; t < 4; ++t) {
            pair[t][0] = sum[i][j + t].total(half * 2);
            pair[t][1] = sum[i][j + t].total(half * 2 + 1);
          }
          gather_columns(pair);
          float values[8];
#pragma unroll
          for (int w = 0; w < 8; ++w) values[w] = pair[w / 2][w % 2];
          const Index row = first_m + warp_m + i * 16 + half * 8 + lane / 4, column = first_n + warp_n + j * 8 + lane % 4 * 8;
          if constexpr (sizeof(Element) == 2) {
            store(row, column, values);
          } else {
            store_floats(row, column, values, store);
          }
        }
      }
    }
  });
}

}  // namespace pyneural
