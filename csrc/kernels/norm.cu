// Batch normalisation of an array (planes, channels, span) of PYNEURAL_ELEMENT from known statistics, the sums over
// each channel for the gradients, and the gradient for its input. Statistics come from moments.cu; channels.cuh says
// what "planes" and "columns" are.
#include <pyneural/channels.cuh>
#include <pyneural/held_rows.cuh>
#include <pyneural/parameter.cuh>

using namespace pyneural;
using Element = PYNEURAL_ELEMENT;
using Real = Computed<Element>;

constexpr int kWide = 16 / sizeof(Element);

// (x - mean) * scale + shift of one channel, whose spread is 1 / sqrt(variance + eps) or that variance.
struct Affine {
  Real mean, scale, shift;

  __device__ __forceinline__ Affine(Real mean, Real scale, Real shift) : mean(mean), scale(scale), shift(shift) {}
  __device__ __forceinline__ Affine(
      Index c, Index statistic, const Parameter<Element>& weight, const Parameter<Element>& bias,
      const Parameter<Element>& means, const Parameter<Element>& spreads, bool variance, Real eps) {
    const Real spread = spreads.at(statistic, 1);
    mean = means.at(statistic, 0);
    scale = (variance ? rsqrt(spread + eps) : spread) * weight.at(c, 1);
    shift = bias.at(c, 0);
  }
  __device__ __forceinline__ Real operator()(Real x) const { return (x - mean) * scale + shift; }
};

template <int Width>
__device__ __forceinline__ void apply_planes(
    const Channels& at, Places2 place, Index channels, const Element* x, const Parameter<Element>& weight,
    const Parameter<Element>& bias, Element* y, const Parameter<Element>& mean, const Parameter<Element>& spread,
    bool variance, Real eps) {
  const Affine affine(blockIdx.x % channels, place.of(0, blockIdx.x), weight, bias, mean, spread, variance, eps);
  for_planes<Width>(at, [&](Index, Index offset) {
    Real value[Width];
    load_wide(x + offset, value);
    store_part<Element, Width>(y + offset, [&](int k) { return affine(value[k]); });
  });
}
// Where the images' own channels are normalised, `at` counts them all as channels of one image: `channels` is
// after how many the weights repeat.
__global__ void __launch_bounds__(256) normalize_planes(
    Channels at, Places2 place, Index channels, const Element* x, const void* weight, bool wide_weight,
    const void* bias, bool wide_bias, Element* y, const void* mean, bool wide_mean, const void* spread,
    bool wide_spread, bool variance, Real eps) {
  const Parameter<Element> w{weight, wide_weight}, b{bias, wide_bias}, m{mean, wide_mean}, s{spread, wide_spread};
  if (may_be_wide(at.span, x) && may_be_wide(at.span, y)) {
    apply_planes<kWide>(at, place, channels, x, w, b, y, m, s, variance, eps);
  } else {
    apply_planes<1>(at, place, channels, x, w, b, y, m, s, variance, eps);
  }
}

template <int Width>
__device__ __forceinline__ void apply_columns(
    const Channels& at, const Element* x, const Parameter<Element>& weight, const Parameter<Element>& bias, Element* y,
    const Parameter<Element>& mean, const Parameter<Element>& spread, bool variance, Real eps) {
  __shared__ ColumnValues<Real, Width> means;
  __shared__ ColumnValues<Real, Width> scales;
  __shared__ ColumnValues<Real, Width> shifts;
  for (Columns<Width> part(at); part.more(); part.next()) {
    part.for_each([&](Index column, int i) {
      const Index c = column / at.span;
      const Affine affine(c, c, weight, bias, mean, spread, variance, eps);
      means.of(i) = affine.mean;
      scales.of(i) = affine.scale;
      shifts.of(i) = affine.shift;
    });
    __syncthreads();
    Real middle[Width], scale[Width], shift[Width];
#pragma unroll
    for (int k = 0; k < Width; ++k) {
      middle[k] = part.inside() ? means.own(k) : Real(0);
      scale[k] = part.inside() ? scales.own(k) : Real(0);
      shift[k] = part.inside() ? shifts.own(k) : Real(0);
    }
    part.for_rows([&](Index, Index offset) {
      Real value[Width];
      load_wide(x + offset, value);
      store_part<Element, Width>(y + offset, [&](int k) { return Affine(middle[k], scale[k], shift[k])(value[k]); });
    });
    __syncthreads();
  }
}
__global__ void __launch_bounds__(256) normalize_columns(
    Channels at, const Element* x, const void* weight, bool wide_weight, const void* bias, bool wide_bias, Element* y,
    const void* mean, bool wide_mean, const void* spread, bool wide_spread, bool variance, Real eps) {
  const Parameter<Element> w{weight, wide_weight}, b{bias, wide_bias}, m{mean, wide_mean}, s{spread, wide_spread};
  if (may_be_wide(at.channels * at.span, x) && may_be_wide(at.channels * at.span, y)) {
    apply_columns<kWide>(at, x, w, b, y, m, s, variance, eps);
  } else {
    apply_columns<1>(at, x, w, b, y, m, s, variance, eps);
  }
}

// Sums over a channel: grad * z and grad, z the normalised x.
template <int Width>
__device__ __forceinline__ void sum_planes(
    const Channels& at, Places2 place, const Element* grad, const Element* x, const Parameter<Element>& mean,
    const Parameter<Element>& rstd, Real* partial) {
  __shared__ Real shared[2][kWarp + 1];  // two threads add up a row each, in different banks
  Real by_z = 0, plain = 0;
  const bool of_batch = place.images == 0;
  Index statistic = place.of(0, blockIdx.x);
  Real middle = mean.at(statistic, 0), scale = rstd.at(statistic, 1);
  for_planes<Width>(at, [&](Index n, Index offset) {
    Real g[Width], value[Width];
    load_wide(grad + offset, g);
    load_wide(x + offset, value);
    if (!of_batch) {
      statistic = place.of(n, blockIdx.x);
      middle = mean.at(statistic, 0);
      scale = rstd.at(statistic, 1);
    }
#pragma unroll
    for (int k = 0; k < Width; ++k) {
      by_z += g[k] * ((value[k] - middle) * scale);
      plain += g[k];
    }
  });
  by_z = warp_reduce(by_z, Plus{});
  plain = warp_reduce(plain, Plus{});
  const int warp = thread_of_block() / kWarp, lane = thread_of_block() % kWarp;
  if (lane == 0) {
    shared[0][warp] = by_z;
    shared[1][warp] = plain;
  }
  __syncthreads();
  if (thread_of_block() < 2) {
    Real total = 0;
    for (int w = 0; w < int(blockDim.x * blockDim.y) / kWarp; ++w) total += shared[thread_of_block()][w];
    partial[(Index(blockIdx.x) * gridDim.y + blockIdx.y) * 2 + thread_of_block()] = total;
  }
}
// partial: (channels, pieces, 2).
__global__ void __launch_bounds__(256) sums_planes(
    Channels at, Places2 place, const Element* grad, const Element* x, const void* mean, bool wide_mean,
    const void* rstd, bool wide_rstd, Real* partial) {
  const Parameter<Element> m{mean, wide_mean}, r{rstd, wide_rstd};
  if (may_be_wide(at.span, grad) && may_be_wide(at.span, x)) {
    sum_planes<kWide>(at, place, grad, x, m, r, partial);
  } else {
    sum_planes<1>(at, place, grad, x, m, r, partial);
  }
}

// Statistics of an image are read for each row; `alike` if those of an access are one.
template <int Width>
__device__ __forceinline__ void sum_columns(
    const Channels& at, Places2 place, const Element* grad, const Element* x, const Parameter<Element>& mean,
    const Parameter<Element>& rstd, Real* partial) {
  __shared__ ColumnValues<Real, Width> means;
  __shared__ ColumnValues<Real, Width> scales;
  __shared__ ColumnValues<Real, Width> by_zs[kRows];
  __shared__ ColumnValues<Real, Width> plains[kRows];
  const bool of_batch = place.images == 0, alike = place.group * at.span % Width == 0;
  for (Columns<Width> part(at); part.more(); part.next()) {
    Real by_z[Width], plain[Width], middle[Width], scale[Width];
    const Index column = part.strip + threadIdx.x * Width;
    if (of_batch) {
      part.for_each([&](Index each, int i) {
        const Index statistic = place.of(0, each / at.span);
        means.of(i) = mean.at(statistic, 0);
        scales.of(i) = rstd.at(statistic, 1);
      });
      __syncthreads();
    }
#pragma unroll
    for (int k = 0; k < Width; ++k) {
      by_z[k] = plain[k] = 0;
      middle[k] = of_batch && part.inside() ? means.own(k) : Real(0);
      scale[k] = of_batch && part.inside() ? scales.own(k) : Real(1);
    }
    part.for_rows([&](Index n, Index offset) {
      Real g[Width], value[Width];
      load_wide(grad + offset, g);
      load_wide(x + offset, value);
      if (!of_batch) {
#pragma unroll
        for (int k = 0; k < Width; ++k) {
          if (k == 0 || !alike) {
            const Index statistic = place.of(n, (column + k) / at.span);
            middle[k] = mean.at(statistic, 0);
            scale[k] = rstd.at(statistic, 1);
          } else {
            middle[k] = middle[0];
            scale[k] = scale[0];
          }
        }
      }
#pragma unroll
      for (int k = 0; k < Width; ++k) {
        by_z[k] += g[k] * ((value[k] - middle[k]) * scale[k]);
        plain[k] += g[k];
      }
    });
#pragma unroll
    for (int k = 0; k < Width; ++k) {
      by_zs[threadIdx.y].own(k) = by_z[k];
      plains[threadIdx.y].own(k) = plain[k];
    }
    __syncthreads();
    part.for_each([&](Index each, int i) {
      Real total_by_z = 0, total = 0;
      for (int w = 0; w < kRows; ++w) {
        total_by_z += by_zs[w].of(i);
        total += plains[w].of(i);
      }
      partial[Index(blockIdx.y) * 2 * part.columns + each] = total_by_z;
      partial[(Index(blockIdx.y) * 2 + 1) * part.columns + each] = total;
    });
    __syncthreads();
  }
}
// partial: (pieces, 2, channels, span).
__global__ void __launch_bounds__(256) sums_columns(
    Channels at, Places2 place, const Element* grad, const Element* x, const void* mean, bool wide_mean,
    const void* rstd, bool wide_rstd, Real* partial) {
  const Parameter<Element> m{mean, wide_mean}, r{rstd, wide_rstd};
  if (may_be_wide(at.channels * at.span, grad) && may_be_wide(at.channels * at.span, x)) {
    sum_columns<kWide>(at, place, grad, x, m, r, partial);
  } else {
    sum_columns<1>(at, place, grad, x, m, r, partial);
  }
}

// The sums are kept as Real for the input's gradient, (channels, 2), and written as results.
__device__ __forceinline__ void store_sums(
    Index channel, Real by_z, Real plain, Real* sums, void* dweight, void* dbias, bool wide) {
  sums[channel * 2] = by_z;
  sums[channel * 2 + 1] = plain;
  if (wide) {
    static_cast<Real*>(dweight)[channel] = by_z;
    static_cast<Real*>(dbias)[channel] = plain;
  } else {
    static_cast<Element*>(dweight)[channel] = narrow<Element>(by_z);
    static_cast<Element*>(dbias)[channel] = narrow<Element>(plain);
  }
}

// A warp a channel.
__global__ void __launch_bounds__(256) sums_final_planes(
    Channels at, const Real* partial, Real* sums, void* dweight, void* dbias, bool wide, Index pieces) {
  const Index channel = thread_of_grid() / kWarp;
  if (channel >= at.channels) return;
  Real by_z = 0, plain = 0;
  for (Index i = channel * pieces + threadIdx.x % kWarp; i < (channel + 1) * pieces; i += kWarp) {
    by_z += partial[i * 2];
    plain += partial[i * 2 + 1];
  }
  by_z = warp_reduce(by_z, Plus{});
  plain = warp_reduce(plain, Plus{});
  if (threadIdx.x % kWarp == 0) store_sums(channel, by_z, plain, sums, dweight, dbias, wide);
}
// What columns [begin, span), `step` apart, of a piece of a channel left.
__device__ __forceinline__ void add_columns(
    Real& by_z, Real& plain, const Channels& at, const Real* partial, Index channel, Index begin, Index step,
    Index piece) {
  const Index columns = at.channels * at.span;
  const Real* const from = partial + piece * 2 * columns + channel * at.span;
  for (Index i = begin; i < at.span; i += step) {
    by_z += from[i];
    plain += from[columns + i];
  }
}

// A block of (kWarp, kRows) threads for kWarp channels: a thread a channel, or a warp where spans fill its lanes.
__global__ void __launch_bounds__(256) sums_final_columns(
    Channels at, const Real* partial, Real* sums, void* dweight, void* dbias, bool wide, Index pieces) {
  __shared__ Real shared[2][kRows][kWarp];
  if (at.span >= kRows) {
    for (int k = threadIdx.y; k < kWarp; k += kRows) {
      const Index own = Index(blockIdx.x) * kWarp + k;
      if (own >= at.channels) return;
      Real by_z = 0, plain = 0;
      for (Index piece = 0; piece < pieces; ++piece) {
        add_columns(by_z, plain, at, partial, own, threadIdx.x, kWarp, piece);
      }
      by_z = warp_reduce(by_z, Plus{});
      plain = warp_reduce(plain, Plus{});
      if (threadIdx.x == 0) store_sums(own, by_z, plain, sums, dweight, dbias, wide);
    }
    return;
  }
  const Index channel = Index(blockIdx.x) * kWarp + threadIdx.x;
  Real by_z = 0, plain = 0;
  if (channel < at.channels) {
    for (Index piece = threadIdx.y; piece < pieces; piece += kRows) {
      add_columns(by_z, plain, at, partial, channel, 0, 1, piece);
    }
  }
  shared[0][threadIdx.y][threadIdx.x] = by_z;
  shared[1][threadIdx.y][threadIdx.x] = plain;
  __syncthreads();
  if (threadIdx.y != 0 || channel >= at.channels) return;
  for (int w = 1; w < kRows; ++w) {
    by_z += shared[0][w][threadIdx.x];
    plain += shared[1][w][threadIdx.x];
  }
  store_sums(channel, by_z, plain, sums, dweight, dbias, wide);
}

// weight * rstd * (grad - average(grad) - z * average(grad * z)) of one channel.
struct Slope {
  Real mean, scale, shift, by_x;

  __device__ __forceinline__ Slope(Real mean, Real scale, Real shift, Real by_x)
      : mean(mean), scale(scale), shift(shift), by_x(by_x) {}
  __device__ __forceinline__ Slope(
      Index c, const Parameter<Element>& weight, const Parameter<Element>& means, const Parameter<Element>& rstds,
      const Real* sums, Real count) {
    const Real rstd = rstds.at(c, 1);
    mean = means.at(c, 0);
    scale = rstd * weight.at(c, 1);
    shift = scale * (sums[c * 2 + 1] / count);
    by_x = scale * rstd * (sums[c * 2] / count);
  }
  __device__ __forceinline__ Real operator()(Real g, Real x) const { return scale * g - shift - (x - mean) * by_x; }
};

template <int Width>
__device__ __forceinline__ void backward_planes(
    const Channels& at, const Element* grad, const Element* x, const Slope& slope, Element* dx) {
  for_planes<Width>(at, [&](Index, Index offset) {
    Real g[Width], value[Width];
    load_wide(grad + offset, g);
    load_wide(x + offset, value);
    store_part<Element, Width>(dx + offset, [&](int k) { return slope(g[k], value[k]); });
  });
}
__global__ void __launch_bounds__(256) batch_norm_backward_planes(
    Channels at, const Element* grad, const Element* x, const void* weight, bool wide_weight, const void* mean,
    bool wide_mean, const void* rstd, bool wide_rstd, const Real* sums, Element* dx) {
  const Real count = static_cast<Real>(at.planes * at.span);
  const Slope slope(blockIdx.x, {weight, wide_weight}, {mean, wide_mean}, {rstd, wide_rstd}, sums, count);
  if (may_be_wide(at.span, grad) && may_be_wide(at.span, x) && may_be_wide(at.span, dx)) {
    backward_planes<kWide>(at, grad, x, slope, dx);
  } else {
    backward_planes<1>(at, grad, x, slope, dx);
  }
}

template <int Width>
__device__ __forceinline__ void backward_columns(
    const Channels& at, const Element* grad, const Element* x, const Parameter<Element>& weight,
    const Parameter<Element>& mean, const Parameter<Element>& rstd, const Real* sums, Element* dx) {
  __shared__ ColumnValues<Real, Width> means;
  __shared__ ColumnValues<Real, Width> scales;
  __shared__ ColumnValues<Real, Width> shifts;
  __shared__ ColumnValues<Real, Width> by_xs;
  const Real count = static_cast<Real>(at.planes * at.span);
  for (Columns<Width> part(at); part.more(); part.next()) {
    part.for_each([&](Index column, int i) {
      const Slope slope(column / at.span, weight, mean, rstd, sums, count);
      means.of(i) = slope.mean;
      scales.of(i) = slope.scale;
      shifts.of(i) = slope.shift;
      by_xs.of(i) = slope.by_x;
    });
    __syncthreads();
    Real middle[Width], scale[Width], shift[Width], by_x[Width];
#pragma unroll
    for (int k = 0; k < Width; ++k) {
      middle[k] = part.inside() ? means.own(k) : Real(0);
      scale[k] = part.inside() ? scales.own(k) : Real(0);
      shift[k] = part.inside() ? shifts.own(k) : Real(0);
      by_x[k] = part.inside() ? by_xs.own(k) : Real(0);
    }
    part.for_rows([&](Index, Index offset) {
      Real g[Width], value[Width];
      load_wide(grad + offset, g);
      load_wide(x + offset, value);
      store_part<Element, Width>(dx + offset, [&](int k) {
        return Slope(middle[k], scale[k], shift[k], by_x[k])(g[k], value[k]);
      });
    });
    __syncthreads();
  }
}
__global__ void __launch_bounds__(256) batch_norm_backward_columns(
    Channels at, const Element* grad, const Element* x, const void* weight, bool wide_weight, const void* mean,
    bool wide_mean, const void* rstd, bool wide_rstd, const Real* sums, Element* dx) {
  const Parameter<Element> w{weight, wide_weight}, m{mean, wide_mean}, r{rstd, wide_rstd};
  const Index run = at.channels * at.span;
  if (may_be_wide(run, grad) && may_be_wide(run, x) && may_be_wide(run, dx)) {
    backward_columns<kWide>(at, grad, x, w, m, r, sums, dx);
  } else {
    backward_columns<1>(at, grad, x, w, m, r, sums, dx);
  }
}
