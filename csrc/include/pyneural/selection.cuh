// Elements of an array chosen by a list of indices along one dimension and by strides along the others.
#pragma once
#include "divide.cuh"

namespace pyneural {

// The C order of a result of `shape`, in which coordinate k of dimension `index_dim` stands for element index[k] of
// the array. An index below 0 counts from the end of `size` elements. Strides are in elements (or in the words that
// are moved). Filled in by kernels/embedding/cuda_selection.py.
struct Selection {
  Index ndim, index_dim, start, size;
  Sizes shape;
  Index stride[kMaxDims];
};

struct Chosen {
  Index at;     // in the array, without what the index adds
  Index which;  // coordinate in the list of indices
};

__device__ __forceinline__ Chosen choose(const Selection& selection, Index i) {
  Chosen result{selection.start, 0};
  for (int d = static_cast<int>(selection.ndim) - 1; d >= 0; --d) {
    const Split at = split(selection.shape, d, i);
    if (d == selection.index_dim) {
      result.which = at.remainder;
    } else {
      result.at += at.remainder * selection.stride[d];
    }
    i = at.quotient;
  }
  return result;
}

// What an index adds to the place. An index that is out of range ends the kernel: the host has not read it.
template <typename Int> __device__ __forceinline__ Index added(const Selection& selection, Int index) {
  const Index along = index < 0 ? index + selection.size : Index(index);
  if (selection.size != 0 && (along < 0 || along >= selection.size)) __trap();  // 0: indices that are places already
  return along * selection.stride[selection.index_dim];
}

}  // namespace pyneural
