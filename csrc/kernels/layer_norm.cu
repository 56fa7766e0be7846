// Layer normalisation of contiguous rows of PYNEURAL_ELEMENT, and its uncentred form.
//
// A warp or a block holds a row in registers: the mean, then the squared deviations from it, then the result, of
// elements read once. Rows too long for that are read again by `normalize_long`, after moments.cu.
#include <pyneural/held_rows.cuh>
#include <pyneural/parameter.cuh>

using namespace pyneural;
using Element = PYNEURAL_ELEMENT;
using Real = Computed<Element>;

constexpr int kWide = 16 / sizeof(Element);
constexpr int kItems = sizeof(Element) == 8 ? 8 : 16;  // of a row a thread holds

// Weight and bias, as a team finds those of part j of its row, which begins at element i: read for each row, kept in
// registers for all rows of the team, or in shared memory for all warps of a block.
struct Reloaded {
  const Parameter<Element>&weight, &bias;
  template <int Width>
  __device__ __forceinline__ void load(int, int i, Real (&w)[Width], Real (&b)[Width]) const {
    weight.load(i, w, Real(1));
    bias.load(i, b, Real(0));
  }
};
struct InRegisters {
  Real weight[kItems], bias[kItems];

  template <int Width, typename Team>
  __device__ __forceinline__ void keep(
      const Team& team, const Parameter<Element>& weights, const Parameter<Element>& biases, int n) {
#pragma unroll
    for (int k = 0; k < kItems; ++k) weight[k] = bias[k] = 0;
    Held<Element, kItems, Width>::for_parts(team, n, [&](int j, int i) {
      Real w[Width], b[Width];
      Reloaded{weights, biases}.load(j, i, w, b);
#pragma unroll
      for (int k = 0; k < Width; ++k) {
        weight[j * Width + k] = w[k];
        bias[j * Width + k] = b[k];
      }
    });
  }
  template <int Width>
  __device__ __forceinline__ void load(int j, int, Real (&w)[Width], Real (&b)[Width]) const {
#pragma unroll
    for (int k = 0; k < Width; ++k) {
      w[k] = weight[j * Width + k];
      b[k] = bias[j * Width + k];
    }
  }
};
struct InShared {
  Real (*weight)[kWarp], (*bias)[kWarp];

  template <int Width>
  __device__ __forceinline__ void keep(const Parameter<Element>& weights, const Parameter<Element>& biases, int n) {
    const int lane = threadIdx.x % kWarp;
    for (int j = threadIdx.x / kWarp; j < kItems / Width; j += blockDim.x / kWarp) {
      const int i = (j * kWarp + lane) * Width;
      if (i >= n) continue;
      Real w[Width], b[Width];
      Reloaded{weights, biases}.load(j, i, w, b);
#pragma unroll
      for (int k = 0; k < Width; ++k) {
        weight[j * Width + k][lane] = w[k];
        bias[j * Width + k][lane] = b[k];
      }
    }
    __syncthreads();
  }
  template <int Width>
  __device__ __forceinline__ void load(int j, int, Real (&w)[Width], Real (&b)[Width]) const {
#pragma unroll
    for (int k = 0; k < Width; ++k) {
      w[k] = weight[j * Width + k][threadIdx.x % kWarp];
      b[k] = bias[j * Width + k][threadIdx.x % kWarp];
    }
  }
};

template <bool Centred, int Width, typename Team, typename Parameters>
__device__ __forceinline__ void rows_held(
    Team team, const Element* x, const Parameters& parameters, Element* y, Real* mean, Real* rstd, Index rows, int n,
    Real eps) {
  using Row = Held<Element, kItems, Width>;
  for (Index row = team.first(); row < rows; row += team.step()) {
    Row held;
    held.load(team, x + row * n, n);
    Real middle = 0;
    if (Centred) {
      Real sum[1] = {0};
      Row::for_parts(team, n, [&](int j, int) {
#pragma unroll
        for (int k = 0; k < Width; ++k) sum[0] += held.at(j, k);
      });
      team.sum(sum);
      middle = sum[0] / static_cast<Real>(n);
    }
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
    if (team.rank() == 0) {
      if (Centred) mean[row] = middle;
      rstd[row] = scale;
    }
    Row::for_parts(team, n, [&](int j, int i) {
      Real w[Width], b[Width];
      parameters.load(j, i, w, b);
      store_part<Element, Width>(y + row * n + i, [&](int k) {
        const Real scaled = (held.at(j, k) - middle) * scale * w[k];
        return Centred ? scaled + b[k] : scaled;
      });
    });
  }
}

__device__ __forceinline__ bool all_wide(
    Index n, const Element* x, const Element* y, const Parameter<Element>& weight, const Parameter<Element>& bias) {
  return n % kWide == 0 && is_aligned<kWide>(x) && is_aligned<kWide>(y) && weight.aligned() && bias.aligned();
}

template <bool Centred>
__device__ __forceinline__ void by_warp(
    const Element* x, const Parameter<Element>& weight, const Parameter<Element>& bias, Element* y, Real* mean,
    Real* rstd, Index rows, int n, Real eps) {
  __shared__ Real weights[kItems][kWarp];
  __shared__ Real biases[kItems][kWarp];
  InShared kept{weights, biases};
  const WarpTeam<Real, 1> team;
  if (all_wide(n, x, y, weight, bias)) {
    kept.keep<kWide>(weight, bias, n);
    rows_held<Centred, kWide>(team, x, kept, y, mean, rstd, rows, n, eps);
  } else {
    kept.keep<1>(weight, bias, n);
    rows_held<Centred, 1>(team, x, kept, y, mean, rstd, rows, n, eps);
  }
}
template <bool Centred>
__device__ __forceinline__ void by_block(
    const Element* x, const Parameter<Element>& weight, const Parameter<Element>& bias, Element* y, Real* mean,
    Real* rstd, Index rows, int n, Real eps) {
  __shared__ Real shared[2][1][kWarp];
  const BlockTeam<Real, 1> team(shared);
  InRegisters kept;
  if (all_wide(n, x, y, weight, bias)) {
    kept.keep<kWide>(team, weight, bias, n);
    rows_held<Centred, kWide>(team, x, kept, y, mean, rstd, rows, n, eps);
  } else {
    kept.keep<1>(team, weight, bias, n);
    rows_held<Centred, 1>(team, x, kept, y, mean, rstd, rows, n, eps);
  }
}
// With more threads each has too few registers to keep the parameters as well.
template <bool Centred>
__device__ __forceinline__ void by_large_block(
    const Element* x, const Parameter<Element>& weight, const Parameter<Element>& bias, Element* y, Real* mean,
    Real* rstd, Index rows, int n, Real eps) {
  __shared__ Real shared[2][1][kWarp];
  const BlockTeam<Real, 1> team(shared);
  if (all_wide(n, x, y, weight, bias)) {
    rows_held<Centred, kWide>(team, x, Reloaded{weight, bias}, y, mean, rstd, rows, n, eps);
  } else {
    rows_held<Centred, 1>(team, x, Reloaded{weight, bias}, y, mean, rstd, rows, n, eps);
  }
}

__global__ void __launch_bounds__(256) layer_norm_warp(
    const Element* x, const void* weight, bool wide_weight, const void* bias, bool wide_bias, Element* y, Real* mean,
    Real* rstd, Index rows, int n, Real eps) {
  by_warp<true>(x, {weight, wide_weight}, {bias, wide_bias}, y, mean, rstd, rows, n, eps);
}
__global__ void __launch_bounds__(512) layer_norm_block(
    const Element* x, const void* weight, bool wide_weight, const void* bias, bool wide_bias, Element* y, Real* mean,
    Real* rstd, Index rows, int n, Real eps) {
  by_block<true>(x, {weight, wide_weight}, {bias, wide_bias}, y, mean, rstd, rows, n, eps);
}
__global__ void __launch_bounds__(1024) layer_norm_large_block(
    const Element* x, const void* weight, bool wide_weight, const void* bias, bool wide_bias, Element* y, Real* mean,
    Real* rstd, Index rows, int n, Real eps) {
  by_large_block<true>(x, {weight, wide_weight}, {bias, wide_bias}, y, mean, rstd, rows, n, eps);
}
__global__ void __launch_bounds__(256) rms_norm_warp(
    const Element* x, const void* weight, bool wide_weight, Element* y, Real* rstd, Index rows, int n, Real eps) {
  by_warp<false>(x, {weight, wide_weight}, {nullptr, false}, y, nullptr, rstd, rows, n, eps);
}
__global__ void __launch_bounds__(512) rms_norm_block(
    const Element* x, const void* weight, bool wide_weight, Element* y, Real* rstd, Index rows, int n, Real eps) {
  by_block<false>(x, {weight, wide_weight}, {nullptr, false}, y, nullptr, rstd, rows, n, eps);
}
__global__ void __launch_bounds__(1024) rms_norm_large_block(
    const Element* x, const void* weight, bool wide_weight, Element* y, Real* rstd, Index rows, int n, Real eps) {
  by_large_block<false>(x, {weight, wide_weight}, {nullptr, false}, y, nullptr, rstd, rows, n, eps);
}

// y from statistics that are known (`mean` null: uncentred): a block takes a strip of the columns, whose parameters
// its threads keep, of `each` rows; blockIdx.y says which.
template <int Width>
__device__ __forceinline__ void normalize_strip(
    const Element* x, const Parameter<Element>& weight, const Parameter<Element>& bias, Element* y, const Real* mean,
    const Real* rstd, Index rows, Index n, Index each) {
  using Row = Held<Element, kItems, Width>;
  __shared__ Real unused[2][1][kWarp];
  const BlockTeam<Real, 1> team(unused);
  const Index most = Index(blockDim.x) * kItems, start = blockIdx.x * most;
  const int count = static_cast<int>(n - start < most ? n - start : most);
  const Index first = blockIdx.y * each, last = first + each < rows ? first + each : rows;
  InRegisters kept;
  kept.keep<Width>(team, weight.from(start), bias.from(start), count);
  for (Index row = first; row < last; ++row) {
    const Real middle = mean == nullptr ? Real(0) : mean[row], scale = rstd[row];
    Row held;
    held.load(team, x + row * n + start, count);
    Row::for_parts(team, count, [&](int j, int i) {
      Real w[Width], b[Width];
      kept.load(j, i, w, b);
      store_part<Element, Width>(y + row * n + start + i, [&](int k) {
        return (held.at(j, k) - middle) * scale * w[k] + b[k];
      });
    });
  }
}
__global__ void __launch_bounds__(256) normalize_long(
    const Element* x, const void* weight, bool wide_weight, const void* bias, bool wide_bias, Element* y,
    const Real* mean, const Real* rstd, Index rows, Index n, Index each) {
  const Parameter<Element> w{weight, wide_weight}, b{bias, wide_bias};
  if (all_wide(n, x, y, w, b)) {
    normalize_strip<kWide>(x, w, b, y, mean, rstd, rows, n, each);
  } else {
    normalize_strip<1>(x, w, b, y, mean, rstd, rows, n, each);
  }
}
