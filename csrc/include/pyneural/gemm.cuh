// C = A B for one tile of C by one block, over any A(m, k) and B(k, n): matrices of any strides, or the views of
// images by which a convolution is a matrix product ("implicit GEMM"), which is never written to memory.
#pragma once
#include "element.cuh"

namespace pyneural {

// A block's tile of C is M x N; it walks through the inner dimension in steps of K; each thread has an
// ItemsM x ItemsN piece in registers, whose elements lie M / ItemsM and N / ItemsN apart so that neighbouring
// threads read neighbouring places of shared memory.
template <int M, int N, int K, int ItemsM, int ItemsN> struct Tile {
  static constexpr int m = M, n = N, k = K, items_m = ItemsM, items_n = ItemsN;
  static constexpr int threads_m = M / ItemsM, threads_n = N / ItemsN, threads = threads_m * threads_n;
  static_assert(M % ItemsM == 0 && N % ItemsN == 0, "whole pieces");
};

using SmallTile = Tile<16, 16, 16, 1, 1>;
using LargeTile = Tile<64, 64, 16, 8, 8>;

// What of an operand is beside what in memory: decides in which order a tile is fetched.
enum Along { kAlongInner, kAlongOuter };

// `a(i, k)` and `b(j, k)` give elements of A's row i and B's column j as Real, only within bounds; `store(i, j, value)`
// takes the results. All threads of the block must call this, with the same sizes.
template <typename T, typename Real, typename A, typename B, typename Store>
__device__ __forceinline__ void gemm_tile(
    Index m, Index n, Index inner, Index tile_m, Index tile_n, const A& a, const B& b, const Store& store) {
  // A column more than needed, so that a fetch along the inner dimension meets every bank.
  __shared__ Real left[T::k][T::m + 1], right[T::k][T::n + 1];
  const int thread = threadIdx.x, row = thread / T::threads_n, column = thread % T::threads_n;
  const Index first_m = tile_m * T::m, first_n = tile_n * T::n;
  Real sum[T::items_m][T::items_n] = {};
  for (Index first_k = 0; first_k < inner; first_k += T::k) {
    for (int e = thread; e < T::m * T::k; e += T::threads) {
      const int i = a.along == kAlongInner ? e / T::k : e % T::m, k = a.along == kAlongInner ? e % T::k : e / T::m;
      left[k][i] = first_m + i < m && first_k + k < inner ? a(first_m + i, first_k + k) : Real(0);
    }
    for (int e = thread; e < T::n * T::k; e += T::threads) {
      const int j = b.along == kAlongInner ? e / T::k : e % T::n, k = b.along == kAlongInner ? e % T::k : e / T::n;
      right[k][j] = first_n + j < n && first_k + k < inner ? b(first_n + j, first_k + k) : Real(0);
    }
    __syncthreads();
#pragma unroll
    for (int k = 0; k < T::k; ++k) {
      Real x[T::items_m], y[T::items_n];
#pragma unroll
      for (int i = 0; i < T::items_m; ++i) x[i] = left[k][row + i * T::threads_m];
#pragma unroll
      for (int j = 0; j < T::items_n; ++j) y[j] = right[k][column + j * T::threads_n];
#pragma unroll
      for (int i = 0; i < T::items_m; ++i) {
#pragma unroll
        for (int j = 0; j < T::items_n; ++j) sum[i][j] += x[i] * y[j];
      }
    }
    __syncthreads();
  }
#pragma unroll
  for (int i = 0; i < T::items_m; ++i) {
#pragma unroll
    for (int j = 0; j < T::items_n; ++j) {
      const Index at_m = first_m + row + i * T::threads_m, at_n = first_n + column + j * T::threads_n;
      if (at_m < m && at_n < n) store(at_m, at_n, sum[i][j]);
    }
  }
}

// All tiles of a product: blocks stride along x over what the grid does not hold.
template <typename T, typename Real> struct Product {
  Index m, n, inner;
  template <typename A, typename B, typename Store>
  __device__ __forceinline__ void run(const A& a, const B& b, const Store& store) const {
    const Index tiles_m = (m + T::m - 1) / T::m, tiles_n = (n + T::n - 1) / T::n;
    for (Index tile = blockIdx.x; tile < tiles_m * tiles_n; tile += gridDim.x) {
      gemm_tile<T, Real>(m, n, inner, tile / tiles_n, tile % tiles_n, a, b, store);
    }
  }
};

}  // namespace pyneural
