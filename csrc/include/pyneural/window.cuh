// Windows over images (planes, H, W), and the piece of an image that a block keeps in shared memory for them.
#pragma once
#include "map.cuh"

namespace pyneural {

// Along one dimension: window i covers kernel elements, `dilation` apart, from i * stride - padding on.
struct Axis {
  Index size;     // elements of the input
  Index windows;
  Index kernel, stride, padding, dilation;

  __device__ __forceinline__ Index start(Index window) const { return window * stride - padding; }
  __device__ __forceinline__ Index span() const { return dilation * (kernel - 1) + 1; }
  // The first element of a window inside the input, and one past its last.
  __device__ __forceinline__ Index first(Index window) const {
    const Index at = start(window);
    return at >= 0 ? at : at + (-at + dilation - 1) / dilation * dilation;
  }
  __device__ __forceinline__ Index end(Index window) const {
    const Index at = start(window) + span();
    return at < size ? at : size;
  }
  // Of undilated windows those that cover an element: from the first to before the last.
  __device__ __forceinline__ Index first_over(Index element) const {
    const Index reach = element + padding - kernel;
    return reach < 0 ? 0 : reach / stride + 1;
  }
  __device__ __forceinline__ Index end_over(Index element) const {
    const Index last = (element + padding) / stride + 1;
    return last < windows ? last : windows;
  }
};

// Of adaptive pooling: window i of n covers from floor(i size / n) to before ceil((i + 1) size / n).
struct AdaptiveAxis {
  Index size, windows;
  __device__ __forceinline__ Index first(Index window) const { return window * size / windows; }
  __device__ __forceinline__ Index end(Index window) const { return ((window + 1) * size + windows - 1) / windows; }
  __device__ __forceinline__ Index first_over(Index element) const { return element * windows / size; }
  __device__ __forceinline__ Index end_over(Index element) const {
    return ((element + 1) * windows + size - 1) / size;
  }
};

// Rows [top, bottom) and columns [left, right) of a plane.
struct Region {
  Index top, bottom, left, right;
  __device__ __forceinline__ Index columns() const { return right - left; }
  __device__ __forceinline__ Index size() const { return (bottom - top) * columns(); }
};

// The region in shared memory, by all threads of a block; whole rows are one piece of memory, fetched 16 bytes at a
// time where it begins at a multiple of that.
template <typename T> __device__ __forceinline__ void fetch(T* shared, const T* plane, Index width, const Region& region) {
  constexpr int items = 16 / sizeof(T);
  const Index columns = region.columns(), count = region.size();
  const T* from = plane + region.top * width + region.left;
  Index done = 0;
  if (columns == width && is_aligned<items>(from)) {
    done = count / items * items;
    for (Index i = threadIdx.x; i < done / items; i += blockDim.x) {
      reinterpret_cast<Vector<T, items>*>(shared)[i] = load_vector<items>(from, i);
    }
  }
  for (Index i = done + threadIdx.x; i < count; i += blockDim.x) {
    const Index row = i / columns;
    shared[i] = from[row * (width - columns) + i];
  }
}

}  // namespace pyneural
