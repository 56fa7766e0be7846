// Convolutions of PYNEURAL_ELEMENT and their gradients in 2 or 3 dimensions, in groups.
//
// The "direct" kernels have a thread (forward, dgrad) or a block (wgrad) a result, for few terms a result (depthwise).
// All others are implicit GEMMs, an instance for each main loop of gemm_loops.cuh; blockIdx.y is the group:
//   forward  k x (n places)   = k x (c taps)      times  (c taps) x (n places)
//   dgrad    c x (n places)   = c x (k taps)      times  (k taps) x (n places)
//   wgrad    k x (c taps)     = k x (n places)    times  (n places) x (c taps)
#include <pyneural/gemm_loops.cuh>
#include <pyneural/math.cuh>
#include <pyneural/operand.cuh>
#include <pyneural/reduce.cuh>

#include <pyneural/conv.cuh>

using namespace pyneural;
using Element = PYNEURAL_ELEMENT;
using Real = Computed<Element>;
using Small = Loops<Element>::Small;
using Medium = Loops<Element>::Medium;
using Large = Loops<Element>::Large;
using Warpgroup = Loops<Element>::Warpgroup;

// Elements of a gathered operand that a thread finds at once: as many as an access has on tensor cores, else one.
template <typename Loop> constexpr int kGathered = kCopies<Loop> ? Loop::width : 1;

// Three blocks a multiprocessor: ptxas would make room for four, and spill.
template <typename Loop, int Dims> __global__ void __launch_bounds__(Loop::threads, Loop::threads > 128 ? 0 : 3) forward(
    ConvShape<Dims> shape, const Element* x, const Element* weight, const Element* bias, int activation, Element* out) {
  const Index places = Index(shape.images) * shape.result_size, terms = Index(shape.c) * shape.taps_size;
  const bool aligned = is_aligned<16 / sizeof(Element)>(weight) && terms % (16 / sizeof(Element)) == 0;
  for (int group = blockIdx.y; group < shape.groups; group += gridDim.y) {
    const Operand<Element, kAlongInner, Loop::width> filters{weight + Index(group) * shape.k * terms, shape.k, terms, 1, aligned};
    const UnderTaps<Element, Dims, kGathered<Loop>, false> patches(shape, x, group);
    Loop::run(Product{shape.k, places, 0, terms}, filters, patches, [&](Index i, Index j, auto& values) {
      if (i >= shape.k) return;
      const int channel = group * shape.k + static_cast<int>(i);
      const Real added = bias ? widen(bias[channel]) : Real(0);
      constexpr int width = sizeof(values) / sizeof(Real);
      Real results[width];
#pragma unroll
      for (int w = 0; w < width; ++w) results[w] = activated(values[w] + added, activation);
      store_places(out, shape.groups * shape.k, channel, shape.by_result_size, j, places, results);
    });
  }
}

template <typename Loop, int Dims> __global__ void __launch_bounds__(Loop::threads)
    dgrad(ConvShape<Dims> shape, const Element* grad, const Element* weight, Element* out) {
  const Index places = Index(shape.images) * shape.image_size;
  for (int group = blockIdx.y; group < shape.groups; group += gridDim.y) {
    const FiltersBack<Element, Dims, kGathered<Loop>> filters(shape, weight, group);
    const UnderTaps<Element, Dims, kGathered<Loop>, true> gradients(shape, grad, group);
    const Product product{shape.c, places, 0, Index(shape.k) * shape.taps_size};
    Loop::run(product, filters, gradients, [&](Index i, Index j, auto& values) {
      if (i >= shape.c) return;
      const int channel = group * shape.c + static_cast<int>(i);
      store_places(out, shape.groups * shape.c, channel, shape.by_image_size, j, places, values);
    });
  }
}

// With `partial`, blockIdx.z sums one split of the places; `add_splits` puts them together.
template <typename Loop, int Dims> __global__ void __launch_bounds__(Loop::threads, Loop::threads > 128 ? 0 : 2) wgrad(
    ConvShape<Dims> shape, int splits, const Element* grad, const Element* x, Real* partial, Element* out) {
  const Index terms = Index(shape.c) * shape.taps_size, places = Index(shape.images) * shape.result_size;
  const Index weights = Index(shape.groups) * shape.k * terms;
  for (int group = blockIdx.y; group < shape.groups; group += gridDim.y) {
    const GradientRows<Element, Dims, kGathered<Loop>> gradients(shape, grad, group);
    const PatchColumns<Element, Dims, kGathered<Loop>> patches(shape, x, group);
    const Product product = split_product(shape.k, terms, places, blockIdx.z, splits, Loop::step);
    Loop::run(product, gradients, patches, [&](Index i, Index j, auto& values) {
      if (i >= shape.k) return;
      const Index row = (Index(group) * shape.k + i) * terms;
      if (partial) {
        store_row(partial + blockIdx.z * weights + row, j, terms, terms % (16 / sizeof(Real)) == 0, values);
      } else {
        store_row(out + row, j, terms, terms % (16 / sizeof(Element)) == 0 && is_aligned<16 / sizeof(Element)>(out), values);
      }
    });
  }
}

__global__ void add_splits(const Real* partial, int splits, Index count, Element* out) {
  for (Index i = thread_of_grid(); i < count; i += threads_of_grid()) {
    out[i] = narrow<Element>(sum_of_splits(partial, i, count, splits));
  }
}

template <int Dims> __global__ void forward_direct(
    ConvShape<Dims> shape, const Element* x, const Element* weight, const Element* bias, int activation, Element* out) {
  const int channels = shape.groups * shape.k;
  const Index count = Index(shape.images) * channels * shape.result_size;
  for (Index i = thread_of_grid(); i < count; i += threads_of_grid()) {
    const Index plane = i / shape.result_size;
    const Spot<Dims> at(static_cast<int>(i - plane * shape.result_size), shape.by_result);
    const int channel = static_cast<int>(plane % channels), group = channel / shape.k;
    const Element* from = x + (plane / channels * shape.groups + group) * shape.c * shape.image_size;
    const Element* filter = weight + Index(channel) * shape.c * shape.taps_size;
    Real sum = 0;
    for (int c = 0; c < shape.c; ++c) {
      for (int t = 0; t < shape.taps_size; ++t) {
        const Spot<Dims> tap(t, shape.by_taps);
        const int place = input_under(shape, at.at, tap.at);
        if (place >= 0) sum += widen(from[Index(c) * shape.image_size + place]) * widen(filter[c * shape.taps_size + t]);
      }
    }
    if (bias) sum += widen(bias[channel]);
    out[i] = narrow<Element>(activated(sum, activation));
  }
}

template <int Dims>
__global__ void dgrad_direct(ConvShape<Dims> shape, const Element* grad, const Element* weight, Element* out) {
  const int channels = shape.groups * shape.c;
  const Index count = Index(shape.images) * channels * shape.image_size;
  for (Index i = thread_of_grid(); i < count; i += threads_of_grid()) {
    const Index plane = i / shape.image_size;
    const Spot<Dims> at(static_cast<int>(i - plane * shape.image_size), shape.by_image);
    const int channel = static_cast<int>(plane % channels), group = channel / shape.c;
    const Element* from = grad + (plane / channels * shape.groups + group) * shape.k * shape.result_size;
    const Element* filter = weight + (Index(group) * shape.k * shape.c + channel % shape.c) * shape.taps_size;
    Real sum = 0;
    for (int k = 0; k < shape.k; ++k) {
      for (int t = 0; t < shape.taps_size; ++t) {
        const Spot<Dims> tap(t, shape.by_taps);
        const int place = result_over(shape, at.at, tap.at);
        if (place >= 0) {
          sum += widen(from[Index(k) * shape.result_size + place]) * widen(filter[Index(k) * shape.c * shape.taps_size + t]);
        }
      }
    }
    out[i] = narrow<Element>(sum);
  }
}

// A block a weight: its threads walk over all places of all images.
template <int Dims>
__global__ void wgrad_direct(ConvShape<Dims> shape, const Element* grad, const Element* x, Element* out) {
  __shared__ Real warps[kWarp];
  const int terms = shape.c * shape.taps_size;
  const Index weights = Index(shape.groups) * shape.k * terms;
  const int places = shape.images * shape.result_size;
  for (Index i = blockIdx.x; i < weights; i += gridDim.x) {
    const int channel = static_cast<int>(i / terms), group = channel / shape.k;
    const Spot<Dims> tap(static_cast<int>(i - Index(channel) * terms), shape.by_taps);
    Real sum = 0;
    for (int p = threadIdx.x; p < places; p += blockDim.x) {
      const Spot<Dims> at(p, shape.by_result);
      const int place = input_under(shape, at.at, tap.at);
      if (place < 0) continue;
      const Index plane = Index(at.outer) * shape.groups;
      sum += widen(grad[(plane * shape.k + channel) * shape.result_size + p - at.outer * shape.result_size]) *
             widen(x[((plane + group) * shape.c + tap.outer) * shape.image_size + place]);
    }
    sum = block_reduce(sum, Real(0), warps, [](Real a, Real b) { return a + b; });
    if (threadIdx.x == 0) out[i] = narrow<Element>(sum);
    __syncthreads();  // before the next weight's sums
  }
}
