// Elementwise mathematics of floats, PYNEURAL_ELEMENT, computed in float for 16 bits.
#include <pyneural/angle.cuh>
#include <pyneural/map.cuh>

using namespace pyneural;
using Element = PYNEURAL_ELEMENT;
using Real = Computed<Element>;

struct Div {
  __device__ __forceinline__ Element operator()(Element a, Element b) const {
    return narrow<Element>(widen(a) / widen(b));
  }
};
struct Exp {
  __device__ __forceinline__ Element operator()(Element x) const { return narrow<Element>(exp(widen(x))); }
};
struct Log {
  __device__ __forceinline__ Element operator()(Element x) const { return narrow<Element>(log(widen(x))); }
};
struct Log1p {
  __device__ __forceinline__ Element operator()(Element x) const { return narrow<Element>(log1p(widen(x))); }
};
struct Sqrt {
  __device__ __forceinline__ Element operator()(Element x) const { return narrow<Element>(sqrt(widen(x))); }
};
struct Rsqrt {
  __device__ __forceinline__ Element operator()(Element x) const { return narrow<Element>(rsqrt(widen(x))); }
};
struct Sin {
  __device__ __forceinline__ Element operator()(Element x) const { return narrow<Element>(sin_of(widen(x))); }
};
struct Cos {
  __device__ __forceinline__ Element operator()(Element x) const { return narrow<Element>(cos_of(widen(x))); }
};
struct ClampBackward {
  bool has_low, has_high;
  Real low, high;
  __device__ __forceinline__ Element operator()(Element grad, Element each) const {
    const Real x = widen(each);
    const bool inside = (!has_low || x >= low) && (!has_high || x <= high);
    return inside ? grad : narrow<Element>(Real(0));
  }
};

__global__ void divide(Layout<2> at, const Element* a, const Element* b, Element* out, Index n) {
  map(n, out, Div{}, at, a, b);
}
__global__ void exponential(const Element* x, Element* out, Index n) { map(n, out, Exp{}, x); }
__global__ void logarithm(const Element* x, Element* out, Index n) { map(n, out, Log{}, x); }
__global__ void logarithm_1p(const Element* x, Element* out, Index n) { map(n, out, Log1p{}, x); }
__global__ void square_root(const Element* x, Element* out, Index n) { map(n, out, Sqrt{}, x); }
__global__ void inverse_square_root(const Element* x, Element* out, Index n) { map(n, out, Rsqrt{}, x); }
// Of eight reductions of large angles in a row nvcc would keep the words in local memory; of four it does not.
constexpr int kAngles = sizeof(Element) < 4 ? 4 : 16 / sizeof(Element);
__global__ void sine(const Element* x, Element* out, Index n) { map_by<kAngles>(n, out, Sin{}, x); }
__global__ void cosine(const Element* x, Element* out, Index n) { map_by<kAngles>(n, out, Cos{}, x); }
__global__ void clamp_backward(
    Layout<2> at, const Element* grad, const Element* x, Element* out, Index n, bool has_low, Real low, bool has_high,
    Real high) {
  map(n, out, ClampBackward{has_low, has_high, low, high}, at, grad, x);
}
