// The simulator's cuda_bf16.h.
#pragma once
#include "pyneural_sim/atomics.h"
#include "pyneural_sim/small_floats.h"
#include "pyneural_sim/warp.h"

struct __nv_bfloat16_raw { unsigned short x; };
struct alignas(2) __nv_bfloat16 {
  unsigned short bits;
  __nv_bfloat16() = default;
  __nv_bfloat16(__nv_bfloat16_raw r) : bits(r.x) {}
  __nv_bfloat16(float f) : bits(pnsim::float_to_bfloat(f)) {}
  __nv_bfloat16(double f) : bits(pnsim::float_to_bfloat(float(f))) {}
  __nv_bfloat16(int v) : bits(pnsim::float_to_bfloat(float(v))) {}
  __nv_bfloat16(unsigned v) : bits(pnsim::float_to_bfloat(float(v))) {}
  __nv_bfloat16(long long v) : bits(pnsim::float_to_bfloat(float(v))) {}
  __nv_bfloat16(unsigned long long v) : bits(pnsim::float_to_bfloat(float(v))) {}
  __nv_bfloat16(long v) : bits(pnsim::float_to_bfloat(float(v))) {}
  __nv_bfloat16(unsigned long v) : bits(pnsim::float_to_bfloat(float(v))) {}
  operator float() const { return pnsim::bfloat_to_float(bits); }
  __nv_bfloat16& operator+=(const __nv_bfloat16& o) { return *this = __nv_bfloat16(float(*this) + float(o)); }
  __nv_bfloat16& operator-=(const __nv_bfloat16& o) { return *this = __nv_bfloat16(float(*this) - float(o)); }
  __nv_bfloat16& operator*=(const __nv_bfloat16& o) { return *this = __nv_bfloat16(float(*this) * float(o)); }
  __nv_bfloat16& operator/=(const __nv_bfloat16& o) { return *this = __nv_bfloat16(float(*this) / float(o)); }
};
typedef __nv_bfloat16 nv_bfloat16;
PNSIM_INLINE __nv_bfloat16 operator+(const __nv_bfloat16& a, const __nv_bfloat16& b) { return __nv_bfloat16(float(a) + float(b)); }
PNSIM_INLINE __nv_bfloat16 operator-(const __nv_bfloat16& a, const __nv_bfloat16& b) { return __nv_bfloat16(float(a) - float(b)); }
PNSIM_INLINE __nv_bfloat16 operator*(const __nv_bfloat16& a, const __nv_bfloat16& b) { return __nv_bfloat16(float(a) * float(b)); }
PNSIM_INLINE __nv_bfloat16 operator/(const __nv_bfloat16& a, const __nv_bfloat16& b) { return __nv_bfloat16(float(a) / float(b)); }
PNSIM_INLINE bool operator==(const __nv_bfloat16& a, const __nv_bfloat16& b) { return float(a) == float(b); }
PNSIM_INLINE bool operator!=(const __nv_bfloat16& a, const __nv_bfloat16& b) { return float(a) != float(b); }
PNSIM_INLINE bool operator<(const __nv_bfloat16& a, const __nv_bfloat16& b) { return float(a) < float(b); }
PNSIM_INLINE bool operator<=(const __nv_bfloat16& a, const __nv_bfloat16& b) { return float(a) <= float(b); }
PNSIM_INLINE bool operator>(const __nv_bfloat16& a, const __nv_bfloat16& b) { return float(a) > float(b); }
PNSIM_INLINE bool operator>=(const __nv_bfloat16& a, const __nv_bfloat16& b) { return float(a) >= float(b); }
PNSIM_INLINE __nv_bfloat16 operator-(const __nv_bfloat16& a) { __nv_bfloat16 r = a; r.bits ^= 0x8000; return r; }

struct alignas(4) __nv_bfloat162 {
  __nv_bfloat16 x, y;
  __nv_bfloat162() = default;
  __nv_bfloat162(__nv_bfloat16 x, __nv_bfloat16 y) : x(x), y(y) {}
};
typedef __nv_bfloat162 nv_bfloat162;
PNSIM_INLINE __nv_bfloat162 operator-(const __nv_bfloat162& a) { return {-a.x, -a.y}; }
PNSIM_INLINE __nv_bfloat162 operator+(const __nv_bfloat162& a, const __nv_bfloat162& b) { return {a.x + b.x, a.y + b.y}; }
PNSIM_INLINE __nv_bfloat162& operator+=(__nv_bfloat162& a, const __nv_bfloat162& b) { return a = a + b; }
PNSIM_INLINE __nv_bfloat162 operator-(const __nv_bfloat162& a, const __nv_bfloat162& b) { return {a.x - b.x, a.y - b.y}; }
PNSIM_INLINE __nv_bfloat162& operator-=(__nv_bfloat162& a, const __nv_bfloat162& b) { return a = a - b; }
PNSIM_INLINE __nv_bfloat162 operator*(const __nv_bfloat162& a, const __nv_bfloat162& b) { return {a.x * b.x, a.y * b.y}; }
PNSIM_INLINE __nv_bfloat162& operator*=(__nv_bfloat162& a, const __nv_bfloat162& b) { return a = a * b; }
PNSIM_INLINE __nv_bfloat162 operator/(const __nv_bfloat162& a, const __nv_bfloat162& b) { return {a.x / b.x, a.y / b.y}; }
PNSIM_INLINE __nv_bfloat162& operator/=(__nv_bfloat162& a, const __nv_bfloat162& b) { return a = a / b; }

namespace pnsim {
template <> struct type_tag<__nv_bfloat16> { static constexpr const char* name() { return "bfloat16"; } };
template <> struct type_tag<__nv_bfloat162> : type_tag<__nv_bfloat16> {};
}  // namespace pnsim

PNSIM_INLINE __nv_bfloat16 __float2bfloat16(float f) { return __nv_bfloat16(f); }
PNSIM_INLINE __nv_bfloat16 __float2bfloat16_rn(float f) { return __nv_bfloat16(f); }
PNSIM_INLINE __nv_bfloat16 __double2bfloat16(double f) { return __nv_bfloat16(f); }
PNSIM_INLINE float __bfloat162float(const __nv_bfloat16& h) { return float(h); }
PNSIM_INLINE __nv_bfloat16 __int2bfloat16_rn(int v) { return __nv_bfloat16(v); }
PNSIM_INLINE __nv_bfloat16 __uint2bfloat16_rn(unsigned v) { return __nv_bfloat16(v); }
PNSIM_INLINE __nv_bfloat16 __ushort_as_bfloat16(unsigned short v) { return __nv_bfloat16(__nv_bfloat16_raw{v}); }
PNSIM_INLINE __nv_bfloat16 __short_as_bfloat16(short v) { return __nv_bfloat16(__nv_bfloat16_raw{(unsigned short)v}); }
PNSIM_INLINE unsigned short __bfloat16_as_ushort(__nv_bfloat16 h) { return h.bits; }
PNSIM_INLINE short __bfloat16_as_short(__nv_bfloat16 h) { return short(h.bits); }
PNSIM_INLINE int __bfloat162int_rn(__nv_bfloat16 h) { return __float2int_rn(h); }
PNSIM_INLINE int __bfloat162int_rz(__nv_bfloat16 h) { return __float2int_rz(h); }
PNSIM_INLINE __nv_bfloat162 __bfloat162bfloat162(__nv_bfloat16 a) { return {a, a}; }
PNSIM_INLINE __nv_bfloat162 __bfloat16s2bfloat162(__nv_bfloat16 a, __nv_bfloat16 b) { return {a, b}; }
PNSIM_INLINE __nv_bfloat162 make_bfloat162(__nv_bfloat16 a, __nv_bfloat16 b) { return {a, b}; }
PNSIM_INLINE __nv_bfloat162 __float2bfloat162_rn(float a) { return {__nv_bfloat16(a), __nv_bfloat16(a)}; }
PNSIM_INLINE __nv_bfloat162 __floats2bfloat162_rn(float a, float b) { return {__nv_bfloat16(a), __nv_bfloat16(b)}; }
PNSIM_INLINE __nv_bfloat162 __float22bfloat162_rn(float2 a) { return {__nv_bfloat16(a.x), __nv_bfloat16(a.y)}; }
PNSIM_INLINE float2 __bfloat1622float2(__nv_bfloat162 a) { return {float(a.x), float(a.y)}; }
PNSIM_INLINE __nv_bfloat16 __low2bfloat16(__nv_bfloat162 a) { return a.x; }
PNSIM_INLINE __nv_bfloat16 __high2bfloat16(__nv_bfloat162 a) { return a.y; }
PNSIM_INLINE float __low2float(__nv_bfloat162 a) { return float(a.x); }
PNSIM_INLINE float __high2float(__nv_bfloat162 a) { return float(a.y); }
PNSIM_INLINE __nv_bfloat162 __low2bfloat162(__nv_bfloat162 a) { return {a.x, a.x}; }
PNSIM_INLINE __nv_bfloat162 __high2bfloat162(__nv_bfloat162 a) { return {a.y, a.y}; }
PNSIM_INLINE __nv_bfloat162 __lowhigh2highlow(__nv_bfloat162 a) { return {a.y, a.x}; }
PNSIM_INLINE __nv_bfloat162 __halves2bfloat162(__nv_bfloat16 a, __nv_bfloat16 b) { return {a, b}; }
PNSIM_INLINE __nv_bfloat162 __lows2bfloat162(__nv_bfloat162 a, __nv_bfloat162 b) { return {a.x, b.x}; }
PNSIM_INLINE __nv_bfloat162 __highs2bfloat162(__nv_bfloat162 a, __nv_bfloat162 b) { return {a.y, b.y}; }
PNSIM_INLINE __nv_bfloat16 __hadd(__nv_bfloat16 a, __nv_bfloat16 b) { return a + b; }
PNSIM_INLINE __nv_bfloat162 __hadd2(__nv_bfloat162 a, __nv_bfloat162 b) { return a + b; }
PNSIM_INLINE __nv_bfloat16 __hsub(__nv_bfloat16 a, __nv_bfloat16 b) { return a - b; }
PNSIM_INLINE __nv_bfloat162 __hsub2(__nv_bfloat162 a, __nv_bfloat162 b) { return a - b; }
PNSIM_INLINE __nv_bfloat16 __hmul(__nv_bfloat16 a, __nv_bfloat16 b) { return a * b; }
PNSIM_INLINE __nv_bfloat162 __hmul2(__nv_bfloat162 a, __nv_bfloat162 b) { return a * b; }
PNSIM_INLINE __nv_bfloat16 __hdiv(__nv_bfloat16 a, __nv_bfloat16 b) { return a / b; }
PNSIM_INLINE __nv_bfloat162 __h2div(__nv_bfloat162 a, __nv_bfloat162 b) { return a / b; }
PNSIM_INLINE __nv_bfloat16 __hneg(__nv_bfloat16 a) { return -a; }
PNSIM_INLINE __nv_bfloat162 __hneg2(__nv_bfloat162 a) { return -a; }
PNSIM_INLINE __nv_bfloat16 __habs(__nv_bfloat16 a) { a.bits &= 0x7fff; return a; }
PNSIM_INLINE __nv_bfloat162 __habs2(__nv_bfloat162 a) { return {__habs(a.x), __habs(a.y)}; }
PNSIM_INLINE __nv_bfloat16 __hfma(__nv_bfloat16 a, __nv_bfloat16 b, __nv_bfloat16 c) { return __nv_bfloat16(float(double(float(a)) * float(b) + float(c))); }
PNSIM_INLINE __nv_bfloat162 __hfma2(__nv_bfloat162 a, __nv_bfloat162 b, __nv_bfloat162 c) { return {__hfma(a.x, b.x, c.x), __hfma(a.y, b.y, c.y)}; }
PNSIM_INLINE __nv_bfloat16 __hmax(__nv_bfloat16 a, __nv_bfloat16 b) { return __nv_bfloat16(fmaxf(a, b)); }
PNSIM_INLINE __nv_bfloat16 __hmin(__nv_bfloat16 a, __nv_bfloat16 b) { return __nv_bfloat16(fminf(a, b)); }
PNSIM_INLINE __nv_bfloat162 __hmax2(__nv_bfloat162 a, __nv_bfloat162 b) { return {__hmax(a.x, b.x), __hmax(a.y, b.y)}; }
PNSIM_INLINE __nv_bfloat162 __hmin2(__nv_bfloat162 a, __nv_bfloat162 b) { return {__hmin(a.x, b.x), __hmin(a.y, b.y)}; }
PNSIM_INLINE bool __hisnan(__nv_bfloat16 a) { return (a.bits & 0x7fff) > 0x7f80; }
PNSIM_INLINE int __hisinf(__nv_bfloat16 a) { return (a.bits & 0x7fff) != 0x7f80 ? 0 : a.bits & 0x8000 ? -1 : 1; }
PNSIM_INLINE bool __heq(__nv_bfloat16 a, __nv_bfloat16 b) { return float(a) == float(b); }
PNSIM_INLINE bool __hne(__nv_bfloat16 a, __nv_bfloat16 b) { return float(a) != float(b); }
PNSIM_INLINE bool __hlt(__nv_bfloat16 a, __nv_bfloat16 b) { return float(a) < float(b); }
PNSIM_INLINE bool __hle(__nv_bfloat16 a, __nv_bfloat16 b) { return float(a) <= float(b); }
PNSIM_INLINE bool __hgt(__nv_bfloat16 a, __nv_bfloat16 b) { return float(a) > float(b); }
PNSIM_INLINE bool __hge(__nv_bfloat16 a, __nv_bfloat16 b) { return float(a) >= float(b); }
PNSIM_INLINE __nv_bfloat16 hexp(__nv_bfloat16 a) { return __nv_bfloat16(expf(float(a))); }
PNSIM_INLINE __nv_bfloat162 h2exp(__nv_bfloat162 a) { return {hexp(a.x), hexp(a.y)}; }
PNSIM_INLINE __nv_bfloat16 hlog(__nv_bfloat16 a) { return __nv_bfloat16(logf(float(a))); }
PNSIM_INLINE __nv_bfloat162 h2log(__nv_bfloat162 a) { return {hlog(a.x), hlog(a.y)}; }
PNSIM_INLINE __nv_bfloat16 hsqrt(__nv_bfloat16 a) { return __nv_bfloat16(sqrtf(float(a))); }
PNSIM_INLINE __nv_bfloat162 h2sqrt(__nv_bfloat162 a) { return {hsqrt(a.x), hsqrt(a.y)}; }
PNSIM_INLINE __nv_bfloat16 hrsqrt(__nv_bfloat16 a) { return __nv_bfloat16(rsqrtf(float(a))); }
PNSIM_INLINE __nv_bfloat162 h2rsqrt(__nv_bfloat162 a) { return {hrsqrt(a.x), hrsqrt(a.y)}; }
PNSIM_INLINE __nv_bfloat16 hrcp(__nv_bfloat16 a) { return __nv_bfloat16(1.0f / (float(a))); }
PNSIM_INLINE __nv_bfloat162 h2rcp(__nv_bfloat162 a) { return {hrcp(a.x), hrcp(a.y)}; }
PNSIM_INLINE __nv_bfloat16 hsin(__nv_bfloat16 a) { return __nv_bfloat16(sinf(float(a))); }
PNSIM_INLINE __nv_bfloat162 h2sin(__nv_bfloat162 a) { return {hsin(a.x), hsin(a.y)}; }
PNSIM_INLINE __nv_bfloat16 hcos(__nv_bfloat16 a) { return __nv_bfloat16(cosf(float(a))); }
PNSIM_INLINE __nv_bfloat162 h2cos(__nv_bfloat162 a) { return {hcos(a.x), hcos(a.y)}; }
PNSIM_INLINE __nv_bfloat16 hexp2(__nv_bfloat16 a) { return __nv_bfloat16(exp2f(float(a))); }
PNSIM_INLINE __nv_bfloat162 h2exp2(__nv_bfloat162 a) { return {hexp2(a.x), hexp2(a.y)}; }
PNSIM_INLINE __nv_bfloat16 hlog2(__nv_bfloat16 a) { return __nv_bfloat16(log2f(float(a))); }
PNSIM_INLINE __nv_bfloat162 h2log2(__nv_bfloat162 a) { return {hlog2(a.x), hlog2(a.y)}; }
PNSIM_INLINE __nv_bfloat16 hceil(__nv_bfloat16 a) { return __nv_bfloat16(ceilf(float(a))); }
PNSIM_INLINE __nv_bfloat162 h2ceil(__nv_bfloat162 a) { return {hceil(a.x), hceil(a.y)}; }
PNSIM_INLINE __nv_bfloat16 hfloor(__nv_bfloat16 a) { return __nv_bfloat16(floorf(float(a))); }
PNSIM_INLINE __nv_bfloat162 h2floor(__nv_bfloat162 a) { return {hfloor(a.x), hfloor(a.y)}; }
PNSIM_INLINE __nv_bfloat16 hrint(__nv_bfloat16 a) { return __nv_bfloat16(rintf(float(a))); }
PNSIM_INLINE __nv_bfloat162 h2rint(__nv_bfloat162 a) { return {hrint(a.x), hrint(a.y)}; }
PNSIM_INLINE __nv_bfloat16 htrunc(__nv_bfloat16 a) { return __nv_bfloat16(truncf(float(a))); }
PNSIM_INLINE __nv_bfloat162 h2trunc(__nv_bfloat162 a) { return {htrunc(a.x), htrunc(a.y)}; }
PNSIM_INLINE __nv_bfloat16 htanh(__nv_bfloat16 a) { return __nv_bfloat16(tanhf(float(a))); }
PNSIM_INLINE __nv_bfloat162 h2tanh(__nv_bfloat162 a) { return {htanh(a.x), htanh(a.y)}; }

PNSIM_INLINE __nv_bfloat16 atomicAdd(__nv_bfloat16* p, __nv_bfloat16 v, PNSIM_HERE) {
  PNSIM_ATOMIC_AT(p);
  pnsim::spin();
  return pnsim::apply<pnsim::Add>(p, v);
}
PNSIM_INLINE __nv_bfloat162 atomicAdd(__nv_bfloat162* p, __nv_bfloat162 v, PNSIM_HERE) {
  PNSIM_ATOMIC_AT(p);
  pnsim::spin();
  return pnsim::apply<pnsim::Add>(p, v);
}

// bfloat16 with a built-in arithmetic type: the result is a nv_bfloat16, as for the constructors of CUDA's own class
#define PNSIM_MIXED(op)                                                                                                \
  template <typename N, typename = std::enable_if_t<std::is_arithmetic_v<N>>> PNSIM_INLINE __nv_bfloat16 operator op(const __nv_bfloat16& a, N b) { return a op __nv_bfloat16(b); } \
  template <typename N, typename = std::enable_if_t<std::is_arithmetic_v<N>>> PNSIM_INLINE __nv_bfloat16 operator op(N a, const __nv_bfloat16& b) { return __nv_bfloat16(a) op b; }
PNSIM_MIXED(+) PNSIM_MIXED(-) PNSIM_MIXED(*) PNSIM_MIXED(/)
#undef PNSIM_MIXED
#define PNSIM_MIXED(op)                                                                                                \
  template <typename N, typename = std::enable_if_t<std::is_arithmetic_v<N>>> PNSIM_INLINE bool operator op(const __nv_bfloat16& a, N b) { return float(a) op b; } \
  template <typename N, typename = std::enable_if_t<std::is_arithmetic_v<N>>> PNSIM_INLINE bool operator op(N a, const __nv_bfloat16& b) { return a op float(b); }
PNSIM_MIXED(==) PNSIM_MIXED(!=) PNSIM_MIXED(<) PNSIM_MIXED(<=) PNSIM_MIXED(>) PNSIM_MIXED(>=)
#undef PNSIM_MIXED
