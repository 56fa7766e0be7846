// The gradient of cross-entropy, which its forward pass can write as well as its backward pass.
#pragma once
#include "element.cuh"

namespace pyneural {

template <typename Real> __device__ __forceinline__ Real not_a_number() { return Real(__int_as_float(0x7fffffff)); }

// grad ((1 - e) w_t (p - onehot) + e / classes (p sum w - w_c)), p = factor e^(x - shift), of one position. Who knows the
// largest logit and the sum of exponentials takes them: the rounding of a logsumexp of 1000 is seen in every probability.
// Without `Scaled`, shift is the logsumexp and factor 1.
template <typename Element, bool Scaled> struct CrossEntropySlope {
  using Real = Computed<Element>;
  struct Position {
    Real grad, shift, factor, own, ignored;
    Index target;
  };

  const Element* weight;  // null: 1
  const Real* total;      // of the weights; null: as many as classes
  Index ignored, classes;
  Real smoothing;

  __device__ __forceinline__ Position start(Index t, Real grad, Real shift, Real factor = 1) const {
    if (t == ignored) return {0, 0, 0, 0, 1, t};
    const Real w = t < 0 || t >= classes ? not_a_number<Real>() : weight == nullptr ? Real(1) : widen(weight[t]);
    return {grad, shift, factor, (Real(1) - smoothing) * w, 0, t};
  }
  __device__ __forceinline__ Real of(const Position& position, Index c, Real x) const {
    if (position.ignored != Real(0)) return 0;
    Real p = exp(x - position.shift);
    if constexpr (Scaled) p *= position.factor;
    Real slope = position.own * (c == position.target ? p - Real(1) : p);
    if (smoothing != Real(0)) {
      const Real w = weight == nullptr ? Real(1) : widen(weight[c]);
      const Real all = total == nullptr ? static_cast<Real>(classes) : *total;
      slope += smoothing / static_cast<Real>(classes) * (p * all - w);
    }
    return position.grad * slope;
  }
};

}  // namespace pyneural
