// Float matrices on tensor cores, as gemm_mma.cuh multiplies them: rounded to tf32 (`Terms` 1), or each as the sum of two
// tf32, of whose four products three are taken (`Terms` 3: "3xTF32", NVIDIA, CUTLASS, example 27).
#pragma once
#include "gemm_mma.cuh"
#include "ptx/tf32.cuh"

namespace pyneural {

// x is high + low, up to 2^-22 of it: both are tf32. An infinity is its own high part, and so is what would become one.
__device__ __forceinline__ void split_tf32(float x, unsigned& high, unsigned& low) {
  high = ptx::round_to_tf32(x);
  if ((high & 0x7fffffffu) == 0x7f800000u) high = __float_as_uint(x) & ~0x1fffu;
  const float rounded = __uint_as_float(high);
  low = ptx::round_to_tf32(x == rounded ? 0.0f : x - rounded);
}

template <int Terms> struct Tf32Math {
  static_assert(Terms == 1 || Terms == 3, "one product, or three");
  using Element = float;
  static constexpr int step = 16, vector = 4, k = 8, unroll = Terms == 3 ? 1 : 2;
  struct Fragment {
    unsigned high[4], low[Terms == 3 ? 4 : 1];
    __device__ __forceinline__ void set(int i, float x) {
      if constexpr (Terms == 3) {
        split_tf32(x, high[i], low[i]);
      } else {
        high[i] = ptx::round_to_tf32(x);
      }
    }
  };
  struct Sum {
    // Small products have a sum of their own: it loses less, and an infinite result stays one, where 0 times infinity
    // is among them.
    float value[4] = {}, small[Terms == 3 ? 4 : 1] = {};
    __device__ __forceinline__ float total(int i) const {
      if constexpr (Terms == 3) {
        return isfinite(value[i]) ? value[i] + small[i] : value[i];
      } else {
        return value[i];
      }
    }
  };

  template <Along along, int Rows> static __device__ __forceinline__ int place(int outer, int k) {
    if constexpr (along == kAlongInner) {  // lines of 64 bytes: two of them meet every bank
      return outer * 16 + ((k / 4) ^ (outer / 2 & 3)) * 4 + k % 4;
    } else {  // 8 of them from each of 4 lines meet every bank
      return k * Rows + ((outer / 8) ^ (k & 3)) * 8 + outer % 8;
    }
  }
  // Of four 8 x 4 parts the second lies beside the first in rows for a, in inner places for b. For ldmatrix 4 floats are a
  // row of 8 elements: each lane gets the float that it has to hold.
  template <Along along, int Rows, bool RowsFirst>
  static __device__ __forceinline__ void load(Fragment& to, const float* stage, int outer, int k) {
    unsigned word[4];
    if constexpr (along == kAlongInner) {
      const MatrixRow at;
      const int eight = RowsFirst ? at.low : at.high, four = RowsFirst ? at.high : at.low;
      ptx::ldmatrix<4>(word, stage + place<along, Rows>(outer + eight * 8 + at.line, k + four * 4));
    } else {
      const int lane = threadIdx.x % 32;
#pragma unroll
      for (int i = 0; i < 4; ++i) {
        const int eight = RowsFirst ? i % 2 : i / 2, four = RowsFirst ? i / 2 : i % 2;
        word[i] = __float_as_uint(stage[place<along, Rows>(outer + eight * 8 + lane / 4, k + four * 4 + lane % 4)]);
      }
    }
#pragma unroll
    for (int i = 0; i < 4; ++i) to.set(i, __uint_as_float(word[i]));
  }
  template <Along along, int Rows>
  static __device__ __forceinline__ void load_a(Fragment& to, const float* stage, int row, int k) {
    load<along, Rows, true>(to, stage, row, k);
  }
  template <Along along, int Rows>
  static __device__ __forceinline__ void load_b(Fragment& to, const float* stage, int column, int k) {
    load<along, Rows, false>(to, stage, column, k);
  }
  static __device__ __forceinline__ void multiply(Sum& sum, const Fragment& a, const Fragment& b, int half) {
    const unsigned high[2] = {b.high[half * 2], b.high[half * 2 + 1]};
    if constexpr (Terms == 3) {
      const unsigned low[2] = {b.low[half * 2], b.low[half * 2 + 1]};
      ptx::mma_m16n8k8<ptx::tf32>(sum.small, a.low, high);
      ptx::mma_m16n8k8<ptx::tf32>(sum.small, a.high, low);
    }
    ptx::mma_m16n8k8<ptx::tf32>(sum.value, a.high, high);
  }
};

}  // namespace pyneural
