// Where the elements of several arrays lie that are walked through together, in the C order of one shape.
#pragma once
#include "element.cuh"

namespace pyneural {

constexpr int kMaxDims = 16;

// Dimensions that all arrays can walk through as one are one here. `ndim` is 0 where element i lies at place i
// of every array. Strides are in elements, 0 along what an array is broadcast over; `start` is the place of
// the first element, behind others where a stride is negative. Filled in by kernels/cuda_launch.py.
template <int Arrays> struct Layout {
  Index ndim;
  Index start[Arrays];
  Index shape[kMaxDims];
  Index stride[Arrays][kMaxDims];
};

template <int Arrays> struct Places {
  Index at[Arrays];
};

// The place of element `i` in each array.
template <int Arrays> __device__ __forceinline__ Places<Arrays> places(const Layout<Arrays>& layout, Index i) {
  Places<Arrays> result;
#pragma unroll
  for (int k = 0; k < Arrays; ++k) result.at[k] = layout.ndim == 0 ? i : layout.start[k];
  for (int d = static_cast<int>(layout.ndim) - 1; d >= 0; --d) {
    const Index rest = i / layout.shape[d], along = i - rest * layout.shape[d];
#pragma unroll
    for (int k = 0; k < Arrays; ++k) result.at[k] += along * layout.stride[k][d];
    i = rest;
  }
  return result;
}

}  // namespace pyneural
