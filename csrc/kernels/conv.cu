// 2-D convolution of PYNEURAL_ELEMENT and its gradients, (N, C, H, W) contiguous, in groups.
//
// "direct": a thread a result, for few terms a result (depthwise). All others are implicit GEMMs, the images seen as
// matrices through index arithmetic; blockIdx.y is the group:
//   forward  (n p q) x k      = (n p q) x (c r s)  times  (c r s) x k
//   dgrad    (n h w) x c      = (n h w) x (k r s)  times  (k r s) x c
//   wgrad    k x (c r s)      = k x (n p q)        times  (n p q) x (c r s)
#include <pyneural/gemm.cuh>
#include <pyneural/map.cuh>
#include <pyneural/math.cuh>

using namespace pyneural;
using Element = PYNEURAL_ELEMENT;
using Real = Computed<Element>;

// Sizes of all arrays; c and k are those of one group. Filled in by kernels/conv/cuda.py.
struct Shape {
  int images, groups, c, h, w, k, p, q, r, s, stride_h, stride_w, pad_h, pad_w, dilation_h, dilation_w;

  __device__ __forceinline__ Index x_at(int image, int group, int channel, int y, int x) const {
    return ((Index(image) * groups * c + group * c + channel) * h + y) * w + x;
  }
  __device__ __forceinline__ Index y_at(int image, int group, int channel, int y, int x) const {
    return ((Index(image) * groups * k + group * k + channel) * p + y) * q + x;
  }
  __device__ __forceinline__ Index weight_at(int group, int out, int in, int y, int x) const {
    return ((Index(group * k + out) * c + in) * r + y) * s + x;
  }
};

// A flat index over an image's positions, or over the taps of a channel, taken apart.
struct Spot {
  int outer, y, x;
  __device__ __forceinline__ Spot(Index i, int height, int width) {
    const Index line = i / width;
    x = static_cast<int>(i - line * width);
    const Index plane = line / height;
    y = static_cast<int>(line - plane * height);
    outer = static_cast<int>(plane);
  }
};

// The input under tap (r, s) of the result at (p, q): 0 in the border.
__device__ __forceinline__ Real input_under(
    const Shape& shape, const Element* x, int group, int image, int channel, int p, int q, int r, int s) {
  const int y = p * shape.stride_h + r * shape.dilation_h - shape.pad_h;
  const int z = q * shape.stride_w + s * shape.dilation_w - shape.pad_w;
  const bool inside = y >= 0 && y < shape.h && z >= 0 && z < shape.w;
  return inside ? widen(x[shape.x_at(image, group, channel, y, z)]) : Real(0);
}

struct Patches {  // A of the forward pass: row (n p q), inner (c r s)
  const Shape& shape;
  const Element* x;
  int group;
  Along along;
  __device__ __forceinline__ Real operator()(Index i, Index inner) const {
    const Spot at(i, shape.p, shape.q), tap(inner, shape.r, shape.s);
    return input_under(shape, x, group, at.outer, tap.outer, at.y, at.x, tap.y, tap.x);
  }
};
struct Filters {  // B of the forward pass: column k, inner (c r s)
  const Shape& shape;
  const Element* weight;
  int group;
  Along along;
  __device__ __forceinline__ Real operator()(Index j, Index inner) const {
    return widen(weight[(Index(group) * shape.k + j) * shape.c * shape.r * shape.s + inner]);
  }
};

template <typename T>
__device__ __forceinline__ void forward(
    const Shape& shape, const Element* x, const Element* weight, const Element* bias, int activation, Element* out) {
  const Index positions = Index(shape.images) * shape.p * shape.q;
  for (int group = blockIdx.y; group < shape.groups; group += gridDim.y) {
    Product<T, Real>{positions, shape.k, Index(shape.c) * shape.r * shape.s}.run(
        Patches{shape, x, group, kAlongOuter}, Filters{shape, weight, group, kAlongInner},
        [&](Index i, Index j, Real value) {
          const Spot at(i, shape.p, shape.q);
          const int channel = static_cast<int>(j);
          if (bias) value += widen(bias[group * shape.k + channel]);
          out[shape.y_at(at.outer, group, channel, at.y, at.x)] = narrow<Element>(activated(value, activation));
        });
  }
}

__global__ void __launch_bounds__(SmallTile::threads) forward_small(
    Shape shape, const Element* x, const Element* weight, const Element* bias, int activation, Element* out) {
  forward<SmallTile>(shape, x, weight, bias, activation, out);
}
__global__ void __launch_bounds__(LargeTile::threads) forward_large(
    Shape shape, const Element* x, const Element* weight, const Element* bias, int activation, Element* out) {
  forward<LargeTile>(shape, x, weight, bias, activation, out);
}

__global__ void forward_direct(
    Shape shape, const Element* x, const Element* weight, const Element* bias, int activation, Element* out) {
  const int channels = shape.groups * shape.k;
  const Index count = Index(shape.images) * channels * shape.p * shape.q;
  for (Index i = thread_of_grid(); i < count; i += threads_of_grid()) {
    const Spot at(i, shape.p, shape.q);
    const int image = at.outer / channels, out_channel = at.outer % channels;
    const int group = out_channel / shape.k, of_group = out_channel % shape.k;
    Real sum = 0;
    for (int channel = 0; channel < shape.c; ++channel) {
      for (int r = 0; r < shape.r; ++r) {
        for (int s = 0; s < shape.s; ++s) {
          sum += input_under(shape, x, group, image, channel, at.y, at.x, r, s) *
                 widen(weight[shape.weight_at(group, of_group, channel, r, s)]);
        }
      }
    }
    if (bias) sum += widen(bias[out_channel]);
    out[i] = narrow<Element>(activated(sum, activation));
  }
}

// The gradient that tap (r, s) brings to the input at (y, x): 0 where no result has it there.
__device__ __forceinline__ Real gradient_over(
    const Shape& shape, const Element* grad, int group, int image, int channel, int y, int x, int r, int s) {
  const int down = y + shape.pad_h - r * shape.dilation_h, across = x + shape.pad_w - s * shape.dilation_w;
  const int p = down / shape.stride_h, q = across / shape.stride_w;
  const bool inside = down >= 0 && across >= 0 && p * shape.stride_h == down && q * shape.stride_w == across &&
                      p < shape.p && q < shape.q;
  return inside ? widen(grad[shape.y_at(image, group, channel, p, q)]) : Real(0);
}

struct Gradients {  // A of dgrad: row (n h w), inner (k r s)
  const Shape& shape;
  const Element* grad;
  int group;
  Along along;
  __device__ __forceinline__ Real operator()(Index i, Index inner) const {
    const Spot at(i, shape.h, shape.w), tap(inner, shape.r, shape.s);
    return gradient_over(shape, grad, group, at.outer, tap.outer, at.y, at.x, tap.y, tap.x);
  }
};
struct FiltersBack {  // B of dgrad: column c, inner (k r s)
  const Shape& shape;
  const Element* weight;
  int group;
  Along along;
  __device__ __forceinline__ Real operator()(Index j, Index inner) const {
    const Spot tap(inner, shape.r, shape.s);
    return widen(weight[shape.weight_at(group, tap.outer, static_cast<int>(j), tap.y, tap.x)]);
  }
};

template <typename T>
__device__ __forceinline__ void dgrad(const Shape& shape, const Element* grad, const Element* weight, Element* out) {
  const Index positions = Index(shape.images) * shape.h * shape.w;
  for (int group = blockIdx.y; group < shape.groups; group += gridDim.y) {
    Product<T, Real>{positions, shape.c, Index(shape.k) * shape.r * shape.s}.run(
        Gradients{shape, grad, group, kAlongOuter}, FiltersBack{shape, weight, group, kAlongInner},
        [&](Index i, Index j, Real value) {
          const Spot at(i, shape.h, shape.w);
          out[shape.x_at(at.outer, group, static_cast<int>(j), at.y, at.x)] = narrow<Element>(value);
        });
  }
}

__global__ void __launch_bounds__(SmallTile::threads) dgrad_small(
    Shape shape, const Element* grad, const Element* weight, Element* out) {
  dgrad<SmallTile>(shape, grad, weight, out);
}
__global__ void __launch_bounds__(LargeTile::threads) dgrad_large(
    Shape shape, const Element* grad, const Element* weight, Element* out) {
  dgrad<LargeTile>(shape, grad, weight, out);
}

struct GradientRows {  // A of wgrad: row k, inner (n p q)
  const Shape& shape;
  const Element* grad;
  int group;
  Along along;
  __device__ __forceinline__ Real operator()(Index i, Index inner) const {
    const Spot at(inner, shape.p, shape.q);
    return widen(grad[shape.y_at(at.outer, group, static_cast<int>(i), at.y, at.x)]);
  }
};
struct PatchColumns {  // B of wgrad: column (c r s), inner (n p q)
  const Shape& shape;
  const Element* x;
  int group;
  Along along;
  __device__ __forceinline__ Real operator()(Index j, Index inner) const {
    const Spot tap(j, shape.r, shape.s), at(inner, shape.p, shape.q);
    return input_under(shape, x, group, at.outer, tap.outer, at.y, at.x, tap.y, tap.x);
  }
};

template <typename T>
__device__ __forceinline__ void wgrad(const Shape& shape, const Element* grad, const Element* x, Element* out) {
  const Index taps = Index(shape.c) * shape.r * shape.s;
  for (int group = blockIdx.y; group < shape.groups; group += gridDim.y) {
    Product<T, Real>{shape.k, taps, Index(shape.images) * shape.p * shape.q}.run(
        GradientRows{shape, grad, group, kAlongInner}, PatchColumns{shape, x, group, kAlongInner},
        [&](Index i, Index j, Real value) { out[(Index(group) * shape.k + i) * taps + j] = narrow<Element>(value); });
  }
}

__global__ void __launch_bounds__(SmallTile::threads) wgrad_small(
    Shape shape, const Element* grad, const Element* x, Element* out) {
  wgrad<SmallTile>(shape, grad, x, out);
}
__global__ void __launch_bounds__(LargeTile::threads) wgrad_large(
    Shape shape, const Element* grad, const Element* x, Element* out) {
  wgrad<LargeTile>(shape, grad, x, out);
}
