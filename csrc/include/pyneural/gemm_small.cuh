// The main loop for results that fill no large tile: 16 x 16 of them a block, one a thread, any element type.
#pragma once
#include "gemm.cuh"

namespace pyneural {

struct SmallTile {
  static constexpr int m = 16, n = 16, k = 16, threads = 256;
};

template <typename Real, typename A, typename B, typename Store>
__device__ __forceinline__ void gemm_small(const Product& product, const A& a, const B& b, const Store& store) {
  using T = SmallTile;
  // A column more than needed, so that a fetch along the inner dimension meets every bank.
  __shared__ Real left[T::k][T::m + 1], right[T::k][T::n + 1];
  const int thread = threadIdx.x, row = thread / T::n, column = thread % T::n;
  constexpr bool a_inner = A::along == kAlongInner, b_inner = B::along == kAlongInner;
  // One element a thread of each operand; which, so that neighbouring threads read neighbouring places.
  const int a_row = a_inner ? row : column, a_k = a_inner ? column : row;
  const int b_column = b_inner ? row : column, b_k = b_inner ? column : row;
  product.tiles<T>([&](Index first_m, Index first_n) {
    const auto a_at = a.outer(first_m + a_row);
    const auto b_at = b.outer(first_n + b_column);
    Real sum = 0;
    for (Index k = product.begin; k < product.end; k += T::k) {
      Real one[1];
      a.load(a_at, k + a_k, product.end, one);
      left[a_k][a_row] = one[0];
      b.load(b_at, k + b_k, product.end, one);
      right[b_k][b_column] = one[0];
      __syncthreads();
#pragma unroll
      for (int i = 0; i < T::k; ++i) sum += left[i][row] * right[i][column];
      __syncthreads();
    }
    const Real result[1] = {sum};
    store(first_m + row, first_n + column, result);
  });
}

}  // namespace pyneural
