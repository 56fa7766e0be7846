// The negative log-likelihood of class indices for logarithms of probabilities (N, classes, span) of
// PYNEURAL_ELEMENT.
#include <pyneural/classes.cuh>
#include <pyneural/totals.cuh>

using namespace pyneural;
using Element = PYNEURAL_ELEMENT;
using Real = Computed<Element>;

enum Reduction { kMean, kSum, kNone };  // as in kernels/loss/cuda.py

// From the sums of the losses and of the weights.
struct Finish {
  int reduction;
  Element* out;
  Real* total;

  __device__ __forceinline__ void operator()(const Real (&sum)[2]) const {
    *total = sum[1];
    if (reduction != kNone) *out = narrow<Element>(reduction == kMean ? sum[0] / sum[1] : sum[0]);
  }
};

// out: one, or for kNone one a position; partial: (gridDim.x, 2), not used by a single block.
__global__ void __launch_bounds__(256) nll_loss(
    Classes at, const Element* x, const long long* target, const Element* weight, Index ignored, int reduction,
    Element* out, Real* total, Real* partial) {
  Real sum[2] = {0, 0};
  for (Index p = thread_of_grid(); p < at.positions; p += threads_of_grid()) {
    const Index t = target[p], n = at.span == 1 ? p : p / at.span;
    Real loss = 0;
    if (t != ignored) {
      Real w = __int_as_float(0x7fffffff), own = w;
      if (t >= 0 && t < at.classes) {
        w = weight == nullptr ? Real(1) : widen(weight[t]);
        own = widen(x[(n * at.classes + t) * at.span + p - n * at.span]);
      }
      loss = -w * own;
      sum[1] += w;
    }
    sum[0] += loss;
    if (reduction == kNone) out[p] = narrow<Element>(loss);
  }
  finish_or_leave(sum, partial, Finish{reduction, out, total});
}

__global__ void __launch_bounds__(256) nll_loss_final(
    const Real* partial, Index count, int reduction, Element* out, Real* total) {
  finish_all<2>(partial, count, Finish{reduction, out, total});
}
