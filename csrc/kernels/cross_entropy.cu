// Cross-entropy of class indices for logits (N, classes, span) of PYNEURAL_ELEMENT, and the logarithms of the sums of
// exponentials; and, with `dx`, the gradient of `scale` times the sum of all losses. Each logit is read once: a few lanes
// or a block hold a row in registers. Longer rows, and classes that do not lie behind one another, take the sum "online"
// (Milakov and Gimelshein 2018), and the gradient reads them a second time.
#include <pyneural/classes.cuh>
#include <pyneural/cross_entropy.cuh>

using namespace pyneural;
using Element = PYNEURAL_ELEMENT;
using Real = Computed<Element>;

constexpr int kWide = 16 / sizeof(Element);
constexpr int kItems = sizeof(Element) == 8 ? 8 : 16;  // of a row a thread holds


// What every position has in common.
struct Rule {
  const long long* target;
  const Element* weight;  // null: 1
  Index ignored, classes;
  Real smoothing;
  Element* loss;
  Real* logsumexp;
  const Real *scale, *total;  // of the gradient; see CrossEntropySlope
  Element* dx;                // null: none

  __device__ __forceinline__ CrossEntropySlope<Element, true> slope() const { return {weight, total, ignored, classes, smoothing}; }
  __device__ __forceinline__ Real weight_of(Index c) const { return weight == nullptr ? Real(1) : widen(weight[c]); }
  // The loss, from the logits' largest, the logarithm of the sum of e^(x - top), the target's logit and, if there is
  // smoothing, the sum of w (top + log_sum - x).
  __device__ __forceinline__ Real of(Index t, Real top, Real log_sum, Real own, Real all) const {
    if (t == ignored) return 0;
    const Real w = t >= 0 && t < classes ? weight_of(t) : not_a_number<Real>();
    const Real value = (Real(1) - smoothing) * w * (log_sum - (own - top));
    return smoothing == Real(0) ? value : value + smoothing / static_cast<Real>(classes) * all;
  }
  __device__ __forceinline__ void finish(Index row, Index t, Real top, Real log_sum, Real own, Real all) const {
    logsumexp[row] = top + log_sum;
    loss[row] = narrow<Element>(of(t, top, log_sum, own, all));
  }
};

// Rows of `lanes` neighbouring lanes each.
struct LaneTeam {
  int lanes;
  __device__ __forceinline__ int rank() const { return threadIdx.x % lanes; }
  __device__ __forceinline__ int size() const { return lanes; }
  template <typename Combine> __device__ __forceinline__ Real combine(Real value, Real, const Combine& with) const {
    for (int offset = lanes / 2; offset > 0; offset /= 2) {
      value = with(value, __shfl_xor_sync(kAllLanes, value, offset));
    }
    return value;
  }
  template <int Count> __device__ __forceinline__ void sum(Real (&value)[Count]) const {
#pragma unroll
    for (int k = 0; k < Count; ++k) value[k] = combine(value[k], Real(0), Plus{});
  }
};

// A row of n logits, or none: n is 0 for teams that keep the others of their warp company.
template <int Width, typename Team>
__device__ __forceinline__ void held_row(Team& team, const Rule& rule, const Element* x, Index row, int n) {
  using Row = Held<Element, kItems, Width>;
  Row held;
  held.load(team, x + row * rule.classes, n);
  Real top = minus_infinity<Real>();
  Row::for_parts(team, n, [&](int j, int) {
#pragma unroll
    for (int k = 0; k < Width; ++k) top = Largest{}(top, held.at(j, k));
  });
  top = team.combine(top, minus_infinity<Real>(), Largest{});
  const Index target = n == 0 ? -1 : rule.target[row];
  Real sum[2] = {0, 0};
  Row::for_parts(team, n, [&](int j, int i) {
#pragma unroll
    for (int k = 0; k < Width; ++k) {
      sum[0] += exp(held.at(j, k) - top);
      if (i + k == target) sum[1] = held.at(j, k);
    }
  });
  team.sum(sum);
  const Real log_sum = log(sum[0]);
  Real all[1] = {0};
  if (rule.smoothing != Real(0)) {
    Row::for_parts(team, n, [&](int j, int i) {
#pragma unroll
      for (int k = 0; k < Width; ++k) all[0] += rule.weight_of(i + k) * (log_sum - (held.at(j, k) - top));
    });
    team.sum(all);
  }
  if (team.rank() == 0 && n != 0) rule.finish(row, target, top, log_sum, sum[1], all[0]);
  if (rule.dx == nullptr) return;
  const auto slope = rule.slope();
  const auto position = slope.start(target, *rule.scale, top, Real(1) / sum[0]);
  Row::for_parts(team, n, [&](int j, int i) {
    store_part<Element, Width>(rule.dx + row * rule.classes + i, [&](int k) { return slope.of(position, i + k, held.at(j, k)); });
  });
}

template <int Width>
__device__ __forceinline__ void rows_by_lanes(const Classes& at, const Rule& rule, const Element* x) {
  LaneTeam team{at.lanes};
  const Index step = threads_of_grid() / at.lanes, own = thread_of_grid() / at.lanes;
  // All lanes of a warp go round together.
  const Index first = own - threadIdx.x % kWarp / at.lanes;
  for (Index row = 0; first + row < at.positions; row += step) {
    held_row<Width>(team, rule, x, own + row, own + row < at.positions ? static_cast<int>(at.classes) : 0);
  }
}
__global__ void __launch_bounds__(256) cross_entropy_lanes(
    Classes at, const Element* x, const long long* target, const Element* weight, Index ignored, Real smoothing,
    Element* loss, Real* logsumexp, const Real* scale, const Real* total, Element* dx) {
  const Rule rule{target, weight, ignored, at.classes, smoothing, loss, logsumexp, scale, total, dx};
  if (at.wide_rows(x) && at.wide_rows(dx)) {
    rows_by_lanes<kWide>(at, rule, x);
  } else {
    rows_by_lanes<1>(at, rule, x);
  }
}

template <int Width>
__device__ __forceinline__ void rows_by_block(const Classes& at, const Rule& rule, const Element* x) {
  __shared__ Real shared[2][2][kWarp];
  BlockTeam<Real, 2> team(shared);
  for (Index row = blockIdx.x; row < at.positions; row += gridDim.x) {
    held_row<Width>(team, rule, x, row, static_cast<int>(at.classes));
  }
}
__global__ void __launch_bounds__(512, 1) cross_entropy_block(
    Classes at, const Element* x, const long long* target, const Element* weight, Index ignored, Real smoothing,
    Element* loss, Real* logsumexp, const Real* scale, const Real* total, Element* dx) {
  const Rule rule{target, weight, ignored, at.classes, smoothing, loss, logsumexp, scale, total, dx};
  if (at.wide_rows(x) && at.wide_rows(dx)) {
    rows_by_block<kWide>(at, rule, x);
  } else {
    rows_by_block<1>(at, rule, x);
  }
}

// The largest logit seen, the sum of e^(x - top), and for smoothing those of w and of w (x - top): all terms of the
// last have one sign, so that nothing cancels.
struct Online {
  Real top, sum, weights, below;

  __device__ __forceinline__ Online() : top(minus_infinity<Real>()), sum(0), weights(0), below(0) {}
  // A top of minus infinity has met nothing else so far.
  __device__ __forceinline__ void raise(Real higher) {
    if (top != minus_infinity<Real>() && higher != top) {
      sum *= exp(top - higher);
      if (weights != Real(0)) below += weights * (top - higher);
    }
    top = higher;
  }
  __device__ __forceinline__ void add(Real x) {
    if (x != minus_infinity<Real>()) sum += exp(x - top);
  }
  __device__ __forceinline__ void add_smoothed(Real x, Real w) {
    below += w * (x == minus_infinity<Real>() ? x : x - top);
    weights += w;
  }
  // Where no number was seen there is no probability.
  __device__ __forceinline__ Real log_sum() const { return top == minus_infinity<Real>() ? not_a_number<Real>() : log(sum); }
};

template <int Width> __device__ __forceinline__ void long_rows(const Classes& at, const Rule& rule, const Element* x) {
  __shared__ Real shared[2][4][kWarp];
  BlockTeam<Real, 4> team(shared);
  for (Index row = blockIdx.x; row < at.positions; row += gridDim.x) {
    const Index target = rule.target[row];
    Online seen;
    Real own = 0;
    for (Index i = Index(threadIdx.x) * Width; i < at.classes; i += Index(blockDim.x) * Width) {
      Real value[Width];
      load_wide(x + row * at.classes + i, value);
      Real top = seen.top;
#pragma unroll
      for (int k = 0; k < Width; ++k) top = Largest{}(top, value[k]);
      seen.raise(top);
#pragma unroll
      for (int k = 0; k < Width; ++k) {
        seen.add(value[k]);
        if (i + k == target) own = value[k];
        if (rule.smoothing != Real(0)) seen.add_smoothed(value[k], rule.weight_of(i + k));
      }
    }
    seen.raise(team.combine(seen.top, minus_infinity<Real>(), Largest{}));
    Real sum[4] = {seen.sum, own, seen.weights, seen.below};
    team.sum(sum);
    seen.sum = sum[0];
    const Real log_sum = seen.log_sum();
    if (threadIdx.x == 0) rule.finish(row, target, seen.top, log_sum, sum[1], sum[2] * log_sum - sum[3]);
    if (rule.dx == nullptr) continue;
    const auto slope = rule.slope();
    const auto position = slope.start(target, *rule.scale, seen.top, Real(1) / seen.sum);
    for (Index i = Index(threadIdx.x) * Width; i < at.classes; i += Index(blockDim.x) * Width) {
      Real value[Width];
      load_wide(x + row * at.classes + i, value);
      store_part<Element, Width>(rule.dx + row * at.classes + i, [&](int k) { return slope.of(position, i + k, value[k]); });
    }
  }
}
__global__ void __launch_bounds__(512) cross_entropy_long(
    Classes at, const Element* x, const long long* target, const Element* weight, Index ignored, Real smoothing,
    Element* loss, Real* logsumexp, const Real* scale, const Real* total, Element* dx) {
  const Rule rule{target, weight, ignored, at.classes, smoothing, loss, logsumexp, scale, total, dx};
  if (at.wide_rows(x) && at.wide_rows(dx)) {
    long_rows<kWide>(at, rule, x);
  } else {
    long_rows<1>(at, rule, x);
  }
}

template <int Width> __device__ __forceinline__ void columns(const Classes& at, const Rule& rule, const Element* x) {
  Online seen[Width];
  Real own[Width];
  Index target[Width];
  const auto begin = [&](Index position) {
    load_wide(rule.target + position, target);
#pragma unroll
    for (int k = 0; k < Width; ++k) {
      seen[k] = Online();
      own[k] = 0;
    }
  };
  const auto take = [&](Index c, Index offset) {
    Real value[Width];
    load_wide(x + offset, value);
    const Real w = rule.smoothing == Real(0) ? Real(0) : rule.weight_of(c);
#pragma unroll
    for (int k = 0; k < Width; ++k) {
      seen[k].raise(Largest{}(seen[k].top, value[k]));
      seen[k].add(value[k]);
      if (c == target[k]) own[k] = value[k];
      if (rule.smoothing != Real(0)) seen[k].add_smoothed(value[k], w);
    }
  };
  for_columns<Width>(at, begin, take, [&](Index position) {
    Real sum[Width], loss[Width];
#pragma unroll
    for (int k = 0; k < Width; ++k) {
      const Real log_sum = seen[k].log_sum(), all = seen[k].weights * log_sum - seen[k].below;
      loss[k] = rule.of(target[k], seen[k].top, log_sum, own[k], all);
      sum[k] = seen[k].top + log_sum;
    }
    store_wide<Width>(rule.logsumexp + position, sum);
    store_part<Element, Width>(rule.loss + position, [&](int k) { return loss[k]; });
    if (rule.dx == nullptr) return;
    const auto slope = rule.slope();
    typename CrossEntropySlope<Element, true>::Position of[Width];
#pragma unroll
    for (int k = 0; k < Width; ++k) of[k] = slope.start(target[k], *rule.scale, seen[k].top, Real(1) / seen[k].sum);
    const Index n = position / at.span, base = n * at.classes * at.span + position - n * at.span;
    for (Index c = 0; c < at.classes; ++c) {
      Real value[Width];
      load_wide(x + base + c * at.span, value);
      store_part<Element, Width>(rule.dx + base + c * at.span, [&](int k) { return slope.of(of[k], c, value[k]); });
    }
  });
}
__global__ void __launch_bounds__(128) cross_entropy_columns(
    Classes at, const Element* x, const long long* target, const Element* weight, Index ignored, Real smoothing,
    Element* loss, Real* logsumexp, const Real* scale, const Real* total, Element* dx) {
  const Rule rule{target, weight, ignored, at.classes, smoothing, loss, logsumexp, scale, total, dx};
  if (at.wide_columns(x) && at.wide_columns(dx) && is_aligned<kWide>(loss) && is_aligned_16(target) && is_aligned_16(logsumexp)) {
    columns<kWide>(at, rule, x);
  } else {
    columns<1>(at, rule, x);
  }
}
