// The gradients of cross-entropy and of the negative log-likelihood for logits (N, classes, span) of
// PYNEURAL_ELEMENT: one value a class and position, each logit read once and each result written once.
#include <pyneural/classes.cuh>
#include <pyneural/cross_entropy.cuh>

using namespace pyneural;
using Element = PYNEURAL_ELEMENT;
using Real = Computed<Element>;

constexpr int kWide = 16 / sizeof(Element);

// The weights' sum, for smoothing. One block.
__global__ void __launch_bounds__(256) total_of_weights(const Element* weight, Real* total, Index classes) {
  __shared__ Real shared[2][1][kWarp];
  BlockTeam<Real, 1> team(shared);
  Real sum[1] = {0};
  for (Index c = threadIdx.x; c < classes; c += blockDim.x) sum[0] += widen(weight[c]);
  team.sum(sum);
  if (threadIdx.x == 0) *total = sum[0];
}

struct CrossEntropy {
  const Element *grad, *x;
  const long long* target;
  const Real* logsumexp;
  CrossEntropySlope<Element, false> slope;
};

template <int Width> __device__ __forceinline__ void rows(const Classes& at, const CrossEntropy& rule, Element* dx) {
  const auto start = [&](Index row) {
    return rule.slope.start(rule.target[row], widen(rule.grad[row]), rule.logsumexp[row]);
  };
  for_rows<Width>(at, start, [&](const auto& position, Index c, Index offset) {
    Real value[Width];
    load_wide(rule.x + offset, value);
    store_part<Element, Width>(dx + offset, [&](int k) { return rule.slope.of(position, c + k, value[k]); });
  });
}
__global__ void __launch_bounds__(256) cross_entropy_backward_rows(
    Classes at, const Element* grad, const Element* x, const long long* target, const Real* logsumexp,
    const Element* weight, const Real* total, Index ignored, Real smoothing, Element* dx) {
  const CrossEntropy rule{grad, x, target, logsumexp, {weight, total, ignored, at.classes, smoothing}};
  if (at.wide_rows(x) && at.wide_rows(dx)) {
    rows<kWide>(at, rule, dx);
  } else {
    rows<1>(at, rule, dx);
  }
}

template <int Width> __device__ __forceinline__ void columns(const Classes& at, const CrossEntropy& rule, Element* dx) {
  typename CrossEntropySlope<Element, false>::Position position[Width];
  const auto begin = [&](Index first) {
    Index target[Width];
    Real grad[Width], log_sum[Width];
    load_wide(rule.target + first, target);
    load_wide(rule.grad + first, grad);
    load_wide(rule.logsumexp + first, log_sum);
#pragma unroll
    for (int k = 0; k < Width; ++k) position[k] = rule.slope.start(target[k], grad[k], log_sum[k]);
  };
  const auto use = [&](Index c, Index offset) {
    Real value[Width];
    load_wide(rule.x + offset, value);
    store_part<Element, Width>(dx + offset, [&](int k) { return rule.slope.of(position[k], c, value[k]); });
  };
  for_columns<Width>(at, begin, use, [](Index) {});
}
__global__ void __launch_bounds__(128) cross_entropy_backward_columns(
    Classes at, const Element* grad, const Element* x, const long long* target, const Real* logsumexp,
    const Element* weight, const Real* total, Index ignored, Real smoothing, Element* dx) {
  const CrossEntropy rule{grad, x, target, logsumexp, {weight, total, ignored, at.classes, smoothing}};
  const bool wide = at.wide_columns(x) && at.wide_columns(dx) && at.wide_columns(grad);
  if (wide && is_aligned_16(target) && is_aligned_16(logsumexp)) {
    columns<kWide>(at, rule, dx);
  } else {
    columns<1>(at, rule, dx);
  }
}

// -grad w_t at the target, over the total weight for the mean, and 0 elsewhere.
struct Likelihood {
  const Element* grad;  // of each position if `each`, else one
  const long long* target;
  const Real* total;      // null: a sum
  const Element* weight;  // null: 1
  Index ignored, classes;
  bool each;

  struct At {
    Index target;
    Real value;
  };
  __device__ __forceinline__ At start(Index position, Index t) const {
    if (t == ignored || t < 0 || t >= classes) return {-1, 0};
    Real g = widen(grad[each ? position : 0]);
    if (total != nullptr) g /= *total;
    return {t, -g * (weight == nullptr ? Real(1) : widen(weight[t]))};
  }
};

template <int Width> __device__ __forceinline__ void rows(const Classes& at, const Likelihood& rule, Element* dx) {
  const auto start = [&](Index row) { return rule.start(row, rule.target[row]); };
  for_rows<Width>(at, start, [&](const Likelihood::At& own, Index c, Index offset) {
    store_part<Element, Width>(dx + offset, [&](int k) { return c + k == own.target ? own.value : Real(0); });
  });
}
__global__ void __launch_bounds__(256) nll_loss_backward_rows(
    Classes at, const Element* grad, bool each, const long long* target, const Real* total, const Element* weight,
    Index ignored, Element* dx) {
  const Likelihood rule{grad, target, total, weight, ignored, at.classes, each};
  if (at.wide_rows(dx)) {
    rows<kWide>(at, rule, dx);
  } else {
    rows<1>(at, rule, dx);
  }
}

template <int Width> __device__ __forceinline__ void columns(const Classes& at, const Likelihood& rule, Element* dx) {
  Likelihood::At own[Width];
  const auto begin = [&](Index first) {
    Index target[Width];
    load_wide(rule.target + first, target);
#pragma unroll
    for (int k = 0; k < Width; ++k) own[k] = rule.start(first + k, target[k]);
  };
  const auto use = [&](Index c, Index offset) {
    store_part<Element, Width>(dx + offset, [&](int k) { return c == own[k].target ? own[k].value : Real(0); });
  };
  for_columns<Width>(at, begin, use, [](Index) {});
}
__global__ void __launch_bounds__(128) nll_loss_backward_columns(
    Classes at, const Element* grad, bool each, const long long* target, const Real* total, const Element* weight,
    Index ignored, Element* dx) {
  const Likelihood rule{grad, target, total, weight, ignored, at.classes, each};
  if (at.wide_columns(dx) && is_aligned_16(target)) {
    columns<kWide>(at, rule, dx);
  } else {
    columns<1>(at, rule, dx);
  }
}
