// The main loop on tensor cores: mma.sync over shared memory that cp.async fills three stages ahead, for half and
// bfloat16 with float sums. Tiles are swizzled instead of padded, so that ldmatrix and the copies meet no bank twice.
#pragma once
#include "gemm.cuh"
#include "map.cuh"
#include "ptx/cp_async.cuh"
#include "ptx/mma.cuh"

namespace pyneural {

template <int M, int N, int WarpM, int WarpN> struct MmaTile {
  static constexpr int m = M, n = N, k = 32, stages = 3, warp_m = WarpM, warp_n = WarpN;
  static constexpr int warps_n = N / WarpN, threads = M / WarpM * warps_n * 32;
  static_assert(WarpM % 16 == 0 && WarpN % 32 == 0 && M % WarpM == 0 && N % WarpN == 0, "whole fragments");
};
using MediumMmaTile = MmaTile<64, 64, 32, 32>;
using LargeMmaTile = MmaTile<128, 128, 64, 32>;

// Where the 16 bytes of row (or column) `outer` and inner place `k` lie in a stage, in elements.
template <Along along, int Rows> __device__ __forceinline__ int swizzled(int outer, int k) {
  if constexpr (along == kAlongInner) {  // lines of 64 bytes: two of them meet every bank
    return outer * 32 + ((k / 8) ^ (outer / 2 & 3)) * 8;
  } else {  // lines of 128 or 256 bytes
    return k * Rows + ((outer / 8) ^ (k & 7)) * 8;
  }
}

// One operand's share of a stage that this thread copies, 8 elements at a time.
template <typename T, int Rows, typename Source, typename Element> struct Copy {
  static constexpr bool inner = Source::along == kAlongInner;
  static constexpr int vectors = Rows * T::k / (T::threads * 8), across = (inner ? T::k : Rows) / 8;
  static constexpr int step = T::threads / across;
  static_assert(Source::width == 8 && vectors * T::threads * 8 == Rows * T::k, "whole vectors");

  const Source& source;
  int row, k;
  typename Source::Outer outer[inner ? vectors : 1];

  __device__ __forceinline__ Copy(const Source& source, Index first) : source(source) {
    const int side = threadIdx.x % across * 8, line = threadIdx.x / across;
    row = inner ? line : side;
    k = inner ? side : line;
#pragma unroll
    for (int v = 0; v < (inner ? vectors : 1); ++v) outer[v] = source.outer(first + row + v * step);
  }
  __device__ __forceinline__ void start(Element* stage, Index first_k, Index end) const {
#pragma unroll
    for (int v = 0; v < vectors; ++v) {
      const int at = inner ? swizzled<Source::along, Rows>(row + v * step, k) : swizzled<Source::along, Rows>(row, k + v * step);
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

template <typename T, typename Element, typename A, typename B, typename Store>
__device__ __forceinline__ void gemm_mma(const Product& product, const A& a, const B& b, const Store& store) {
  __shared__ __align__(128) Element left[T::stages][T::m * T::k], right[T::stages][T::n * T::k];
  constexpr bool a_inner = A::along == kAlongInner, b_inner = B::along == kAlongInner;
  constexpr int fragments_m = T::warp_m / 16, fragments_n = T::warp_n / 8;
  const int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
  const int warp_m = warp / T::warps_n * T::warp_m, warp_n = warp % T::warps_n * T::warp_n;
  // The row of its 8x8 matrix whose address this lane gives to ldmatrix, and which of the four matrices.
  const int line = lane % 8, low = lane / 8 & 1, high = lane / 16;
  product.tiles<T>([&](Index first_m, Index first_n) {
    const Copy<T, T::m, A, Element> copy_a(a, first_m);
    const Copy<T, T::n, B, Element> copy_b(b, first_n);
    float sum[fragments_m][fragments_n][4] = {};
    const int steps = static_cast<int>((product.end - product.begin + T::k - 1) / T::k);
    const auto start = [&](int step) {
      if (step < steps) {
        const Index k = product.begin + Index(step) * T::k;
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
#pragma unroll
      for (int k = 0; k < T::k; k += 16) {
        unsigned fa[fragments_m][4], fb[fragments_n / 2][4];
#pragma unroll
        for (int i = 0; i < fragments_m; ++i) {
          const int row = warp_m + i * 16;
          if constexpr (a_inner) {
            ptx::ldmatrix<4>(fa[i], x + swizzled<A::along, T::m>(row + low * 8 + line, k + high * 8));
          } else {
            ptx::ldmatrix<4, true>(fa[i], x + swizzled<A::along, T::m>(row + low * 8, k + high * 8 + line));
          }
        }
#pragma unroll
        for (int j = 0; j < fragments_n / 2; ++j) {
          const int column = warp_n + j * 16;
          if constexpr (b_inner) {
            ptx::ldmatrix<4>(fb[j], y + swizzled<B::along, T::n>(column + high * 8 + line, k + low * 8));
          } else {
            ptx::ldmatrix<4, true>(fb[j], y + swizzled<B::along, T::n>(column + high * 8, k + low * 8 + line));
          }
        }
#pragma unroll
        for (int i = 0; i < fragments_m; ++i) {
#pragma unroll
          for (int j = 0; j < fragments_n; ++j) {
            const unsigned both[2] = {fb[j / 2][j % 2 * 2], fb[j / 2][j % 2 * 2 + 1]};
            ptx::mma_m16n8k16<Element>(sum[i][j], fa[i], both);
          }
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
            pair[t][0] = sum[i][j + t][half * 2];
            pair[t][1] = sum[i][j + t][half * 2 + 1];
          }
          gather_columns(pair);
          float values[8];
#pragma unroll
          for (int w = 0; w < 8; ++w) values[w] = pair[w / 2][w % 2];
          store(first_m + warp_m + i * 16 + half * 8 + lane / 4, first_n + warp_n + j * 8 + lane % 4 * 8, values);
        }
      }
    }
  });
}

}  // namespace pyneural
