// Division by sizes known at launch: a multiplication and a shift, for the coordinates of an element.
#pragma once
#include "layout.cuh"

namespace pyneural {

// Sizes of dimensions with what divides by them (Granlund and Montgomery, Division by Invariant Integers using
// Multiplication, 1994): for i below 2^31, i / size = (high half of i * magic + i) >> shift. `small` says whether all
// i are. Filled in by kernels/layout/cuda_remap.py.
struct Sizes {
  Index size[kMaxDims];
  unsigned magic[kMaxDims];
  unsigned shift[kMaxDims];
  Index small;
};

struct Split {
  Index quotient, remainder;
};

__device__ __forceinline__ Split split(const Sizes& sizes, int d, Index i) {
  if (sizes.small) {
    const unsigned n = static_cast<unsigned>(i);
    const unsigned quotient = (__umulhi(n, sizes.magic[d]) + n) >> sizes.shift[d];
    return {quotient, n - quotient * static_cast<unsigned>(sizes.size[d])};
  }
  const Index quotient = i / sizes.size[d];
  return {quotient, i - quotient * sizes.size[d]};
}

}  // namespace pyneural
