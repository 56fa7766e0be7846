// 2-D pooling of PYNEURAL_ELEMENT over (planes, H, W).
//
// A block takes a tile of windows and fetches what of the image they cover into shared memory, once; small images
// are taken several planes at a time. "direct" kernels read an image that would not fit, "wide" ones give a warp to
// each window, for windows of many elements.
#include <pyneural/reduce.cuh>
#include <pyneural/window.cuh>

using namespace pyneural;
using Element = PYNEURAL_ELEMENT;
using Real = Computed<Element>;

constexpr int kShared = 24 * 1024 / sizeof(Element);  // elements of an image that a block holds

// What a block takes: windows of a plane, or all of them in several planes.
struct Tile {
  Index planes, height, width;
};

// The first of the largest elements; NaN is larger than all, and of several the last one counts.
struct Largest {
  Real value;
  Index place;
  __device__ __forceinline__ void take(Real x, Index at) {
    if (x > value || x != x || place < 0) value = x, place = at;
  }
  __device__ __forceinline__ void merge(Real x, Index at) {
    if (at < 0) return;
    const bool mine = value != value, other = x != x;
    const bool wins = mine || other ? other && (!mine || at > place) : x > value || (x == value && at < place);
    if (wins || place < 0) value = x, place = at;
  }
  __device__ __forceinline__ void merge_lanes() {
#pragma unroll
    for (int offset = kWarp / 2; offset > 0; offset /= 2) {
      const Real x = __shfl_xor_sync(kAllLanes, value, offset);
      merge(x, __shfl_xor_sync(kAllLanes, place, offset));
    }
  }
};
struct Maximum {
  Element* values;
  Index* indices;
  using State = Largest;
  __device__ __forceinline__ State start() const { return {Real(0), -1}; }
  template <typename Vertical, typename Horizontal>
  __device__ __forceinline__ void finish(
      const State& state, Index i, const Vertical&, const Horizontal&, Index, Index) const {
    values[i] = narrow<Element>(state.value);
    indices[i] = state.place;
  }
};

struct Sum {
  Real value;
  __device__ __forceinline__ void take(Real x, Index) { value += x; }
  __device__ __forceinline__ void merge_lanes() {
    value = warp_reduce(value, [](Real a, Real b) { return a + b; });
  }
};

// By how much a window's sum is divided: `given`, or where that is 0 the elements of the window.
struct Divisor {
  Index given;
  bool with_padding;
  __device__ __forceinline__ Index along(const Axis& axis, Index window) const {
    if (!with_padding) return axis.end(window) - axis.first(window);
    const Index begin = axis.start(window), end = begin + axis.kernel, limit = axis.size + axis.padding;
    return (end < limit ? end : limit) - begin;
  }
  __device__ __forceinline__ Index along(const AdaptiveAxis& axis, Index window) const {
    return axis.end(window) - axis.first(window);
  }
  template <typename Vertical, typename Horizontal>
  __device__ __forceinline__ Real of(
      const Vertical& vertical, const Horizontal& horizontal, Index row, Index column) const {
    return Real(given != 0 ? given : along(vertical, row) * along(horizontal, column));
  }
};
struct Average {
  Element* out;
  Divisor divisor;
  using State = Sum;
  __device__ __forceinline__ State start() const { return {Real(0)}; }
  template <typename Vertical, typename Horizontal>
  __device__ __forceinline__ void finish(
      const State& state, Index i, const Vertical& vertical, const Horizontal& horizontal, Index row,
      Index column) const {
    out[i] = narrow<Element>(state.value / divisor.of(vertical, horizontal, row, column));
  }
};

__device__ __forceinline__ Index step_of(const Axis& axis) { return axis.dilation; }
__device__ __forceinline__ Index step_of(const AdaptiveAxis&) { return 1; }

// A thread a window. `Staged` says whether the block's region is fetched first.
template <bool Staged, typename Axes, typename Op>
__device__ __forceinline__ void pool(
    const Axes& vertical, const Axes& horizontal, const Tile& tile, Index planes, const Element* x, const Op& op) {
  alignas(16) __shared__ Element shared[Staged ? kShared : 1];
  const Index tiles_down = (vertical.windows + tile.height - 1) / tile.height;
  const Index tiles_across = (horizontal.windows + tile.width - 1) / tile.width;
  const Index groups = (planes + tile.planes - 1) / tile.planes, width = horizontal.size;
  for (Index t = blockIdx.x; t < groups * tiles_down * tiles_across; t += gridDim.x) {
    const Index line = t / tiles_across, group = line / tiles_down, plane = group * tile.planes;
    const Index top = (line - group * tiles_down) * tile.height, left = (t - line * tiles_across) * tile.width;
    const Index down = top + tile.height < vertical.windows ? tile.height : vertical.windows - top;
    const Index across = left + tile.width < horizontal.windows ? tile.width : horizontal.windows - left;
    const Index deep = plane + tile.planes < planes ? tile.planes : planes - plane;
    const Element* image = x + plane * vertical.size * width;
    Region region{0, deep * vertical.size, 0, width};
    if (Staged) {
      if (tile.planes == 1) {
        region = {vertical.first(top), vertical.end(top + down - 1), horizontal.first(left),
                  horizontal.end(left + across - 1)};
      }
      fetch(shared, image, width, region);
      __syncthreads();
    }
    const Index pitch = region.columns();
    // What a block takes is few: 32 bits divide faster.
    const int width_of_tile = static_cast<int>(across), height_of_tile = static_cast<int>(down);
    const int taken = static_cast<int>(deep) * height_of_tile * width_of_tile;
    for (int e = threadIdx.x; e < taken; e += blockDim.x) {
      const int above = e / width_of_tile, layer = above / height_of_tile;
      const Index column = left + e - above * width_of_tile, row = top + above - layer * height_of_tile;
      auto state = op.start();
      for (Index r = vertical.first(row); r < vertical.end(row); r += step_of(vertical)) {
        const Index from = (layer * vertical.size + r - region.top) * pitch - region.left;
        for (Index c = horizontal.first(column); c < horizontal.end(column); c += step_of(horizontal)) {
          state.take(widen(Staged ? shared[from + c] : image[from + c]), r * width + c);
        }
      }
      op.finish(state, ((plane + layer) * vertical.windows + row) * horizontal.windows + column, vertical, horizontal,
                row, column);
    }
    if (Staged) __syncthreads();
  }
}

// A warp a window.
template <typename Axes, typename Op>
__device__ __forceinline__ void wide_pool(
    const Axes& vertical, const Axes& horizontal, Index planes, const Element* x, const Op& op) {
  const int lane = threadIdx.x % kWarp;
  const Index warps = threads_of_grid() / kWarp, windows = planes * vertical.windows * horizontal.windows;
  for (Index i = thread_of_grid() / kWarp; i < windows; i += warps) {
    const Index line = i / horizontal.windows, column = i - line * horizontal.windows;
    const Index plane = line / vertical.windows, row = line - plane * vertical.windows;
    const Index top = vertical.first(row), left = horizontal.first(column);
    const Index down = (vertical.end(row) - top + step_of(vertical) - 1) / step_of(vertical);
    const Index across = (horizontal.end(column) - left + step_of(horizontal) - 1) / step_of(horizontal);
    auto state = op.start();
    for (Index e = lane; e < down * across; e += kWarp) {
      const Index r = e / across;
      const Index at = (top + r * step_of(vertical)) * horizontal.size + left + (e - r * across) * step_of(horizontal);
      state.take(widen(x[plane * vertical.size * horizontal.size + at]), at);
    }
    state.merge_lanes();
    if (lane == 0) op.finish(state, i, vertical, horizontal, row, column);
  }
}

__global__ void max_pool2d(
    Axis vertical, Axis horizontal, Tile tile, Index planes, const Element* x, Element* values, Index* indices) {
  pool<true>(vertical, horizontal, tile, planes, x, Maximum{values, indices});
}
__global__ void max_pool2d_direct(
    Axis vertical, Axis horizontal, Tile tile, Index planes, const Element* x, Element* values, Index* indices) {
  pool<false>(vertical, horizontal, tile, planes, x, Maximum{values, indices});
}
__global__ void max_pool2d_wide(
    Axis vertical, Axis horizontal, Index planes, const Element* x, Element* values, Index* indices) {
  wide_pool(vertical, horizontal, planes, x, Maximum{values, indices});
}
__global__ void avg_pool2d(
    Axis vertical, Axis horizontal, Tile tile, Index planes, const Element* x, Element* out, Index divisor,
    bool with_padding) {
  pool<true>(vertical, horizontal, tile, planes, x, Average{out, {divisor, with_padding}});
}
__global__ void avg_pool2d_direct(
    Axis vertical, Axis horizontal, Tile tile, Index planes, const Element* x, Element* out, Index divisor,
    bool with_padding) {
  pool<false>(vertical, horizontal, tile, planes, x, Average{out, {divisor, with_padding}});
}
__global__ void avg_pool2d_wide(
    Axis vertical, Axis horizontal, Index planes, const Element* x, Element* out, Index divisor, bool with_padding) {
  wide_pool(vertical, horizontal, planes, x, Average{out, {divisor, with_padding}});
}
__global__ void adaptive_avg_pool2d(
    AdaptiveAxis vertical, AdaptiveAxis horizontal, Tile tile, Index planes, const Element* x, Element* out) {
  pool<true>(vertical, horizontal, tile, planes, x, Average{out, {0, false}});
}
__global__ void adaptive_avg_pool2d_wide(
    AdaptiveAxis vertical, AdaptiveAxis horizontal, Index planes, const Element* x, Element* out) {
  wide_pool(vertical, horizontal, planes, x, Average{out, {0, false}});
}

// The gradient of an average: a thread an element of the image, which owns the sum over the windows that cover it.
// `tile` counts elements, and what is fetched is the gradients of those windows.
template <bool Staged, typename Axes>
__device__ __forceinline__ void spread(
    const Axes& vertical, const Axes& horizontal, const Tile& tile, Index planes, const Element* grad, Element* out,
    const Divisor& divisor) {
  alignas(16) __shared__ Element shared[Staged ? kShared : 1];
  const Index tiles_down = (vertical.size + tile.height - 1) / tile.height;
  const Index tiles_across = (horizontal.size + tile.width - 1) / tile.width;
  const Index groups = (planes + tile.planes - 1) / tile.planes, width = horizontal.windows;
  for (Index t = blockIdx.x; t < groups * tiles_down * tiles_across; t += gridDim.x) {
    const Index line = t / tiles_across, group = line / tiles_down, plane = group * tile.planes;
    const Index top = (line - group * tiles_down) * tile.height, left = (t - line * tiles_across) * tile.width;
    const Index down = top + tile.height < vertical.size ? tile.height : vertical.size - top;
    const Index across = left + tile.width < horizontal.size ? tile.width : horizontal.size - left;
    const Index deep = plane + tile.planes < planes ? tile.planes : planes - plane;
    const Element* windows = grad + plane * vertical.windows * width;
    Region region{0, deep * vertical.windows, 0, width};
    if (Staged) {
      if (tile.planes == 1) {
        region = {vertical.first_over(top), vertical.end_over(top + down - 1), horizontal.first_over(left),
                  horizontal.end_over(left + across - 1)};
        // Behind the last window there may be elements that none covers.
        if (region.bottom < region.top) region.bottom = region.top;
        if (region.right < region.left) region.right = region.left;
      }
      fetch(shared, windows, width, region);
      __syncthreads();
    }
    const Index pitch = region.columns();
    // What a block takes is few: 32 bits divide faster.
    const int width_of_tile = static_cast<int>(across), height_of_tile = static_cast<int>(down);
    const int taken = static_cast<int>(deep) * height_of_tile * width_of_tile;
    for (int e = threadIdx.x; e < taken; e += blockDim.x) {
      const int above = e / width_of_tile, layer = above / height_of_tile;
      const Index column = left + e - above * width_of_tile, row = top + above - layer * height_of_tile;
      Real sum = 0;
      for (Index r = vertical.first_over(row); r < vertical.end_over(row); ++r) {
        const Index from = (layer * vertical.windows + r - region.top) * pitch - region.left;
        for (Index c = horizontal.first_over(column); c < horizontal.end_over(column); ++c) {
          sum += widen(Staged ? shared[from + c] : windows[from + c]) / divisor.of(vertical, horizontal, r, c);
        }
      }
      out[((plane + layer) * vertical.size + row) * horizontal.size + column] = narrow<Element>(sum);
    }
    if (Staged) __syncthreads();
  }
}

__global__ void avg_pool2d_backward(
    Axis vertical, Axis horizontal, Tile tile, Index planes, const Element* grad, Element* out, Index divisor,
    bool with_padding) {
  spread<true>(vertical, horizontal, tile, planes, grad, out, {divisor, with_padding});
}
__global__ void avg_pool2d_backward_direct(
    Axis vertical, Axis horizontal, Tile tile, Index planes, const Element* grad, Element* out, Index divisor,
    bool with_padding) {
  spread<false>(vertical, horizontal, tile, planes, grad, out, {divisor, with_padding});
}
__global__ void adaptive_avg_pool2d_backward(
    AdaptiveAxis vertical, AdaptiveAxis horizontal, Tile tile, Index planes, const Element* grad, Element* out) {
  spread<true>(vertical, horizontal, tile, planes, grad, out, {0, false});
}
__global__ void adaptive_avg_pool2d_backward_direct(
    AdaptiveAxis vertical, AdaptiveAxis horizontal, Tile tile, Index planes, const Element* grad, Element* out) {
  spread<false>(vertical, horizontal, tile, planes, grad, out, {0, false});
}
