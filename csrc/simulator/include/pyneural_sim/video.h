// SIMD within a word: the intrinsics on two halfwords or four bytes of a 32-bit register.
#pragma once
#include "language.h"

namespace pnsim {

// Applies `op` to each pair of lanes of T, whose results are cut to the lane's width.
template <typename T, typename Op>
PNSIM_INLINE unsigned by_lanes(unsigned a, unsigned b, Op op) {
  constexpr int width = 8 * sizeof(T);
  unsigned result = 0;
  for (int shift = 0; shift < 32; shift += width) {
    const long long lane = op((long long)T(a >> shift), (long long)T(b >> shift));
    result |= (unsigned(lane) & ((1u << width) - 1)) << shift;
  }
  return result;
}
template <typename T> PNSIM_INLINE long long saturated(long long v) {
  constexpr long long low = T(-1) < T(0) ? -(1ll << (8 * sizeof(T) - 1)) : 0;
  constexpr long long high = low + (1ll << (8 * sizeof(T))) - 1;
  return v < low ? low : v > high ? high : v;
}

}  // namespace pnsim

#define PNSIM_VIDEO(name, T, expression) \
  PNSIM_INLINE unsigned name(unsigned x, unsigned y) { \
    return pnsim::by_lanes<T>(x, y, [](long long a, long long b) -> long long { return expression; }); \
  }
#define PNSIM_VIDEO_COMPARE(n, name, T, op) \
  PNSIM_VIDEO(__vcmp##name##n, T, a op b ? -1 : 0) \
  PNSIM_VIDEO(__vset##name##n, T, a op b)
#define PNSIM_VIDEO_ALL(n, S, U) \
  PNSIM_VIDEO(__vadd##n, U, a + b) \
  PNSIM_VIDEO(__vsub##n, U, a - b) \
  PNSIM_VIDEO(__vaddss##n, S, pnsim::saturated<S>(a + b)) \
  PNSIM_VIDEO(__vaddus##n, U, pnsim::saturated<U>(a + b)) \
  PNSIM_VIDEO(__vsubss##n, S, pnsim::saturated<S>(a - b)) \
  PNSIM_VIDEO(__vsubus##n, U, pnsim::saturated<U>(a - b)) \
  PNSIM_VIDEO(__vavgs##n, S, (a + b + (a + b >= 0)) >> 1) \
  PNSIM_VIDEO(__vavgu##n, U, (a + b + 1) >> 1) \
  PNSIM_VIDEO(__vhaddu##n, U, (a + b) >> 1) \
  PNSIM_VIDEO(__vabsdiffs##n, S, a < b ? b - a : a - b) \
  PNSIM_VIDEO(__vabsdiffu##n, U, a < b ? b - a : a - b) \
  PNSIM_VIDEO(__vmaxs##n, S, a < b ? b : a) \
  PNSIM_VIDEO(__vmaxu##n, U, a < b ? b : a) \
  PNSIM_VIDEO(__vmins##n, S, a < b ? a : b) \
  PNSIM_VIDEO(__vminu##n, U, a < b ? a : b) \
  PNSIM_VIDEO_COMPARE(n, eq, U, ==) \
  PNSIM_VIDEO_COMPARE(n, ne, U, !=) \
  PNSIM_VIDEO_COMPARE(n, ges, S, >=) \
  PNSIM_VIDEO_COMPARE(n, geu, U, >=) \
  PNSIM_VIDEO_COMPARE(n, gts, S, >) \
  PNSIM_VIDEO_COMPARE(n, gtu, U, >) \
  PNSIM_VIDEO_COMPARE(n, les, S, <=) \
  PNSIM_VIDEO_COMPARE(n, leu, U, <=) \
  PNSIM_VIDEO_COMPARE(n, lts, S, <) \
  PNSIM_VIDEO_COMPARE(n, ltu, U, <) \
  PNSIM_INLINE unsigned __vneg##n(unsigned x) { return __vsub##n(0, x); } \
  PNSIM_INLINE unsigned __vnegss##n(unsigned x) { return __vsubss##n(0, x); } \
  PNSIM_INLINE unsigned __vabs##n(unsigned x) { return __vabsdiffs##n(x, 0); } \
  PNSIM_INLINE unsigned __vabsss##n(unsigned x) { return __vmaxs##n(x, __vnegss##n(x)); } \
  PNSIM_INLINE unsigned __vsads##n(unsigned x, unsigned y) { \
    const unsigned d = __vabsdiffs##n(x, y); \
    unsigned sum = 0; \
    for (int shift = 0; shift < 32; shift += int(8 * sizeof(U))) sum += (U)(d >> shift); \
    return sum; \
  } \
  PNSIM_INLINE unsigned __vsadu##n(unsigned x, unsigned y) { \
    const unsigned d = __vabsdiffu##n(x, y); \
    unsigned sum = 0; \
    for (int shift = 0; shift < 32; shift += int(8 * sizeof(U))) sum += (U)(d >> shift); \
    return sum; \
  }

PNSIM_VIDEO_ALL(2, short, unsigned short)
PNSIM_VIDEO_ALL(4, signed char, unsigned char)

#undef PNSIM_VIDEO_ALL
#undef PNSIM_VIDEO_COMPARE
#undef PNSIM_VIDEO
