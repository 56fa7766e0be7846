// Convolutions of 2 or 3 dimensions as matrix products: images and gradients seen as operands (see gemm.cuh) through
// index arithmetic. Arrays are contiguous, (N, C, ...) and (K, C/groups, ...).
#pragma once
#include "divide.cuh"
#include "gemm.cuh"
#include "map.cuh"

namespace pyneural {

// Sizes of all arrays; c and k are those of one group. Filled in by kernels/conv/cuda_launches.py.
template <int Dims> struct ConvShape {
  int images, groups, c, k, image_size, result_size, taps_size;  // sizes of one channel's plane or volume
  int image[Dims], result[Dims], taps[Dims], stride[Dims], pad[Dims], dilation[Dims];
  Divider by_image[Dims], by_result[Dims], by_taps[Dims], by_stride[Dims], by_taps_size, by_image_size, by_result_size;
};

// A flat index taken apart: the place along each dimension, and what is left, such as the image or the channel.
template <int Dims> struct Spot {
  int at[Dims], outer;
  Spot() = default;
  __device__ __forceinline__ Spot(int i, const Divider (&by)[Dims]) {
#pragma unroll
    for (int d = Dims - 1; d >= 0; --d) at[d] = by[d].split(i);
    outer = i;
  }
  // To the next index; whether `outer` has changed.
  __device__ __forceinline__ bool advance(const int (&size)[Dims]) {
#pragma unroll
    for (int d = Dims - 1; d >= 0; --d) {
      if (++at[d] < size[d]) return false;
      at[d] = 0;
    }
    ++outer;
    return true;
  }
};

// Where the input under a tap of a result lies in its plane; -1 in the border.
template <int Dims>
__device__ __forceinline__ int input_under(const ConvShape<Dims>& shape, const int (&result)[Dims], const int (&tap)[Dims]) {
  int place = 0;
  bool inside = true;
#pragma unroll
  for (int d = 0; d < Dims; ++d) {
    const int at = result[d] * shape.stride[d] + tap[d] * shape.dilation[d] - shape.pad[d];
    inside = inside && at >= 0 && at < shape.image[d];
    place = place * shape.image[d] + at;
  }
  return inside ? place : -1;
}
// Where the result lies in its plane that has an input under a tap; -1 where there is none.
template <int Dims>
__device__ __forceinline__ int result_over(const ConvShape<Dims>& shape, const int (&image)[Dims], const int (&tap)[Dims]) {
  int place = 0;
  bool inside = true;
#pragma unroll
  for (int d = 0; d < Dims; ++d) {
    const int ahead = image[d] + shape.pad[d] - tap[d] * shape.dilation[d];
    const int at = ahead < 0 ? 0 : shape.by_stride[d].quotient(ahead);
    inside = inside && ahead >= 0 && at * shape.stride[d] == ahead && at < shape.result[d];
    place = place * shape.result[d] + at;
  }
  return inside ? place : -1;
}

// An operand whose elements are found one by one: `Derived` gives Outer, outer(i) and one(outer, w, k), the element
// `w` places further along. They are fetched together and copied in 16 bytes where the main loop wants that.
template <typename Derived, typename Element, Along Beside, int Width> struct Gathered {
  using Real = Computed<Element>;
  static constexpr Along along = Beside;
  static constexpr int width = Width;

  template <typename Outer, typename To>
  __device__ __forceinline__ void load(const Outer& at, Index k, Index end, To (&to)[Width]) const {
    static_cast<const Derived*>(this)->gather(at, static_cast<int>(k), static_cast<int>(end), [&](int w, Element x) { to[w] = widen(x); });
  }
  template <typename Outer> __device__ __forceinline__ void copy(const Outer& at, Index k, Index end, Element* to) const {
    Vector<Element, Width> some;
    static_cast<const Derived*>(this)->gather(at, static_cast<int>(k), static_cast<int>(end), [&](int w, Element x) { some.item[w] = x; });
    *reinterpret_cast<Vector<Element, Width>*>(to) = some;
  }
};

// B of the forward pass: column (n, place of the result), inner (c, tap), elements of the images. Backward, B of dgrad:
// column (n, place in the image), inner (k, tap), elements of the results' gradient.
template <typename Element, int Dims, int Width, bool Backward>
struct UnderTaps : Gathered<UnderTaps<Element, Dims, Width, Backward>, Element, kAlongOuter, Width> {
  const ConvShape<Dims>& shape;
  const Element* from;  // of the group's first channel
  int channels, size;   // of all groups; of one of their planes
  struct Outer {
    Spot<Dims> spot;
    int left;
  };
  __device__ __forceinline__ UnderTaps(const ConvShape<Dims>& shape, const Element* array, int group)
      : shape(shape), channels(shape.groups * (Backward ? shape.k : shape.c)),
        size(Backward ? shape.result_size : shape.image_size) {
    from = array + Index(group) * (Backward ? shape.k : shape.c) * size;
  }
  __device__ __forceinline__ Outer outer(Index j) const {
    const Index places = Index(shape.images) * (Backward ? shape.image_size : shape.result_size);
    return {Spot<Dims>(static_cast<int>(j), Backward ? shape.by_image : shape.by_result), static_cast<int>(places - j)};
  }
  template <typename Put> __device__ __forceinline__ void gather(const Outer& at, int k, int end, const Put& put) const {
    const Spot<Dims> tap(k, shape.by_taps);
    Spot<Dims> spot = at.spot;
#pragma unroll
    for (int w = 0; w < Width; ++w) {
      int place = -1;
      if (k < end && w < at.left) {
        place = Backward ? result_over(shape, spot.at, tap.at) : input_under(shape, spot.at, tap.at);
      }
      const Index plane = Index(spot.outer) * channels + tap.outer;
      put(w, place >= 0 ? from[plane * size + place] : narrow<Element>(0.0f));
      if (w + 1 < Width) spot.advance(Backward ? shape.image : shape.result);
    }
  }
};

// A of dgrad: row c, inner (k, tap).
template <typename Element, int Dims, int Width>
struct FiltersBack : Gathered<FiltersBack<Element, Dims, Width>, Element, kAlongInner, Width> {
  const ConvShape<Dims>& shape;
  const Element* weight;  // of the group's first result
  struct Outer {
    const Element* filter;
    bool inside;
  };
  __device__ __forceinline__ FiltersBack(const ConvShape<Dims>& shape, const Element* weight, int group)
      : shape(shape), weight(weight + Index(group) * shape.k * shape.c * shape.taps_size) {}
  __device__ __forceinline__ Outer outer(Index i) const { return {weight + i * shape.taps_size, i < shape.c}; }
  template <typename Put> __device__ __forceinline__ void gather(const Outer& at, int k, int end, const Put& put) const {
#pragma unroll
    for (int w = 0; w < Width; ++w) {
      int channel = k + w;
      const int tap = shape.by_taps_size.split(channel);
      const bool inside = at.inside && k + w < end;
      put(w, inside ? at.filter[Index(channel) * shape.c * shape.taps_size + tap] : narrow<Element>(0.0f));
    }
  }
};

// A of wgrad: row k, inner (n, place of the result).
template <typename Element, int Dims, int Width>
struct GradientRows : Gathered<GradientRows<Element, Dims, Width>, Element, kAlongInner, Width> {
  const ConvShape<Dims>& shape;
  const Element* grad;  // of the group's first channel
  struct Outer {
    const Element* plane;
    bool inside;
  };
  __device__ __forceinline__ GradientRows(const ConvShape<Dims>& shape, const Element* grad, int group)
      : shape(shape), grad(grad + Index(group) * shape.k * shape.result_size) {}
  __device__ __forceinline__ Outer outer(Index i) const { return {grad + i * shape.result_size, i < shape.k}; }
  template <typename Put> __device__ __forceinline__ void gather(const Outer& at, int k, int end, const Put& put) const {
#pragma unroll
    for (int w = 0; w < Width; ++w) {
      int image = k + w;
      const int place = shape.by_result_size.split(image);
      const bool inside = at.inside && k + w < end;
      const Index plane = Index(image) * shape.groups * shape.k * shape.result_size;
      put(w, inside ? at.plane[plane + place] : narrow<Element>(0.0f));
    }
  }
};

// B of wgrad: column (c, tap), inner (n, place of the result).
template <typename Element, int Dims, int Width>
struct PatchColumns : Gathered<PatchColumns<Element, Dims, Width>, Element, kAlongInner, Width> {
  const ConvShape<Dims>& shape;
  const Element* x;  // of the group's first channel
  struct Outer {
    Spot<Dims> tap;
    bool inside;
  };
  __device__ __forceinline__ PatchColumns(const ConvShape<Dims>& shape, const Element* x, int group)
      : shape(shape), x(x + Index(group) * shape.c * shape.image_size) {}
  __device__ __forceinline__ Outer outer(Index j) const {
    return {Spot<Dims>(static_cast<int>(j), shape.by_taps), j < Index(shape.c) * shape.taps_size};
  }
  template <typename Put> __device__ __forceinline__ void gather(const Outer& at, int k, int end, const Put& put) const {
    Spot<Dims> spot(k, shape.by_result);
#pragma unroll
    for (int w = 0; w < Width; ++w) {
      const int place = at.inside && k + w < end ? input_under(shape, spot.at, at.tap.at) : -1;
      const Index plane = Index(spot.outer) * shape.groups * shape.c + at.tap.outer;
      put(w, place >= 0 ? x[plane * shape.image_size + place] : narrow<Element>(0.0f));
      if (w + 1 < Width) spot.advance(shape.result);
    }
  }
};

// Results beside each other, at flat places (n, place) from `j` to before `count`, of one channel of (N, channels, ...).
template <typename Element, typename Real, int Width> __device__ __forceinline__ void store_places(
    Element* out, int channels, int channel, const Divider& by_size, Index j, Index count, const Real (&values)[Width]) {
  int image = static_cast<int>(j);
  const int place = by_size.split(image), size = static_cast<int>(by_size.divisor);
  Element* plane = out + (Index(image) * channels + channel) * size;
  if (size % Width == 0 && is_aligned<16 / sizeof(Element)>(out)) {
    if (j < count) store_row(plane, place, size, size % (16 / sizeof(Element)) == 0, values);
    return;
  }
#pragma unroll
  for (int w = 0; w < Width; ++w) {
    if (j + w >= count) return;
    const int beyond = place + w >= size ? (place + w) / size : 0;
    plane[Index(beyond) * channels * size + place + w - beyond * size] = narrow<Element>(values[w]);
  }
}

}  // namespace pyneural
