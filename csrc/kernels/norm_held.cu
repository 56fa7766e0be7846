// Batch normalisation where a block holds a whole channel of an array (planes, channels, span) of PYNEURAL_ELEMENT in
// registers: statistics and result, or both gradients, of elements read once. Larger channels take moments.cu and
// norm.cu.
#include <pyneural/channels.cuh>
#include <pyneural/held_rows.cuh>
#include <pyneural/parameter.cuh>

using namespace pyneural;
using Element = PYNEURAL_ELEMENT;
using Real = Computed<Element>;

constexpr int kWide = 16 / sizeof(Element);
constexpr int kItems = sizeof(Element) == 8 ? 8 : 16;  // of a channel a thread holds
constexpr int kMostThreads = 512;

// Where element i of channel blockIdx.x lies, counted plane after plane. The plane is found in float: from the nearest
// whole quotient, i + 0.5 is further away, by 0.5 / span, than the rounding of a quotient below 2^14 / span reaches.
struct Channel {
  Index channels;
  int span, count;
  float inverse;

  __device__ __forceinline__ explicit Channel(const Channels& at)
      : channels(at.channels), span(static_cast<int>(at.span)), count(static_cast<int>(at.planes * at.span)),
        inverse(1.0f / static_cast<float>(at.span)) {}
  __device__ __forceinline__ Index offset(int i) const {
    const int plane = static_cast<int>((static_cast<float>(i) + 0.5f) * inverse);
    return (plane * channels + blockIdx.x) * span + (i - plane * span);
  }
};

template <int Width, typename Team>
__device__ __forceinline__ void load(
    Held<Element, kItems, Width>& held, const Team& team, const Channel& channel, const Element* x) {
  held.for_parts(team, channel.count, [&](int j, int i) {
    held.part[j] = *reinterpret_cast<const Vector<Element, Width>*>(x + channel.offset(i));
  });
}

template <int Width>
__device__ __forceinline__ void normalize_held(
    const Channel& channel, const Element* x, const Parameter<Element>& weight, const Parameter<Element>& bias,
    Element* y, Real* mean, Real* rstd, Real eps) {
  using Row = Held<Element, kItems, Width>;
  __shared__ Real shared[2][1][kWarp];
  BlockTeam<Real, 1> team(shared);
  Row held;
  load(held, team, channel, x);
  Real sum[1] = {0};
  Row::for_parts(team, channel.count, [&](int j, int) {
#pragma unroll
    for (int k = 0; k < Width; ++k) sum[0] += held.at(j, k);
  });
  team.sum(sum);
  const Real middle = sum[0] / static_cast<Real>(channel.count);
  Real squares[1] = {0};
  Row::for_parts(team, channel.count, [&](int j, int) {
#pragma unroll
    for (int k = 0; k < Width; ++k) squares[0] += (held.at(j, k) - middle) * (held.at(j, k) - middle);
  });
  team.sum(squares);
  const Real spread = rsqrt(squares[0] / static_cast<Real>(channel.count) + eps);
  if (threadIdx.x == 0) {
    mean[blockIdx.x] = middle;
    rstd[blockIdx.x] = spread;
  }
  const Real scale = spread * weight.at(blockIdx.x, 1), shift = bias.at(blockIdx.x, 0);
  Row::for_parts(team, channel.count, [&](int j, int i) {
    store_part<Element, Width>(y + channel.offset(i), [&](int k) { return (held.at(j, k) - middle) * scale + shift; });
  });
}
__global__ void __launch_bounds__(kMostThreads) batch_norm_held(
    Channels at, const Element* x, const void* weight, bool wide_weight, const void* bias, bool wide_bias, Element* y,
    Real* mean, Real* rstd, Real eps) {
  const Parameter<Element> w{weight, wide_weight}, b{bias, wide_bias};
  if (may_be_wide(at.span, x) && may_be_wide(at.span, y)) {
    normalize_held<kWide>(Channel(at), x, w, b, y, mean, rstd, eps);
  } else {
    normalize_held<1>(Channel(at), x, w, b, y, mean, rstd, eps);
  }
}

// A result of either type.
__device__ __forceinline__ void store_result(void* to, bool wide, Real value) {
  if (wide) {
    static_cast<Real*>(to)[blockIdx.x] = value;
  } else {
    static_cast<Element*>(to)[blockIdx.x] = narrow<Element>(value);
  }
}

template <int Width>
__device__ __forceinline__ void gradients_held(
    const Channel& channel, const Element* grad, const Element* x, Real weight, Real mean, Real rstd, Element* dx,
    void* dweight, void* dbias, bool wide) {
  using Row = Held<Element, kItems, Width>;
  __shared__ Real shared[2][2][kWarp];
  BlockTeam<Real, 2> team(shared);
  Row g, value;
  load(g, team, channel, grad);
  load(value, team, channel, x);
  Real sum[2] = {0, 0};
  Row::for_parts(team, channel.count, [&](int j, int) {
#pragma unroll
    for (int k = 0; k < Width; ++k) {
      sum[0] += g.at(j, k) * ((value.at(j, k) - mean) * rstd);
      sum[1] += g.at(j, k);
    }
  });
  team.sum(sum);
  if (threadIdx.x == 0) {
    store_result(dweight, wide, sum[0]);
    store_result(dbias, wide, sum[1]);
  }
  const Real scale = rstd * weight, average = sum[1] / static_cast<Real>(channel.count);
  const Real average_by_z = sum[0] / static_cast<Real>(channel.count);
  Row::for_parts(team, channel.count, [&](int j, int i) {
    store_part<Element, Width>(dx + channel.offset(i), [&](int k) {
      return scale * (g.at(j, k) - average - (value.at(j, k) - mean) * rstd * average_by_z);
    });
  });
}
__global__ void __launch_bounds__(kMostThreads) batch_norm_backward_held(
    Channels at, const Element* grad, const Element* x, const void* weight, bool wide_weight, const void* mean,
    bool wide_mean, const void* rstd, bool wide_rstd, Element* dx, void* dweight, void* dbias, bool wide) {
  const Real w = Parameter<Element>{weight, wide_weight}.at(blockIdx.x, 1);
  const Real m = Parameter<Element>{mean, wide_mean}.at(blockIdx.x, 0);
  const Real r = Parameter<Element>{rstd, wide_rstd}.at(blockIdx.x, 1);
  if (may_be_wide(at.span, grad) && may_be_wide(at.span, x) && may_be_wide(at.span, dx)) {
    gradients_held<kWide>(Channel(at), grad, x, w, m, r, dx, dweight, dbias, wide);
  } else {
    gradients_held<1>(Channel(at), grad, x, w, m, r, dx, dweight, dbias, wide);
  }
}
