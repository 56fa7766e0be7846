// Group normalisation of PYNEURAL_ELEMENT and its gradients: images of `groups` groups of `channels` channels of
// `span` elements. A group of an image is a contiguous row.
//
// A block holds a row in registers, so that each element is read once, and takes one group, blockIdx.y, of several
// images: their parameters lie in shared memory, and what the gradients of weight and bias need gathers in
// registers. Rows too long for that take the kernels at the end, moments.cu and norm.cu.
#include <pyneural/channels.cuh>
#include <pyneural/held_rows.cuh>
#include <pyneural/parameter.cuh>

using namespace pyneural;
using Element = PYNEURAL_ELEMENT;
using Real = Computed<Element>;

constexpr int kWide = 16 / sizeof(Element);
constexpr int kItems = sizeof(Element) == 8 ? 8 : 16;  // of a row a thread holds
constexpr int kMostThreads = 512;
constexpr int kMostChannels = 1024;  // of a group

struct Sizes {
  Index images, groups;
  int channels, span;
  __device__ __forceinline__ int row() const { return channels * span; }
};

// The channel of element i of a row that a block holds. In float: from the nearest whole quotient, i + 0.5 is further
// away, by 0.5 / span, than the rounding of a quotient below 2^14 / span reaches.
struct Channel {
  float inverse;
  __device__ __forceinline__ explicit Channel(const Sizes& sizes) : inverse(1.0f / static_cast<float>(sizes.span)) {}
  __device__ __forceinline__ int of(int i) const { return static_cast<int>((static_cast<float>(i) + 0.5f) * inverse); }
};

// Weight and bias of the block's group, or later sums of its channels.
struct Group {
  Real (&weight)[kMostChannels];
  Real (&bias)[kMostChannels];

  __device__ __forceinline__ void keep(
      const Sizes& sizes, const Parameter<Element>& weights, const Parameter<Element>& biases) {
    for (int c = threadIdx.x; c < sizes.channels; c += blockDim.x) {
      weight[c] = weights.at(Index(blockIdx.y) * sizes.channels + c, 1);
      bias[c] = biases.at(Index(blockIdx.y) * sizes.channels + c, 0);
    }
    __syncthreads();
  }
};

template <int Width>
__device__ __forceinline__ void groups_held(
    const Sizes& sizes, const Group& group, const Element* x, Element* y, Real* mean, Real* rstd, Real eps) {
  using Row = Held<Element, kItems, Width>;
  __shared__ Real shared[2][1][kWarp];
  BlockTeam<Real, 1> team(shared);
  const Channel channel(sizes);
  const int n = sizes.row();
  for (Index image = blockIdx.x; image < sizes.images; image += gridDim.x) {
    const Index row = image * sizes.groups + blockIdx.y;
    Row held;
    held.load(team, x + row * n, n);
    Real sum[1] = {0};
    Row::for_parts(team, n, [&](int j, int) {
#pragma unroll
      for (int k = 0; k < Width; ++k) sum[0] += held.at(j, k);
    });
    team.sum(sum);
    const Real middle = sum[0] / static_cast<Real>(n);
    Real squares[1] = {0};
    Row::for_parts(team, n, [&](int j, int) {
#pragma unroll
      for (int k = 0; k < Width; ++k) {
        const Real deviation = held.at(j, k) - middle;
        squares[0] += deviation * deviation;
      }
    });
    team.sum(squares);
    const Real scale = rsqrt(squares[0] / static_cast<Real>(n) + eps);
    if (threadIdx.x == 0) {
      mean[row] = middle;
      rstd[row] = scale;
    }
    Row::for_parts(team, n, [&](int j, int i) {
      const Real w = group.weight[channel.of(i)], b = group.bias[channel.of(i)];
      store_part<Element, Width>(y + row * n + i, [&](int k) { return (held.at(j, k) - middle) * scale * w + b; });
    });
  }
}
__global__ void __launch_bounds__(kMostThreads) group_norm_held(
    Sizes sizes, const Element* x, const void* weight, bool wide_weight, const void* bias, bool wide_bias, Element* y,
    Real* mean, Real* rstd, Real eps) {
  __shared__ Real weights[kMostChannels];
  __shared__ Real biases[kMostChannels];
  Group group{weights, biases};
  group.keep(sizes, {weight, wide_weight}, {bias, wide_bias});
  if (may_be_wide(sizes.span, x) && may_be_wide(sizes.span, y)) {
    groups_held<kWide>(sizes, group, x, y, mean, rstd, eps);
  } else {
    groups_held<1>(sizes, group, x, y, mean, rstd, eps);
  }
}

// The sums of a thread's parts into those of the group's channels, (kMostChannels), part after part.
template <int Width, int Parts>
__device__ __forceinline__ void to_channels(
    const Sizes& sizes, const Real (&value)[Parts], Real (&total)[kMostChannels]) {
  __shared__ Real entries[kMostThreads];
  const int lane = threadIdx.x % kWarp, warp = threadIdx.x / kWarp, warps = blockDim.x / kWarp;
  const int each = sizes.span / Width, threads = blockDim.x, count = sizes.row() / Width;
  for (int c = threadIdx.x; c < sizes.channels; c += threads) total[c] = 0;
#pragma unroll
  for (int j = 0; j < Parts; ++j) {
    const int start = j * threads, end = start + threads < count ? start + threads : count;
    entries[threadIdx.x] = value[j];
    __syncthreads();
    for (int c = start / each + warp; c * each < end; c += warps) {
      const int from = c * each > start ? c * each : start, to = (c + 1) * each < end ? (c + 1) * each : end;
      Real sum = 0;
      for (int i = from + lane; i < to; i += kWarp) sum += entries[i - start];
      sum = warp_reduce(sum, Plus{});
      if (lane == 0) total[c] += sum;
    }
    __syncthreads();
  }
}

template <int Width>
__device__ __forceinline__ void gradients_held(
    const Sizes& sizes, Group& group, const Element* grad, const Element* x, const Parameter<Element>& mean,
    const Parameter<Element>& rstd, Element* dx, Real* partial) {
  using Row = Held<Element, kItems, Width>;
  __shared__ Real shared[2][2][kWarp];
  BlockTeam<Real, 2> team(shared);
  const Channel channel(sizes);
  const int n = sizes.row();
  Real by_z[Row::kParts], plain[Row::kParts];
#pragma unroll
  for (int j = 0; j < Row::kParts; ++j) by_z[j] = plain[j] = 0;
  for (Index image = blockIdx.x; image < sizes.images; image += gridDim.x) {
    const Index row = image * sizes.groups + blockIdx.y;
    Row g, value;
    g.load(team, grad + row * n, n);
    value.load(team, x + row * n, n);
    const Real middle = mean.at(row, 0), scale = rstd.at(row, 1);
    Real sum[2] = {0, 0};
    Row::for_parts(team, n, [&](int j, int i) {
      const Real w = group.weight[channel.of(i)];
      Real part_by_z = 0, part = 0;
#pragma unroll
      for (int k = 0; k < Width; ++k) {
        part_by_z += g.at(j, k) * ((value.at(j, k) - middle) * scale);
        part += g.at(j, k);
      }
      by_z[j] += part_by_z;
      plain[j] += part;
      sum[0] += w * part_by_z;
      sum[1] += w * part;
    });
    team.sum(sum);
    const Real average_by_z = sum[0] / static_cast<Real>(n), average = sum[1] / static_cast<Real>(n);
    Row::for_parts(team, n, [&](int j, int i) {
      const Real w = group.weight[channel.of(i)];
      store_part<Element, Width>(dx + row * n + i, [&](int k) {
        const Real z = (value.at(j, k) - middle) * scale;
        return scale * (g.at(j, k) * w - average - z * average_by_z);
      });
    });
  }
  __syncthreads();  // the weights have been read; their memory is taken for the sums
  to_channels<Width>(sizes, by_z, group.weight);
  to_channels<Width>(sizes, plain, group.bias);
  const Index channels = sizes.groups * sizes.channels;
  for (int c = threadIdx.x; c < sizes.channels; c += blockDim.x) {
    const Index at = Index(blockIdx.x) * 2 * channels + Index(blockIdx.y) * sizes.channels + c;
    partial[at] = group.weight[c];
    partial[at + channels] = group.bias[c];
  }
}
// partial: (gridDim.x, 2, groups, channels).
__global__ void __launch_bounds__(kMostThreads) group_norm_backward_held(
    Sizes sizes, const Element* grad, const Element* x, const void* weight, bool wide_weight, const void* mean,
    bool wide_mean, const void* rstd, bool wide_rstd, Element* dx, Real* partial) {
  __shared__ Real weights[kMostChannels];
  __shared__ Real biases[kMostChannels];
  Group group{weights, biases};
  group.keep(sizes, {weight, wide_weight}, {nullptr, false});
  const Parameter<Element> m{mean, wide_mean}, r{rstd, wide_rstd};
  if (may_be_wide(sizes.span, grad) && may_be_wide(sizes.span, x) && may_be_wide(sizes.span, dx)) {
    gradients_held<kWide>(sizes, group, grad, x, m, r, dx, partial);
  } else {
    gradients_held<1>(sizes, group, grad, x, m, r, dx, partial);
  }
}

// Long rows. sums: those of norm.cu of each plane, (images, groups, channels, pieces, 2); averages: of each group of
// an image, of grad * weight * z and of grad * weight. A warp a row.
__global__ void __launch_bounds__(256) group_averages(
    Sizes sizes, const Real* sums, const void* weight, bool wide_weight, Real* averages, Index pieces) {
  const Index row = thread_of_grid() / kWarp;
  if (row >= sizes.images * sizes.groups) return;
  const Parameter<Element> w{weight, wide_weight};
  const Index group = row % sizes.groups;
  Real by_z = 0, plain = 0;
  for (Index i = threadIdx.x % kWarp; i < sizes.channels * pieces; i += kWarp) {
    const Real own = w.at(group * sizes.channels + i / pieces, 1);
    by_z += own * sums[(row * sizes.channels * pieces + i) * 2];
    plain += own * sums[(row * sizes.channels * pieces + i) * 2 + 1];
  }
  by_z = warp_reduce(by_z, Plus{});
  plain = warp_reduce(plain, Plus{});
  if (threadIdx.x % kWarp != 0) return;
  const Real count = static_cast<Real>(sizes.channels) * static_cast<Real>(sizes.span);
  averages[row * 2] = by_z / count;
  averages[row * 2 + 1] = plain / count;
}

// The same sums over the images. A warp a channel.
__global__ void __launch_bounds__(256) group_parameters(
    Sizes sizes, const Real* sums, void* dweight, void* dbias, bool wide, Index pieces) {
  const Index channels = sizes.groups * sizes.channels, channel = thread_of_grid() / kWarp;
  if (channel >= channels) return;
  Real by_z = 0, plain = 0;
  for (Index i = threadIdx.x % kWarp; i < sizes.images * pieces; i += kWarp) {
    const Index image = i / pieces, at = ((image * channels + channel) * pieces + i - image * pieces) * 2;
    by_z += sums[at];
    plain += sums[at + 1];
  }
  by_z = warp_reduce(by_z, Plus{});
  plain = warp_reduce(plain, Plus{});
  if (threadIdx.x % kWarp != 0) return;
  if (wide) {
    static_cast<Real*>(dweight)[channel] = by_z;
    static_cast<Real*>(dbias)[channel] = plain;
  } else {
    static_cast<Element*>(dweight)[channel] = narrow<Element>(by_z);
    static_cast<Element*>(dbias)[channel] = narrow<Element>(plain);
  }
}

template <int Width>
__device__ __forceinline__ void backward_planes(
    const Channels& at, const Element* grad, const Element* x, Real weight, Real mean, Real rstd, Real average_by_z,
    Real average, Element* dx) {
  for_planes<Width>(at, [&](Index, Index offset) {
    Real g[Width], value[Width];
    load_wide(grad + offset, g);
    load_wide(x + offset, value);
    store_part<Element, Width>(dx + offset, [&](int k) {
      return rstd * (g[k] * weight - average - (value[k] - mean) * rstd * average_by_z);
    });
  });
}
// `at` counts the channels of all images as those of one.
__global__ void __launch_bounds__(256) group_norm_backward_planes(
    Channels at, Sizes sizes, const Element* grad, const Element* x, const void* weight, bool wide_weight,
    const void* mean, bool wide_mean, const void* rstd, bool wide_rstd, const Real* averages, Element* dx) {
  const Parameter<Element> w{weight, wide_weight}, m{mean, wide_mean}, r{rstd, wide_rstd};
  const Index row = blockIdx.x / sizes.channels;
  const Real own = w.at(blockIdx.x % (sizes.groups * sizes.channels), 1), middle = m.at(row, 0), scale = r.at(row, 1);
  const Real average_by_z = averages[row * 2], average = averages[row * 2 + 1];
  if (may_be_wide(at.span, grad) && may_be_wide(at.span, x) && may_be_wide(at.span, dx)) {
    backward_planes<kWide>(at, grad, x, own, middle, scale, average_by_z, average, dx);
  } else {
    backward_planes<1>(at, grad, x, own, middle, scale, average_by_z, average, dx);
  }
}
