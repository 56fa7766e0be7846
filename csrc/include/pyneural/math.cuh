// Activation functions and their derivatives in float and double.
#pragma once
#include "element.cuh"

namespace pyneural {

template <typename Real> __device__ __forceinline__ Real positive_part(Real x) { return x > Real(0) || x != x ? x : Real(0); }

template <typename Real> __device__ __forceinline__ Real sigmoid_of(Real x) { return Real(1) / (Real(1) + exp(-x)); }

// The normal distribution function. What the argument of erfc loses to rounding would be magnified by x^2 in
// the lower tail: its rest, times erfc's derivative, is added.
template <typename Real> __device__ __forceinline__ Real normal_cdf(Real x) {
  constexpr double root_half = 0.70710678118654752440, two_over_root_pi = 1.12837916709551257390;
  const Real high = Real(root_half), low = sizeof(Real) == 4 ? Real(root_half - double(high)) : Real(-4.83364665672645672553e-17);
  const Real z = -x * high;
  const Real rest = fma(-x, high, -z) - x * low;
  const Real correction = Real(two_over_root_pi) * exp(-z * z) * rest;
  const Real result = Real(0.5) * (erfc(z) - (correction == correction ? correction : Real(0)));
  return x != x ? x : result;
}
template <typename Real> __device__ __forceinline__ Real normal_pdf(Real x) {
  return exp(Real(-0.5) * x * x) * Real(0.39894228040143267794);
}

constexpr double kRootTwoOverPi = 0.79788456080286535588;
constexpr double kGeluCubic = 0.044715;

template <typename Real> __device__ __forceinline__ Real gelu_of(Real x) { return x * normal_cdf(x); }
template <typename Real> __device__ __forceinline__ Real gelu_tanh_of(Real x) {
  return x * sigmoid_of(Real(2 * kRootTwoOverPi) * (x + Real(kGeluCubic) * x * x * x));
}
template <typename Real> __device__ __forceinline__ Real gelu_slope(Real x) { return normal_cdf(x) + x * normal_pdf(x); }
template <typename Real> __device__ __forceinline__ Real gelu_tanh_slope(Real x) {
  const Real u = Real(kRootTwoOverPi) * (x + Real(kGeluCubic) * x * x * x), s = sigmoid_of(Real(2) * u);
  const Real c = cosh(u), slope = Real(1) / (c * c), inner = Real(kRootTwoOverPi) * (Real(1) + Real(3 * kGeluCubic) * x * x);
  // Far out the slope is 0 and x^2 overflows: their product is 0.
  return s + (slope == Real(0) ? Real(0) : Real(0.5) * x * slope * inner);
}

template <typename Real> __device__ __forceinline__ Real silu_of(Real x) { return x / (Real(1) + exp(-x)); }
template <typename Real> __device__ __forceinline__ Real silu_slope(Real x) {
  const Real s = sigmoid_of(x);
  return s * (Real(1) + x * (Real(1) - s));
}

// ln(1 + e^x) without overflow.
template <typename Real> __device__ __forceinline__ Real log1p_exp(Real x) {
  return positive_part(x) + log1p(exp(-fabs(x)));
}

constexpr double kSeluScale = 1.0507009873554805, kSeluAlpha = 1.6732632423543772;

// What a product applies to its result before storing it; numbers are those of kernels/matmul/cuda.py.
enum Activation { kNone, kRelu, kGelu, kGeluTanh, kSilu, kSigmoid, kTanh };

template <typename Real> __device__ __forceinline__ Real activated(Real x, int activation) {
  switch (activation) {
    case kRelu: return positive_part(x);
    case kGelu: return gelu_of(x);
    case kGeluTanh: return gelu_tanh_of(x);
    case kSilu: return silu_of(x);
    case kSigmoid: return sigmoid_of(x);
    case kTanh: return tanh(x);
    default: return x;
  }
}

}  // namespace pyneural
