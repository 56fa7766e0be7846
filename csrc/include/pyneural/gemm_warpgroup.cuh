// The main loop of sm_90a for operands that TMA does not describe, such as images seen through the taps of a convolution:
// wgmma over shared memory that all threads fill, by cp.async where 16 bytes lie together, two stages ahead. A stage is
// filled again once the products of the step after it have begun, so that the tensor cores never wait for a barrier.
#pragma once
#include "gemm_mma.cuh"
#include "ptx/tma.cuh"
#include "wgmma_operand.cuh"

namespace pyneural {

// Each warpgroup has 64 rows of the tile and all of its columns. `bytes` of dynamic shared memory.
template <int M, int N> struct WarpgroupTile {
  static constexpr int m = M, n = N, k = 64, stages = 4, threads = M / 64 * 128, bytes = stages * (M + N) * k * 2;
  static_assert(M % 64 == 0 && N % 64 == 0, "whole boxes");
};
using LargeWarpgroupTile = WarpgroupTile<128, 128>;

// What `Copy` of gemm_mma.cuh is told of a stage.
template <typename ElementT> struct WarpgroupMath {
  using Element = ElementT;
  static constexpr int step = 64, vector = 8;
  template <Along along, int Rows> static __device__ __forceinline__ int place(int outer, int k) {
    return operand_place<along>(outer, k);
  }
};

template <typename T, typename Element, typename A, typename B, typename Store>
__device__ __forceinline__ void gemm_warpgroup(const Product& product, const A& a, const B& b, const Store& store) {
  using Math = WarpgroupMath<Element>;
  extern __shared__ __align__(1024) unsigned char stages[];
  Element* left = reinterpret_cast<Element*>(stages);
  Element* right = left + T::stages * T::m * T::k;
  // By a shuffle, so that the compiler knows it to be one for a warp and keeps descriptors in uniform registers.
  const int group = __shfl_sync(0xffffffffu, static_cast<int>(threadIdx.x) / 128, 0);
  const int warp = threadIdx.x % 128 / 32, lane = threadIdx.x % 32;
  product.tiles<T>([&](Index first_m, Index first_n) {
    const Copy<T, Math, T::m, A> copy_a(a, first_m);
    const Copy<T, Math, T::n, B> copy_b(b, first_n);
    float d[T::n / 2] = {};
    const int steps = static_cast<int>((product.end - product.begin + T::k - 1) / T::k);
    const auto start = [&](int step) {
      if (step < steps) {
        const Index k = product.begin + Index(step) * T::k;
        copy_a.start(left + step % T::stages * T::m * T::k, k, product.end);
        copy_b.start(right + step % T::stages * T::n * T::k, k, product.end);
      }
      ptx::cp_async_commit();  // empty beyond the end, so that the count of groups stays right
    };
#pragma unroll
    for (int step = 0; step < T::stages - 2; ++step) start(step);
    for (int step = 0; step < steps; ++step) {
      ptx::cp_async_wait<T::stages - 3>();
      ptx::fence_proxy_async();  // what threads wrote, wgmma is to read
      __syncthreads();
      start(step + T::stages - 2);  // into the stage of two steps ago, whose products all groups have waited for
      const int stage = step % T::stages;
      const unsigned long long rows = operand_descriptor<A::along>(left + (stage * T::m + group * 64) * T::k);
      const unsigned long long columns = operand_descriptor<B::along>(right + stage * T::n * T::k);
      ptx::wgmma_fence();
#pragma unroll
      for (int i = 0; i < T::k / 16; ++i) {
        ptx::wgmma<T::n, Element, A::along == kAlongOuter, B::along == kAlongOuter>(
            d, rows + i * kInnerStep<A::along>, columns + i * kInnerStep<B::along>, true);
      }
      ptx::wgmma_commit();
      ptx::wgmma_wait<1>();
    }
    ptx::wgmma_wait<0>();
    ptx::wgmma_settle(d);
    ptx::cp_async_wait<0>();
    __syncthreads();  // before the next tile's copies
#pragma unroll
    for (int half = 0; half < 2; ++half) {
#pragma unroll
      for (int j = 0; j < T::n / 8; j += 4) {
        float pair[4][2];
#pragma unroll
        for (int t = 0; t < 4; ++t) {
          pair[t][0] = d[(j + t) * 4 + half * 2];
          pair[t][1] = d[(j + t) * 4 + half * 2 + 1];
        }
        gather_columns(pair);
        float values[8];
#pragma unroll
        for (int w = 0; w < 8; ++w) values[w] = pair[w / 2][w % 2];
        store(first_m + group * 64 + warp * 16 + half * 8 + lane / 4, first_n + j * 8 + lane % 4 * 8, values);
      }
    }
  });
}

}  // namespace pyneural
