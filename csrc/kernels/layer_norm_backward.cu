// The gradients of layer normalisation, and of its uncentred form, for contiguous rows of PYNEURAL_ELEMENT.
//
// A warp or a block holds a row of grad and x in registers, so that each is read once (see kHeld), and takes many
// rows: what the gradients of weight and bias need of them gathers in registers as well, a block writes one partial
// row of it, and `parameters_final` sums those. Rows too long for registers are read twice, by `row_sums` and
// `backward_long`.
#include <pyneural/held_rows.cuh>
#include <pyneural/parameter.cuh>

using namespace pyneural;
using Element = PYNEURAL_ELEMENT;
using Real = Computed<Element>;

constexpr int kWide = 16 / sizeof(Element);
constexpr int kItems = sizeof(Element) == 8 ? 8 : 16;  // of a row a thread holds
constexpr int kStripItems = kItems / 2;                // of a long row a thread holds
constexpr int kMostThreads = 512;                      // of a block that holds a row
constexpr int kWarps = 8;                              // of a block whose warps hold rows
constexpr int kColumns = 32, kParts = 8;               // threads of a block of `parameters_final`

// dx of a row.
template <bool Centred> struct alignas(16) Gradient {
  Real mean, rstd, average, average_by_z;

  __device__ __forceinline__ Real normalized(Real x) const { return (Centred ? x - mean : x) * rstd; }
  __device__ __forceinline__ Real of(Real weighted, Real x) const {
    const Real inner = Centred ? weighted - average : weighted;
    return rstd * (inner - normalized(x) * average_by_z);
  }
};

template <bool Centred, int Width, int Items> struct Rows {
  using Row = Held<Element, Items, Width>;
  // Rows that no 16 bytes fit cost an address an element: those are read twice, for the registers do not suffice.
  static constexpr bool kHeld = Width != 1;
  Real weight[Items], dweight[Items], dbias[Centred ? Items : 1];

  template <typename Team>
  __device__ __forceinline__ void start(const Team& team, const Parameter<Element>& weights, int n) {
#pragma unroll
    for (int k = 0; k < Items; ++k) {
      weight[k] = dweight[k] = 0;
      if (Centred) dbias[k] = 0;
    }
    Row::for_parts(team, n, [&](int j, int i) {
      Real some[Width];
      weights.load(i, some, Real(1));
#pragma unroll
      for (int k = 0; k < Width; ++k) weight[j * Width + k] = some[k];
    });
  }
  template <typename Team>
  __device__ __forceinline__ void take(
      Team& team, const Element* grad, const Element* x, const Parameter<Element>& weights,
      const Parameter<Element>& mean, const Parameter<Element>& rstd, Element* dx, Index row, int n) {
    Row g, value;
    if constexpr (kHeld) {
      g.load(team, grad + row * n, n);
      value.load(team, x + row * n, n);
    }
    const auto grad_at = [&](int j, int i, int k) { return kHeld ? g.at(j, k) : widen(grad[row * n + i]); };
    const auto x_at = [&](int j, int i, int k) { return kHeld ? value.at(j, k) : widen(x[row * n + i]); };
    const auto weight_at = [&](int j, int i, int k) { return kHeld ? weight[j * Width + k] : weights.at(i, 1); };
    Gradient<Centred> gradient{Centred ? mean.at(row, 0) : Real(0), rstd.at(row, 1), 0, 0};
    Real sum[2] = {0, 0};
    Row::for_parts(team, n, [&](int j, int i) {
#pragma unroll
      for (int k = 0; k < Width; ++k) {
        const int at = j * Width + k;
        const Real own = grad_at(j, i, k), z = gradient.normalized(x_at(j, i, k)), weighted = own * weight_at(j, i, k);
        sum[0] += weighted * z;
        sum[1] += weighted;
        dweight[at] += own * z;
        if (Centred) dbias[at] += own;
      }
    });
    team.sum(sum);
    gradient.average_by_z = sum[0] / static_cast<Real>(n);
    gradient.average = sum[1] / static_cast<Real>(n);
    Row::for_parts(team, n, [&](int j, int i) {
      store_part<Element, Width>(dx + row * n + i, [&](int k) {
        return gradient.of(grad_at(j, i, k) * weight_at(j, i, k), x_at(j, i, k));
      });
    });
  }
  // A part of a row whose sums are known.
  template <typename Team>
  __device__ __forceinline__ void apply(
      const Team& team, const Element* grad, const Element* x, const Parameter<Element>& weights,
      const Gradient<Centred>& gradient, Element* dx, int n) {
    Row g, value;
    if constexpr (kHeld) {
      g.load(team, grad, n);
      value.load(team, x, n);
    }
    Row::for_parts(team, n, [&](int j, int i) {
      Real result[Width];
#pragma unroll
      for (int k = 0; k < Width; ++k) {
        const Real own = kHeld ? g.at(j, k) : widen(grad[i]), from = kHeld ? value.at(j, k) : widen(x[i]);
        const Real w = kHeld ? weight[j * Width + k] : weights.at(i, 1);
        dweight[j * Width + k] += own * gradient.normalized(from);
        if (Centred) dbias[j * Width + k] += own;
        result[k] = gradient.of(own * w, from);
      }
      store_part<Element, Width>(dx + i, [&](int k) { return result[k]; });
    });
  }
  // This team's sums into row `at` of the partial results.
  template <typename Team>
  __device__ __forceinline__ void store(const Team& team, Real* by_weight, Real* by_bias, Index at, int n) const {
    Row::for_parts(team, n, [&](int j, int i) {
      Real some[Width];
#pragma unroll
      for (int k = 0; k < Width; ++k) some[k] = dweight[j * Width + k];
      store_wide<Width>(by_weight + at * n + i, some);
      if constexpr (Centred) {
#pragma unroll
        for (int k = 0; k < Width; ++k) some[k] = dbias[j * Width + k];
        store_wide<Width>(by_bias + at * n + i, some);
      }
    });
  }
};

// The sums of all warps of a block, in its first one. `shared` has room for half of them.
template <int Count> __device__ __forceinline__ void to_first_warp(Real (&value)[Count], Real (*shared)[Count][kWarp]) {
  const int lane = threadIdx.x % kWarp, warp = threadIdx.x / kWarp;
#pragma unroll
  for (int half = kWarps / 2; half > 0; half /= 2) {
    if (warp >= half && warp < 2 * half) {
#pragma unroll
      for (int k = 0; k < Count; ++k) shared[warp - half][k][lane] = value[k];
    }
    __syncthreads();
    if (warp < half) {
#pragma unroll
      for (int k = 0; k < Count; ++k) value[k] += shared[warp][k][lane];
    }
    __syncthreads();
  }
}

template <bool Centred, int Width>
__device__ __forceinline__ void backward_by_warp(
    const Element* grad, const Element* x, const Parameter<Element>& weight, const Parameter<Element>& mean,
    const Parameter<Element>& rstd, Element* dx, Real* by_weight, Real* by_bias, Index rows, int n) {
  __shared__ Real shared[kWarps / 2][kItems][kWarp];
  WarpTeam<Real, 2> team;
  Rows<Centred, Width, kItems> own;
  own.start(team, weight, n);
  for (Index row = team.first(); row < rows; row += team.step()) {
    own.take(team, grad, x, weight, mean, rstd, dx, row, n);
  }
  to_first_warp(own.dweight, shared);
  if constexpr (Centred) to_first_warp(own.dbias, shared);
  if (threadIdx.x < kWarp) own.store(team, by_weight, by_bias, blockIdx.x, n);
}

template <bool Centred, int Width>
__device__ __forceinline__ void backward_by_block(
    const Element* grad, const Element* x, const Parameter<Element>& weight, const Parameter<Element>& mean,
    const Parameter<Element>& rstd, Element* dx, Real* by_weight, Real* by_bias, Index rows, int n) {
  __shared__ Real shared[2][2][kWarp];
  BlockTeam<Real, 2> team(shared);
  Rows<Centred, Width, kItems> own;
  own.start(team, weight, n);
  for (Index row = team.first(); row < rows; row += team.step()) {
    own.take(team, grad, x, weight, mean, rstd, dx, row, n);
  }
  own.store(team, by_weight, by_bias, blockIdx.x, n);
}

__device__ __forceinline__ bool all_wide(
    Index n, const Element* a, const Element* b, const Element* c, const Parameter<Element>& weight) {
  return n % kWide == 0 && is_aligned<kWide>(a) && is_aligned<kWide>(b) && is_aligned<kWide>(c) && weight.aligned();
}

// by_weight, by_bias: (gridDim.x, n).
__global__ void __launch_bounds__(kWarps * kWarp) layer_norm_backward_warp(
    const Element* grad, const Element* x, const void* weight, bool wide_weight, const void* mean, bool wide_mean,
    const void* rstd, bool wide_rstd, Element* dx, Real* by_weight, Real* by_bias, Index rows, int n) {
  const Parameter<Element> w{weight, wide_weight}, m{mean, wide_mean}, r{rstd, wide_rstd};
  if (all_wide(n, grad, x, dx, w)) {
    backward_by_warp<true, kWide>(grad, x, w, m, r, dx, by_weight, by_bias, rows, n);
  } else {
    backward_by_warp<true, 1>(grad, x, w, m, r, dx, by_weight, by_bias, rows, n);
  }
}
__global__ void __launch_bounds__(kMostThreads) layer_norm_backward_block(
    const Element* grad, const Element* x, const void* weight, bool wide_weight, const void* mean, bool wide_mean,
    const void* rstd, bool wide_rstd, Element* dx, Real* by_weight, Real* by_bias, Index rows, int n) {
  const Parameter<Element> w{weight, wide_weight}, m{mean, wide_mean}, r{rstd, wide_rstd};
  if (all_wide(n, grad, x, dx, w)) {
    backward_by_block<true, kWide>(grad, x, w, m, r, dx, by_weight, by_bias, rows, n);
  } else {
    backward_by_block<true, 1>(grad, x, w, m, r, dx, by_weight, by_bias, rows, n);
  }
}
__global__ void __launch_bounds__(kWarps * kWarp) rms_norm_backward_warp(
    const Element* grad, const Element* x, const void* weight, bool wide_weight, const void* rstd, bool wide_rstd,
    Element* dx, Real* by_weight, Index rows, int n) {
  const Parameter<Element> w{weight, wide_weight}, r{rstd, wide_rstd};
  if (all_wide(n, grad, x, dx, w)) {
    backward_by_warp<false, kWide>(grad, x, w, r, r, dx, by_weight, nullptr, rows, n);
  } else {
    backward_by_warp<false, 1>(grad, x, w, r, r, dx, by_weight, nullptr, rows, n);
  }
}
__global__ void __launch_bounds__(kMostThreads) rms_norm_backward_block(
    const Element* grad, const Element* x, const void* weight, bool wide_weight, const void* rstd, bool wide_rstd,
    Element* dx, Real* by_weight, Index rows, int n) {
  const Parameter<Element> w{weight, wide_weight}, r{rstd, wide_rstd};
  if (all_wide(n, grad, x, dx, w)) {
    backward_by_block<false, kWide>(grad, x, w, r, r, dx, by_weight, nullptr, rows, n);
  } else {
    backward_by_block<false, 1>(grad, x, w, r, r, dx, by_weight, nullptr, rows, n);
  }
}

// A result of either type.
__device__ __forceinline__ void store_result(void* to, bool wide, Index i, Real value) {
  if (wide) {
    static_cast<Real*>(to)[i] = value;
  } else {
    static_cast<Element*>(to)[i] = narrow<Element>(value);
  }
}

// A block of (kColumns, kParts) threads for kColumns columns of the partial rows; blockIdx.y: weight or bias.
__global__ void __launch_bounds__(kColumns * kParts) parameters_final(
    const Real* by_weight, const Real* by_bias, void* dweight, void* dbias, bool wide, Index parts, Index n) {
  __shared__ Real shared[kParts][kColumns];
  const Index column = Index(blockIdx.x) * kColumns + threadIdx.x;
  const Real* const from = blockIdx.y == 0 ? by_weight : by_bias;
  Real sum = 0;
  if (column < n) {
    for (Index part = threadIdx.y; part < parts; part += kParts) sum += from[part * n + column];
  }
  shared[threadIdx.y][threadIdx.x] = sum;
  __syncthreads();
  if (threadIdx.y != 0 || column >= n) return;
#pragma unroll
  for (int k = 1; k < kParts; ++k) sum += shared[k][threadIdx.x];
  store_result(blockIdx.y == 0 ? dweight : dbias, wide, column, sum);
}

// The sums of a piece of a long row, blockIdx.y: of grad * weight * z, and of grad * weight. sums: (rows, 2, pieces).
template <bool Centred, int Width>
__device__ __forceinline__ void sums_of_piece(
    const Element* grad, const Element* x, const Parameter<Element>& weight, const Gradient<Centred>& gradient,
    Index begin, Index end, Real (&sum)[2]) {
  for (Index i = begin + threadIdx.x * Width; i < end; i += Index(blockDim.x) * Width) {
    Real g[Width], value[Width], w[Width];
    load_wide(grad + i, g);
    load_wide(x + i, value);
    weight.load(i, w, Real(1));
#pragma unroll
    for (int k = 0; k < Width; ++k) {
      const Real weighted = g[k] * w[k];
      sum[0] += weighted * gradient.normalized(value[k]);
      sum[1] += weighted;
    }
  }
}
template <bool Centred>
__device__ __forceinline__ void sums_of_rows(
    const Element* grad, const Element* x, const Parameter<Element>& weight, const Parameter<Element>& mean,
    const Parameter<Element>& rstd, Real* sums, Index rows, Index n, Index each) {
  __shared__ Real shared[2][2][kWarp];
  BlockTeam<Real, 2> team(shared);
  const bool wide = all_wide(n, grad, x, grad, weight);
  const Index begin = blockIdx.y * each, end = begin + each < n ? begin + each : n;
  for (Index row = blockIdx.x; row < rows; row += gridDim.x) {
    const Gradient<Centred> gradient{Centred ? mean.at(row, 0) : Real(0), rstd.at(row, 1), 0, 0};
    Real sum[2] = {0, 0};
    if (wide) {
      sums_of_piece<Centred, kWide>(grad + row * n, x + row * n, weight, gradient, begin, end, sum);
    } else {
      sums_of_piece<Centred, 1>(grad + row * n, x + row * n, weight, gradient, begin, end, sum);
    }
    team.sum(sum);
    if (threadIdx.x == 0) {
      sums[row * 2 * gridDim.y + blockIdx.y] = sum[0];
      sums[(row * 2 + 1) * gridDim.y + blockIdx.y] = sum[1];
    }
  }
}
// A null mean: uncentred.
__global__ void __launch_bounds__(256) row_sums(
    const Element* grad, const Element* x, const void* weight, bool wide_weight, const void* mean, bool wide_mean,
    const void* rstd, bool wide_rstd, Real* sums, Index rows, Index n, Index each) {
  const Parameter<Element> w{weight, wide_weight}, m{mean, wide_mean}, r{rstd, wide_rstd};
  if (mean == nullptr) {
    sums_of_rows<false>(grad, x, w, m, r, sums, rows, n, each);
  } else {
    sums_of_rows<true>(grad, x, w, m, r, sums, rows, n, each);
  }
}

// What the gradients of a long row need, behind one another: mean, rstd, average and average_by_z. A warp a row.
template <bool Centred>
__device__ __forceinline__ void finish_row(
    const Parameter<Element>& mean, const Parameter<Element>& rstd, const Real* sums, Gradient<Centred>* gradients,
    Index row, Index n, Index pieces) {
  const int lane = threadIdx.x % kWarp;
  Real by_z = 0, plain = 0;
  for (Index piece = lane; piece < pieces; piece += kWarp) {
    by_z += sums[row * 2 * pieces + piece];
    plain += sums[(row * 2 + 1) * pieces + piece];
  }
  by_z = warp_reduce(by_z, Plus{});
  plain = warp_reduce(plain, Plus{});
  if (lane == 0) {
    const Real count = static_cast<Real>(n);
    gradients[row] = {Centred ? mean.at(row, 0) : Real(0), rstd.at(row, 1), plain / count, by_z / count};
  }
}
__global__ void __launch_bounds__(256) row_final(
    const void* mean, bool wide_mean, const void* rstd, bool wide_rstd, const Real* sums, Real* gradients, Index rows,
    Index n, Index pieces) {
  const Index row = thread_of_grid() / kWarp;
  if (row >= rows) return;
  const Parameter<Element> m{mean, wide_mean}, r{rstd, wide_rstd};
  if (mean == nullptr) {
    finish_row(m, r, sums, reinterpret_cast<Gradient<false>*>(gradients), row, n, pieces);
  } else {
    finish_row(m, r, sums, reinterpret_cast<Gradient<true>*>(gradients), row, n, pieces);
  }
}

// dx of a strip of the columns, for `each` rows, blockIdx.y, and their sums for dweight and dbias.
template <bool Centred, int Width>
__device__ __forceinline__ void backward_of_strip(
    const Element* grad, const Element* x, const Parameter<Element>& weight, const Gradient<Centred>* gradients,
    Element* dx, Real* by_weight, Real* by_bias, Index rows, Index n, Index each) {
  __shared__ Real unused[2][2][kWarp];
  const BlockTeam<Real, 2> team(unused);
  const Index most = Index(blockDim.x) * kStripItems, start = blockIdx.x * most;
  const int count = static_cast<int>(n - start < most ? n - start : most);
  const Index first = blockIdx.y * each, last = first + each < rows ? first + each : rows;
  Rows<Centred, Width, kStripItems> own;
  const Parameter<Element> weights = weight.from(start);
  own.start(team, weights, count);
  for (Index row = first; row < last; ++row) {
    const Index at = row * n + start;
    own.apply(team, grad + at, x + at, weights, gradients[row], dx + at, count);
  }
  own.store(team, by_weight + blockIdx.y * n + start, by_bias + blockIdx.y * n + start, 0, count);
}
template <bool Centred>
__device__ __forceinline__ void backward_of_long(
    const Element* grad, const Element* x, const Parameter<Element>& weight, const Real* gradients, Element* dx,
    Real* by_weight, Real* by_bias, Index rows, Index n, Index each) {
  const auto* const of_rows = reinterpret_cast<const Gradient<Centred>*>(gradients);
  if (all_wide(n, grad, x, dx, weight)) {
    backward_of_strip<Centred, kWide>(grad, x, weight, of_rows, dx, by_weight, by_bias, rows, n, each);
  } else {
    backward_of_strip<Centred, 1>(grad, x, weight, of_rows, dx, by_weight, by_bias, rows, n, each);
  }
}
// A null by_bias: uncentred.
__global__ void __launch_bounds__(256) backward_long(
    const Element* grad, const Element* x, const void* weight, bool wide_weight, const Real* gradients, Element* dx,
    Real* by_weight, Real* by_bias, Index rows, Index n, Index each) {
  const Parameter<Element> w{weight, wide_weight};
  if (by_bias == nullptr) {
    backward_of_long<false>(grad, x, w, gradients, dx, by_weight, by_bias, rows, n, each);
  } else {
    backward_of_long<true>(grad, x, w, gradients, dx, by_weight, by_bias, rows, n, each);
  }
}
