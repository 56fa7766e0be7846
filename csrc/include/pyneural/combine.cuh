// What reductions combine by.
#pragma once

namespace pyneural {

template <typename Real> __device__ __forceinline__ Real minus_infinity() { return -Real(__int_as_float(0x7f800000)); }

struct Plus {
  template <typename T> __device__ __forceinline__ T operator()(T a, T b) const { return a + b; }
};

// NaN counts as the largest.
struct Largest {
  template <typename Real> __device__ __forceinline__ Real operator()(Real a, Real b) const {
    return a > b || a != a ? a : b;
  }
};

}  // namespace pyneural
