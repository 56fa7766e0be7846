// Division by sizes known at launch: a multiplication and a shift, for the coordinates of an element.
#pragma once
#include "layout.cuh"

namespace pyneural {

// What divides 0 <= x < 2^31 (Granlund and Montgomery, Division by Invariant Integers using Multiplication, 1994).
// Filled in by kernels/cuda_launch.py.
struct Divider {
  unsigned divisor, multiplier, shift;
  __device__ __forceinline__ int quotient(int x) const {
    return static_cast<int>((__umulhi(static_cast<unsigned>(x), multiplier) + static_cast<unsigned>(x)) >> shift);
  }
  // x becomes the quotient; the remainder is returned.
  __device__ __forceinline__ int split(int& x) const {
    const int whole = quotient(x), rest = x - whole * static_cast<int>(divisor);
    x = whole;
    return rest;
  }
};

// Sizes of dimensions with what divides by them; `small` says whether all flat indices are below 2^31. Filled in by
// kernels/layout/cuda_remap.py.
struct Sizes {
  Index size[kMaxDims];
  Divider by[kMaxDims];
  Index small;
};

struct Split {
  Index quotient, remainder;
};

__device__ __forceinline__ Split split(const Sizes& sizes, int d, Index i) {
  if (sizes.small) {
    int quotient = static_cast<int>(i);
    const int remainder = sizes.by[d].split(quotient);
    return {quotient, remainder};
  }
  const Index quotient = i / sizes.size[d];
  return {quotient, i - quotient * sizes.size[d]};
}

}  // namespace pyneural
