// Operands of matrix products (see gemm.cuh) that lie in memory as matrices.
#pragma once
#include "gemm.cuh"
#include "map.cuh"
#include "ptx/cp_async.cuh"

namespace pyneural {

// Rows (of A) or columns (of B), `outer_step` and `inner_step` elements apart. `aligned`: the first element and every
// step but that of 1 are multiples of 16 bytes.
template <typename Element, Along Beside, int Width> struct Operand {
  using Real = Computed<Element>;
  static constexpr Along along = Beside;
  static constexpr int width = Width;
  const Element* data;
  Index count, outer_step, inner_step;
  bool aligned;

  struct Outer {
    const Element* line;
    Index left;  // rows or columns from here to the last
  };
  __device__ __forceinline__ Outer outer(Index i) const { return {data + i * outer_step, count - i}; }

  __device__ __forceinline__ bool whole(const Outer& at, Index k, Index end) const {
    return aligned && (along == kAlongInner ? at.left > 0 && k + width <= end : at.left >= width && k < end);
  }
  __device__ __forceinline__ const Element* vector(const Outer& at, Index k) const {
    return at.line + (along == kAlongInner ? k : k * inner_step);
  }
  // The elements one by one.
  template <typename To> __device__ __forceinline__ void gather(const Outer& at, Index k, Index end, To* to) const {
#pragma unroll
    for (int w = 0; w < width; ++w) {
      const Index outer = along == kAlongInner ? 0 : w, inner = along == kAlongInner ? k + w : k;
      const bool inside = outer < at.left && inner < end;
      to[w] = inside ? narrow<To>(widen(at.line[outer * outer_step + inner * inner_step])) : narrow<To>(0.0f);
    }
  }
  __device__ __forceinline__ void load(const Outer& at, Index k, Index end, Real (&to)[width]) const {
    if (width > 1 && whole(at, k, end)) {
      const Vector<Element, width> vector_of = load_vector<width>(vector(at, k), 0);
#pragma unroll
      for (int w = 0; w < width; ++w) to[w] = widen(vector_of.item[w]);
    } else {
      gather(at, k, end, to);
    }
  }
  __device__ __forceinline__ void copy(const Outer& at, Index k, Index end, Element* to) const {
    if (whole(at, k, end)) {
      ptx::cp_async<16>(to, vector(at, k));
    } else {
      Vector<Element, width> some;
      gather(at, k, end, some.item);
      *reinterpret_cast<Vector<Element, width>*>(to) = some;
    }
  }
};

}  // namespace pyneural
