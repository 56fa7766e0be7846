// Softmax and its logarithm from the largest element and the sum of e^(x - largest), and what their gradients need.
#pragma once
#include "element.cuh"

namespace pyneural {

template <typename Real> struct Softmax {
  Real top, scale;
  __device__ __forceinline__ Softmax(Real top, Real sum) : top(top), scale(sum) {}
  __device__ __forceinline__ Real operator()(Real x) const { return exp(x - top) / scale; }
};
template <typename Real> struct LogSoftmax {
  Real top, log_sum;
  __device__ __forceinline__ LogSoftmax(Real top, Real sum) : top(top), log_sum(log(sum)) {}
  __device__ __forceinline__ Real operator()(Real x) const { return x - top - log_sum; }
};

// What is summed for the gradient, and the gradient from that sum.
template <typename Real> struct SoftmaxBackward {
  static __device__ __forceinline__ Real term(Real grad, Real y) { return grad * y; }
  static __device__ __forceinline__ Real finish(Real grad, Real y, Real sum) { return y * (grad - sum); }
};
template <typename Real> struct LogSoftmaxBackward {
  static __device__ __forceinline__ Real term(Real grad, Real) { return grad; }
  static __device__ __forceinline__ Real finish(Real grad, Real y, Real sum) { return grad - exp(y) * sum; }
};

}  // namespace pyneural
