// Activation functions of floats, PYNEURAL_ELEMENT, and the gradients for their input.
#include <pyneural/map.cuh>
#include <pyneural/math.cuh>

using namespace pyneural;
using Element = PYNEURAL_ELEMENT;
using Real = Computed<Element>;

// A function of Real as one of Element.
template <typename F> __device__ __forceinline__ void apply(const Element* x, Element* out, Index n, const F& f) {
  map(n, out, [f](Element each) { return narrow<Element>(f(widen(each))); }, x);
}
template <typename F>
__device__ __forceinline__ void apply(
    const Layout<2>& at, const Element* grad, const Element* x, Element* out, Index n, const F& f) {
  map(n, out, [f](Element g, Element each) { return narrow<Element>(f(widen(g), widen(each))); }, at, grad, x);
}

__global__ void relu(const Element* x, Element* out, Index n) {
  apply(x, out, n, [](Real x) { return positive_part(x); });
}
__global__ void relu_backward(Layout<2> at, const Element* grad, const Element* y, Element* out, Index n) {
  apply(at, grad, y, out, n, [](Real g, Real y) { return y <= 0 ? Real(0) : g; });
}

__global__ void leaky_relu(const Element* x, Element* out, Index n, Real slope) {
  apply(x, out, n, [slope](Real x) { return x > 0 ? x : slope * x; });
}
__global__ void leaky_relu_backward(
    Layout<2> at, const Element* grad, const Element* x, Element* out, Index n, Real slope) {
  apply(at, grad, x, out, n, [slope](Real g, Real x) { return x > 0 ? g : slope * g; });
}

__global__ void elu(const Element* x, Element* out, Index n, Real alpha) {
  apply(x, out, n, [alpha](Real x) { return x > 0 ? x : alpha * expm1(x); });
}
__global__ void elu_backward(Layout<2> at, const Element* grad, const Element* x, Element* out, Index n, Real alpha) {
  apply(at, grad, x, out, n, [alpha](Real g, Real x) { return x > 0 ? g : g * alpha * exp(x); });
}

__global__ void gelu(const Element* x, Element* out, Index n) {
  apply(x, out, n, [](Real x) { return gelu_of(x); });
}
__global__ void gelu_backward(Layout<2> at, const Element* grad, const Element* x, Element* out, Index n) {
  apply(at, grad, x, out, n, [](Real g, Real x) { return g * gelu_slope(x); });
}
__global__ void gelu_tanh(const Element* x, Element* out, Index n) {
  apply(x, out, n, [](Real x) { return gelu_tanh_of(x); });
}
__global__ void gelu_tanh_backward(Layout<2> at, const Element* grad, const Element* x, Element* out, Index n) {
  apply(at, grad, x, out, n, [](Real g, Real x) { return g * gelu_tanh_slope(x); });
}

__global__ void silu(const Element* x, Element* out, Index n) {
  apply(x, out, n, [](Real x) { return silu_of(x); });
}
__global__ void silu_backward(Layout<2> at, const Element* grad, const Element* x, Element* out, Index n) {
  apply(at, grad, x, out, n, [](Real g, Real x) { return g * silu_slope(x); });
}

__global__ void sigmoid(const Element* x, Element* out, Index n) {
  apply(x, out, n, [](Real x) { return sigmoid_of(x); });
}
__global__ void sigmoid_backward(Layout<2> at, const Element* grad, const Element* y, Element* out, Index n) {
  apply(at, grad, y, out, n, [](Real g, Real y) { return g * y * (Real(1) - y); });
}

__global__ void hyperbolic_tangent(const Element* x, Element* out, Index n) {
  apply(x, out, n, [](Real x) { return tanh(x); });
}
__global__ void hyperbolic_tangent_backward(
    Layout<2> at, const Element* grad, const Element* y, Element* out, Index n) {
  apply(at, grad, y, out, n, [](Real g, Real y) { return g * (Real(1) - y * y); });
}

__global__ void softplus(const Element* x, Element* out, Index n, Real beta, Real threshold) {
  apply(x, out, n, [=](Real x) { return x * beta > threshold ? x : log1p(exp(x * beta)) / beta; });
}
__global__ void softplus_backward(
    Layout<2> at, const Element* grad, const Element* x, Element* out, Index n, Real beta, Real threshold) {
  apply(at, grad, x, out, n, [=](Real g, Real x) { return x * beta > threshold ? g : g / (Real(1) + exp(-x * beta)); });
}

__global__ void selu(const Element* x, Element* out, Index n) {
  apply(x, out, n, [](Real x) { return Real(kSeluScale) * (x > 0 ? x : Real(kSeluAlpha) * expm1(x)); });
}
__global__ void selu_backward(Layout<2> at, const Element* grad, const Element* x, Element* out, Index n) {
  apply(at, grad, x, out, n, [](Real g, Real x) {
    return g * Real(kSeluScale) * (x > 0 ? Real(1) : Real(kSeluAlpha) * exp(x));
  });
}

__global__ void mish(const Element* x, Element* out, Index n) {
  apply(x, out, n, [](Real x) { return x * tanh(log1p_exp(x)); });
}
__global__ void mish_backward(Layout<2> at, const Element* grad, const Element* x, Element* out, Index n) {
  apply(at, grad, x, out, n, [](Real g, Real x) {
    const Real u = log1p_exp(x), c = cosh(u);
    return g * (tanh(u) + x / (c * c) * sigmoid_of(x));
  });
}

__device__ __forceinline__ Real six_part(Real x) {
  const Real y = positive_part(x + Real(3));
  return y > Real(6) ? Real(6) : y;
}
__global__ void hardswish(const Element* x, Element* out, Index n) {
  apply(x, out, n, [](Real x) { return x * six_part(x) / Real(6); });
}
__global__ void hardswish_backward(Layout<2> at, const Element* grad, const Element* x, Element* out, Index n) {
  apply(at, grad, x, out, n, [](Real g, Real x) {
    return x <= Real(-3) ? Real(0) : x >= Real(3) ? g : g * (x / Real(3) + Real(0.5));
  });
}
__global__ void hardsigmoid(const Element* x, Element* out, Index n) {
  apply(x, out, n, [](Real x) { return six_part(x) / Real(6); });
}
__global__ void hardsigmoid_backward(Layout<2> at, const Element* grad, const Element* x, Element* out, Index n) {
  apply(at, grad, x, out, n, [](Real g, Real x) { return x > Real(-3) && x < Real(3) ? g / Real(6) : Real(0); });
}
