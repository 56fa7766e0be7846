// The simulator's cuda_fp16.h.
#pragma once
#include "pyneural_sim/atomics.h"
#include "pyneural_sim/small_floats.h"
#include "pyneural_sim/warp.h"

struct __half_raw { unsigned short x; };
struct alignas(2) __half {
  unsigned short bits;
  __half() = default;
  __half(__half_raw r) : bits(r.x) {}
  __half(float f) : bits(pnsim::float_to_half(f)) {}
  __half(double f) : bits(pnsim::float_to_half(float(f))) {}
  __half(int v) : bits(pnsim::float_to_half(float(v))) {}
  __half(unsigned v) : bits(pnsim::float_to_half(float(v))) {}
  __half(long long v) : bits(pnsim::float_to_half(float(v))) {}
  __half(unsigned long long v) : bits(pnsim::float_to_half(float(v))) {}
  __half(long v) : bits(pnsim::float_to_half(float(v))) {}
  __half(unsigned long v) : bits(pnsim::float_to_half(float(v))) {}
  operator float() const { return pnsim::half_to_float(bits); }
  __half& operator+=(const __half& o) { return *this = __half(float(*this) + float(o)); }
  __half& operator-=(const __half& o) { return *this = __half(float(*this) - float(o)); }
  __half& operator*=(const __half& o) { return *this = __half(float(*this) * float(o)); }
  __half& operator/=(const __half& o) { return *this = __half(float(*this) / float(o)); }
};
typedef __half half;
typedef __half __nv_half;
PNSIM_INLINE __half operator+(const __half& a, const __half& b) { return __half(float(a) + float(b)); }
PNSIM_INLINE __half operator-(const __half& a, const __half& b) { return __half(float(a) - float(b)); }
PNSIM_INLINE __half operator*(const __half& a, const __half& b) { return __half(float(a) * float(b)); }
PNSIM_INLINE __half operator/(const __half& a, const __half& b) { return __half(float(a) / float(b)); }
PNSIM_INLINE bool operator==(const __half& a, const __half& b) { return float(a) == float(b); }
PNSIM_INLINE bool operator!=(const __half& a, const __half& b) { return float(a) != float(b); }
PNSIM_INLINE bool operator<(const __half& a, const __half& b) { return float(a) < float(b); }
PNSIM_INLINE bool operator<=(const __half& a, const __half& b) { return float(a) <= float(b); }
PNSIM_INLINE bool operator>(const __half& a, const __half& b) { return float(a) > float(b); }
PNSIM_INLINE bool operator>=(const __half& a, const __half& b) { return float(a) >= float(b); }
PNSIM_INLINE __half operator-(const __half& a) { __half r = a; r.bits ^= 0x8000; return r; }

struct alignas(4) __half2 {
  __half x, y;
  __half2() = default;
  __half2(__half x, __half y) : x(x), y(y) {}
};
typedef __half2 half2;
PNSIM_INLINE __half2 operator-(const __half2& a) { return {-a.x, -a.y}; }
typedef __half2 __nv_half2;
PNSIM_INLINE __half2 operator+(const __half2& a, const __half2& b) { return {a.x + b.x, a.y + b.y}; }
PNSIM_INLINE __half2& operator+=(__half2& a, const __half2& b) { return a = a + b; }
PNSIM_INLINE __half2 operator-(const __half2& a, const __half2& b) { return {a.x - b.x, a.y - b.y}; }
PNSIM_INLINE __half2& operator-=(__half2& a, const __half2& b) { return a = a - b; }
PNSIM_INLINE __half2 operator*(const __half2& a, const __half2& b) { return {a.x * b.x, a.y * b.y}; }
PNSIM_INLINE __half2& operator*=(__half2& a, const __half2& b) { return a = a * b; }
PNSIM_INLINE __half2 operator/(const __half2& a, const __half2& b) { return {a.x / b.x, a.y / b.y}; }
PNSIM_INLINE __half2& operator/=(__half2& a, const __half2& b) { return a = a / b; }

namespace pnsim {
template <> struct type_tag<__half> { static constexpr const char* name() { return "half"; } };
template <> struct type_tag<__half2> : type_tag<__half> {};
}  // namespace pnsim

PNSIM_INLINE __half __float2half(float f) { return __half(f); }
PNSIM_INLINE __half __float2half_rn(float f) { return __half(f); }
PNSIM_INLINE __half __double2half(double f) { return __half(f); }
PNSIM_INLINE float __half2float(const __half& h) { return float(h); }
PNSIM_INLINE __half __int2half_rn(int v) { return __half(v); }
PNSIM_INLINE __half __uint2half_rn(unsigned v) { return __half(v); }
PNSIM_INLINE __half __ushort_as_half(unsigned short v) { return __half(__half_raw{v}); }
PNSIM_INLINE __half __short_as_half(short v) { return __half(__half_raw{(unsigned short)v}); }
PNSIM_INLINE unsigned short __half_as_ushort(__half h) { return h.bits; }
PNSIM_INLINE short __half_as_short(__half h) { return short(h.bits); }
PNSIM_INLINE int __half2int_rn(__half h) { return __float2int_rn(h); }
PNSIM_INLINE int __half2int_rd(__half h) { return __float2int_rd(h); }
PNSIM_INLINE int __half2int_ru(__half h) { return __float2int_ru(h); }
PNSIM_INLINE int __half2int_rz(__half h) { return __float2int_rz(h); }
PNSIM_INLINE __half2 __half2half2(__half a) { return {a, a}; }
PNSIM_INLINE __half2 __halves2half2(__half a, __half b) { return {a, b}; }
PNSIM_INLINE __half2 make_half2(__half a, __half b) { return {a, b}; }
PNSIM_INLINE __half2 __float2half2_rn(float a) { return {__half(a), __half(a)}; }
PNSIM_INLINE __half2 __floats2half2_rn(float a, float b) { return {__half(a), __half(b)}; }
PNSIM_INLINE __half2 __float22half2_rn(float2 a) { return {__half(a.x), __half(a.y)}; }
PNSIM_INLINE float2 __half22float2(__half2 a) { return {float(a.x), float(a.y)}; }
PNSIM_INLINE __half __low2half(__half2 a) { return a.x; }
PNSIM_INLINE __half __high2half(__half2 a) { return a.y; }
PNSIM_INLINE float __low2float(__half2 a) { return float(a.x); }
PNSIM_INLINE float __high2float(__half2 a) { return float(a.y); }
PNSIM_INLINE __half2 __low2half2(__half2 a) { return {a.x, a.x}; }
PNSIM_INLINE __half2 __high2half2(__half2 a) { return {a.y, a.y}; }
PNSIM_INLINE __half2 __lowhigh2highlow(__half2 a) { return {a.y, a.x}; }
PNSIM_INLINE __half2 __lows2half2(__half2 a, __half2 b) { return {a.x, b.x}; }
PNSIM_INLINE __half2 __highs2half2(__half2 a, __half2 b) { return {a.y, b.y}; }
PNSIM_INLINE __half __hadd(__half a, __half b) { return a + b; }
PNSIM_INLINE __half2 __hadd2(__half2 a, __half2 b) { return a + b; }
PNSIM_INLINE __half __hsub(__half a, __half b) { return a - b; }
PNSIM_INLINE __half2 __hsub2(__half2 a, __half2 b) { return a - b; }
PNSIM_INLINE __half __hmul(__half a, __half b) { return a * b; }
PNSIM_INLINE __half2 __hmul2(__half2 a, __half2 b) { return a * b; }
PNSIM_INLINE __half __hdiv(__half a, __half b) { return a / b; }
PNSIM_INLINE __half2 __h2div(__half2 a, __half2 b) { return a / b; }
PNSIM_INLINE __half __hneg(__half a) { return -a; }
PNSIM_INLINE __half2 __hneg2(__half2 a) { return -a; }
PNSIM_INLINE __half __habs(__half a) { a.bits &= 0x7fff; return a; }
PNSIM_INLINE __half2 __habs2(__half2 a) { return {__habs(a.x), __habs(a.y)}; }
PNSIM_INLINE __half __hfma(__half a, __half b, __half c) { return __half(float(double(float(a)) * float(b) + float(c))); }
PNSIM_INLINE __half2 __hfma2(__half2 a, __half2 b, __half2 c) { return {__hfma(a.x, b.x, c.x), __hfma(a.y, b.y, c.y)}; }
PNSIM_INLINE __half __hadd_sat(__half a, __half b) { return __half(__saturatef(float(a + b))); }
PNSIM_INLINE __half __hsub_sat(__half a, __half b) { return __half(__saturatef(float(a - b))); }
PNSIM_INLINE __half __hmul_sat(__half a, __half b) { return __half(__saturatef(float(a * b))); }
PNSIM_INLINE __half __hfma_sat(__half a, __half b, __half c) { return __half(__saturatef(float(__hfma(a, b, c)))); }
PNSIM_INLINE __half __hfma_relu(__half a, __half b, __half c) { const __half v = __hfma(a, b, c); return float(v) < 0 ? __half(0.0f) : v; }
PNSIM_INLINE __half __hmax(__half a, __half b) { return __half(fmaxf(a, b)); }
PNSIM_INLINE __half __hmin(__half a, __half b) { return __half(fminf(a, b)); }
PNSIM_INLINE __half2 __hmax2(__half2 a, __half2 b) { return {__hmax(a.x, b.x), __hmax(a.y, b.y)}; }
PNSIM_INLINE __half2 __hmin2(__half2 a, __half2 b) { return {__hmin(a.x, b.x), __hmin(a.y, b.y)}; }
PNSIM_INLINE bool __hisnan(__half a) { return (a.bits & 0x7fff) > 0x7c00; }
PNSIM_INLINE int __hisinf(__half a) { return (a.bits & 0x7fff) != 0x7c00 ? 0 : a.bits & 0x8000 ? -1 : 1; }
PNSIM_INLINE bool __heq(__half a, __half b) { return float(a) == float(b); }
PNSIM_INLINE bool __hne(__half a, __half b) { return float(a) != float(b); }
PNSIM_INLINE bool __hlt(__half a, __half b) { return float(a) < float(b); }
PNSIM_INLINE bool __hle(__half a, __half b) { return float(a) <= float(b); }
PNSIM_INLINE bool __hgt(__half a, __half b) { return float(a) > float(b); }
PNSIM_INLINE bool __hge(__half a, __half b) { return float(a) >= float(b); }
PNSIM_INLINE __half hexp(__half a) { return __half(expf(float(a))); }
PNSIM_INLINE __half2 h2exp(__half2 a) { return {hexp(a.x), hexp(a.y)}; }
PNSIM_INLINE __half hlog(__half a) { return __half(logf(float(a))); }
PNSIM_INLINE __half2 h2log(__half2 a) { return {hlog(a.x), hlog(a.y)}; }
PNSIM_INLINE __half hsqrt(__half a) { return __half(sqrtf(float(a))); }
PNSIM_INLINE __half2 h2sqrt(__half2 a) { return {hsqrt(a.x), hsqrt(a.y)}; }
PNSIM_INLINE __half hrsqrt(__half a) { return __half(rsqrtf(float(a))); }
PNSIM_INLINE __half2 h2rsqrt(__half2 a) { return {hrsqrt(a.x), hrsqrt(a.y)}; }
PNSIM_INLINE __half hrcp(__half a) { return __half(1.0f / (float(a))); }
PNSIM_INLINE __half2 h2rcp(__half2 a) { return {hrcp(a.x), hrcp(a.y)}; }
PNSIM_INLINE __half hsin(__half a) { return __half(sinf(float(a))); }
PNSIM_INLINE __half2 h2sin(__half2 a) { return {hsin(a.x), hsin(a.y)}; }
PNSIM_INLINE __half hcos(__half a) { return __half(cosf(float(a))); }
PNSIM_INLINE __half2 h2cos(__half2 a) { return {hcos(a.x), hcos(a.y)}; }
PNSIM_INLINE __half hexp2(__half a) { return __half(exp2f(float(a))); }
PNSIM_INLINE __half2 h2exp2(__half2 a) { return {hexp2(a.x), hexp2(a.y)}; }
PNSIM_INLINE __half hlog2(__half a) { return __half(log2f(float(a))); }
PNSIM_INLINE __half2 h2log2(__half2 a) { return {hlog2(a.x), hlog2(a.y)}; }
PNSIM_INLINE __half hceil(__half a) { return __half(ceilf(float(a))); }
PNSIM_INLINE __half2 h2ceil(__half2 a) { return {hceil(a.x), hceil(a.y)}; }
PNSIM_INLINE __half hfloor(__half a) { return __half(floorf(float(a))); }
PNSIM_INLINE __half2 h2floor(__half2 a) { return {hfloor(a.x), hfloor(a.y)}; }
PNSIM_INLINE __half hrint(__half a) { return __half(rintf(float(a))); }
PNSIM_INLINE __half2 h2rint(__half2 a) { return {hrint(a.x), hrint(a.y)}; }
PNSIM_INLINE __half htrunc(__half a) { return __half(truncf(float(a))); }
PNSIM_INLINE __half2 h2trunc(__half2 a) { return {htrunc(a.x), htrunc(a.y)}; }
PNSIM_INLINE __half htanh(__half a) { return __half(tanhf(float(a))); }
PNSIM_INLINE __half2 h2tanh(__half2 a) { return {htanh(a.x), htanh(a.y)}; }

PNSIM_INLINE __half atomicAdd(__half* p, __half v, PNSIM_HERE) {
  PNSIM_ATOMIC_AT(p);
  pnsim::spin();
  return pnsim::apply<pnsim::Add>(p, v);
}
PNSIM_INLINE __half2 atomicAdd(__half2* p, __half2 v, PNSIM_HERE) {
  PNSIM_ATOMIC_AT(p);
  pnsim::spin();
  return pnsim::apply<pnsim::Add>(p, v);
}

// half with a built-in arithmetic type: the result is a half, as for the constructors of CUDA's own class
#define PNSIM_MIXED(op)                                                                                                \
  template <typename N, typename = std::enable_if_t<std::is_arithmetic_v<N>>> PNSIM_INLINE __half operator op(const __half& a, N b) { return a op __half(b); } \
  template <typename N, typename = std::enable_if_t<std::is_arithmetic_v<N>>> PNSIM_INLINE __half operator op(N a, const __half& b) { return __half(a) op b; }
PNSIM_MIXED(+) PNSIM_MIXED(-) PNSIM_MIXED(*) PNSIM_MIXED(/)
#undef PNSIM_MIXED
#define PNSIM_MIXED(op)                                                                                                \
  template <typename N, typename = std::enable_if_t<std::is_arithmetic_v<N>>> PNSIM_INLINE bool operator op(const __half& a, N b) { return float(a) op b; } \
  template <typename N, typename = std::enable_if_t<std::is_arithmetic_v<N>>> PNSIM_INLINE bool operator op(N a, const __half& b) { return a op float(b); }
PNSIM_MIXED(==) PNSIM_MIXED(!=) PNSIM_MIXED(<) PNSIM_MIXED(<=) PNSIM_MIXED(>) PNSIM_MIXED(>=)
#undef PNSIM_MIXED
