// The maximum of a row and the sum of exponentials of what lies below it, in one pass ("online": Milakov and
// Gimelshein 2018).
#pragma once
#include "combine.cuh"
#include "map.cuh"
#include "reduce.cuh"

namespace pyneural {

// The largest element seen, and the sum of e^(x - largest) over all seen.
template <typename Real> struct Online {
  Real top, sum;
  // An infinite top has met nothing but minus infinity so far, whose exponentials are 0.
  __device__ __forceinline__ void scale_to(Real higher) {
    sum = top == minus_infinity<Real>() ? Real(0) : sum * exp(top - higher);
    top = higher;
  }
  __device__ __forceinline__ void take(Real x) {
    if (x > top || x != x) scale_to(x);
    if (x != minus_infinity<Real>()) sum += exp(x - top);
  }
};

// That of n elements, by the threads of a block, Width an access. `tops` and `sums` have room for a value a warp; the row
// after this one must wait for a barrier.
template <int Width, typename Element, typename Real = Computed<Element>>
__device__ __forceinline__ Online<Real> online_of_row(const Element* from, Index n, Real* tops, Real* sums) {
  Online<Real> seen{minus_infinity<Real>(), Real(0)};
  for (Index i = Index(threadIdx.x) * Width; i < n; i += Index(blockDim.x) * Width) {
    const Vector<Element, Width> some = *reinterpret_cast<const Vector<Element, Width>*>(from + i);
#pragma unroll
    for (int k = 0; k < Width; ++k) seen.take(widen(some.item[k]));
  }
  const Real top = block_reduce(seen.top, minus_infinity<Real>(), tops, Largest{});
  // A thread that saw minus infinity alone adds nothing, unless there was nothing else: then all is NaN.
  if (seen.top != minus_infinity<Real>()) seen.scale_to(top);
  return {top, block_reduce(seen.sum, Real(0), sums, Plus{})};
}

}  // namespace pyneural
