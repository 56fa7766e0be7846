// Windows of images as columns ("im2col") and columns added back into images ("col2im"), PYNEURAL_ELEMENT.
//
// `unfold` fetches what a band of windows covers into shared memory once and writes it out for each tap of the
// kernel; `fold` gives each element of the image a thread, which owns the sum over the windows that cover it: every
// column is read once, and nothing is added by atomics.
#include <pyneural/window.cuh>

using namespace pyneural;
using Element = PYNEURAL_ELEMENT;
using Real = Computed<Element>;

constexpr int kShared = 24 * 1024 / sizeof(Element);  // elements of an image that a block holds

// How a block counts what it writes: a band that fits shared memory is few, and 32 bits divide faster.
template <bool Staged> struct Counted {
  using type = int;
};
template <> struct Counted<false> {
  using type = Index;
};

// `height` rows of windows to a block. Without `Staged` the image is read where it lies.
template <bool Staged>
__device__ __forceinline__ void unfold(
    const Axis& vertical, const Axis& horizontal, Index height, Index planes, const Element* x, Element* out) {
  alignas(16) __shared__ Element shared[Staged ? kShared : 1];
  const Index bands = (vertical.windows + height - 1) / height, width = horizontal.size;
  const Index across = horizontal.windows, columns = vertical.windows * across;
  for (Index task = blockIdx.x; task < planes * bands; task += gridDim.x) {
    const Index plane = task / bands, top = (task - plane * bands) * height;
    const Index down = top + height < vertical.windows ? height : vertical.windows - top;
    const Element* image = x + plane * vertical.size * width;
    Index first = vertical.start(top), last = vertical.start(top + down - 1) + vertical.span();
    first = first < 0 ? 0 : first;
    last = last < vertical.size ? last : vertical.size;
    const Region region{first, last < first ? first : last, 0, width};
    if (Staged) {
      fetch(shared, image, width, region);
      __syncthreads();
    }
    using Count = typename Counted<Staged>::type;
    const Count line = static_cast<Count>(across), band = static_cast<Count>(down) * line;
    const Count taps_across = static_cast<Count>(horizontal.kernel);
    const Count count = static_cast<Count>(vertical.kernel) * taps_across * band;
    for (Count e = threadIdx.x; e < count; e += blockDim.x) {
      const Count tap = e / band, within = e - tap * band, p = within / line, q = within - p * line;
      const Count r = tap / taps_across, s = tap - r * taps_across;
      const Index row = vertical.start(top + p) + r * vertical.dilation;
      const Index column = horizontal.start(q) + s * horizontal.dilation;
      const bool inside = row >= 0 && row < vertical.size && column >= 0 && column < width;
      Element value = narrow<Element>(Real(0));
      if (inside) value = Staged ? shared[(row - region.top) * width + column] : image[row * width + column];
      out[(plane * vertical.kernel * horizontal.kernel + tap) * columns + top * across + within] = value;
    }
    if (Staged) __syncthreads();
  }
}

__global__ void unfold_staged(
    Axis vertical, Axis horizontal, Index height, Index planes, const Element* x, Element* out) {
  unfold<true>(vertical, horizontal, height, planes, x, out);
}
__global__ void unfold_direct(
    Axis vertical, Axis horizontal, Index height, Index planes, const Element* x, Element* out) {
  unfold<false>(vertical, horizontal, height, planes, x, out);
}

// The window along an axis in which an element is tap `tap`, or -1.
__device__ __forceinline__ Index window_of(const Axis& axis, Index element, Index tap) {
  const Index start = element + axis.padding - tap * axis.dilation;
  const Index window = axis.stride == 1 ? start : start / axis.stride;
  return start >= 0 && window * axis.stride == start && window < axis.windows ? window : -1;
}

__global__ void fold(Axis vertical, Axis horizontal, const Element* x, Element* out, Index n) {
  for (Index i = thread_of_grid(); i < n; i += threads_of_grid()) {
    const Index line = i / horizontal.size, column = i - line * horizontal.size;
    const Index plane = line / vertical.size, row = line - plane * vertical.size;
    Real sum = 0;
    for (Index r = 0; r < vertical.kernel; ++r) {
      const Index p = window_of(vertical, row, r);
      if (p < 0) continue;
      const Index taps = (plane * vertical.kernel + r) * horizontal.kernel;
      for (Index s = 0; s < horizontal.kernel; ++s) {
        const Index q = window_of(horizontal, column, s);
        if (q >= 0) sum += widen(x[((taps + s) * vertical.windows + p) * horizontal.windows + q]);
      }
    }
    out[i] = narrow<Element>(sum);
  }
}
