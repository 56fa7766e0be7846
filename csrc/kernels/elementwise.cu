// Arithmetic and comparison of any number dtype, PYNEURAL_ELEMENT. Integers wrap around, NaN spreads through
// maximum and minimum.
#include <pyneural/map.cuh>

using namespace pyneural;
using Element = PYNEURAL_ELEMENT;
using Real = Computed<Element>;

// In unsigned 64 bits, where integers wrap by definition, and in itself for floats.
template <typename T, bool Floating> struct Wrapped {
  using type = unsigned long long;
};
template <typename T> struct Wrapped<T, true> {
  using type = T;
};
using Wide = Wrapped<Real, Traits<Element>::floating>::type;

__device__ __forceinline__ Wide wide(Element x) { return static_cast<Wide>(widen(x)); }

struct Add {
  __device__ __forceinline__ Element operator()(Element a, Element b) const { return narrow<Element>(wide(a) + wide(b)); }
};
struct Sub {
  __device__ __forceinline__ Element operator()(Element a, Element b) const { return narrow<Element>(wide(a) - wide(b)); }
};
struct Mul {
  __device__ __forceinline__ Element operator()(Element a, Element b) const { return narrow<Element>(wide(a) * wide(b)); }
};
// Overloads for integers and floats, because both would be compiled for each Element were they branches.
__device__ __forceinline__ unsigned long long power_of(unsigned long long a, unsigned long long b) {  // by squaring
  unsigned long long result = 1;
  for (; b != 0; b >>= 1) {
    if (b & 1) result *= a;
    a *= a;
  }
  return result;
}
__device__ __forceinline__ float power_of(float a, float b) { return pow(a, b); }
__device__ __forceinline__ double power_of(double a, double b) { return pow(a, b); }
struct Pow {
  __device__ __forceinline__ Element operator()(Element a, Element b) const {
    return narrow<Element>(power_of(wide(a), wide(b)));
  }
};

__device__ __forceinline__ unsigned long long magnitude(unsigned long long x) {
  return static_cast<long long>(x) < 0 ? 0 - x : x;
}
__device__ __forceinline__ float magnitude(float x) { return fabs(x); }
__device__ __forceinline__ double magnitude(double x) { return fabs(x); }
struct Abs {
  __device__ __forceinline__ Element operator()(Element x) const { return narrow<Element>(magnitude(wide(x))); }
};

struct Maximum {
  __device__ __forceinline__ Element operator()(Element a, Element b) const {
    const Real x = widen(a), y = widen(b);
    return x > y || x != x ? a : b;
  }
};
struct Minimum {
  __device__ __forceinline__ Element operator()(Element a, Element b) const {
    const Real x = widen(a), y = widen(b);
    return x < y || x != x ? a : b;
  }
};
struct Eq {
  __device__ __forceinline__ bool operator()(Element a, Element b) const { return widen(a) == widen(b); }
};
struct Ne {
  __device__ __forceinline__ bool operator()(Element a, Element b) const { return widen(a) != widen(b); }
};
struct Lt {
  __device__ __forceinline__ bool operator()(Element a, Element b) const { return widen(a) < widen(b); }
};
struct Le {
  __device__ __forceinline__ bool operator()(Element a, Element b) const { return widen(a) <= widen(b); }
};
struct LogicalNot {
  __device__ __forceinline__ bool operator()(Element x) const { return widen(x) == Real(0); }
};
struct Neg {
  __device__ __forceinline__ Element operator()(Element x) const { return narrow<Element>(-wide(x)); }
};
template <typename T> __device__ __forceinline__ T sign_of(T x) {
  T sign = x > T(0);
  if constexpr (!(T(-1) > T(1))) sign -= x < T(0);  // unsigned types have nothing below zero
  return sign;
}
struct Sign {
  __device__ __forceinline__ Element operator()(Element x) const { return narrow<Element>(sign_of(widen(x))); }
};
struct Clamp {
  bool has_low, has_high;
  Real low, high;
  __device__ __forceinline__ Element operator()(Element each) const {
    Real x = widen(each);
    if (has_low) x = x > low || x != x ? x : low;
    if (has_high) x = x < high || x != x ? x : high;
    return narrow<Element>(x);
  }
};

__global__ void add(Layout<2> at, const Element* a, const Element* b, Element* out, Index n) {
  map(n, out, Add{}, at, a, b);
}
__global__ void sub(Layout<2> at, const Element* a, const Element* b, Element* out, Index n) {
  map(n, out, Sub{}, at, a, b);
}
__global__ void mul(Layout<2> at, const Element* a, const Element* b, Element* out, Index n) {
  map(n, out, Mul{}, at, a, b);
}
__global__ void power(Layout<2> at, const Element* a, const Element* b, Element* out, Index n) {
  map(n, out, Pow{}, at, a, b);
}
__global__ void maximum(Layout<2> at, const Element* a, const Element* b, Element* out, Index n) {
  map(n, out, Maximum{}, at, a, b);
}
__global__ void minimum(Layout<2> at, const Element* a, const Element* b, Element* out, Index n) {
  map(n, out, Minimum{}, at, a, b);
}
__global__ void equal(Layout<2> at, const Element* a, const Element* b, bool* out, Index n) {
  map(n, out, Eq{}, at, a, b);
}
__global__ void not_equal(Layout<2> at, const Element* a, const Element* b, bool* out, Index n) {
  map(n, out, Ne{}, at, a, b);
}
__global__ void less(Layout<2> at, const Element* a, const Element* b, bool* out, Index n) {
  map(n, out, Lt{}, at, a, b);
}
__global__ void less_equal(Layout<2> at, const Element* a, const Element* b, bool* out, Index n) {
  map(n, out, Le{}, at, a, b);
}
__global__ void logical_not(const Element* x, bool* out, Index n) { map(n, out, LogicalNot{}, x); }
__global__ void negative(const Element* x, Element* out, Index n) { map(n, out, Neg{}, x); }
__global__ void absolute(const Element* x, Element* out, Index n) { map(n, out, Abs{}, x); }
__global__ void sign(const Element* x, Element* out, Index n) { map(n, out, Sign{}, x); }
__global__ void clamp(const Element* x, Element* out, Index n, bool has_low, Real low, bool has_high, Real high) {
  map(n, out, Clamp{has_low, has_high, low, high}, x);
}

// Floats are cut off, everything but zero is true.
template <typename To> struct Cast {
  __device__ __forceinline__ To operator()(Element x) const { return narrow<To>(widen(x)); }
};
__global__ void to_float64(const Element* x, double* out, Index n) { map(n, out, Cast<double>{}, x); }
__global__ void to_float32(const Element* x, float* out, Index n) { map(n, out, Cast<float>{}, x); }
__global__ void to_float16(const Element* x, __half* out, Index n) { map(n, out, Cast<__half>{}, x); }
__global__ void to_bfloat16(const Element* x, __nv_bfloat16* out, Index n) { map(n, out, Cast<__nv_bfloat16>{}, x); }
__global__ void to_int64(const Element* x, long long* out, Index n) { map(n, out, Cast<long long>{}, x); }
__global__ void to_int32(const Element* x, int* out, Index n) { map(n, out, Cast<int>{}, x); }
__global__ void to_int16(const Element* x, short* out, Index n) { map(n, out, Cast<short>{}, x); }
__global__ void to_int8(const Element* x, signed char* out, Index n) { map(n, out, Cast<signed char>{}, x); }
__global__ void to_uint8(const Element* x, unsigned char* out, Index n) { map(n, out, Cast<unsigned char>{}, x); }
__global__ void to_bool(const Element* x, bool* out, Index n) { map(n, out, Cast<bool>{}, x); }
