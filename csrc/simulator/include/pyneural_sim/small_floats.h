// Arithmetic of 16-bit floating-point types: computed in float, rounded to nearest even, as the GPU's own
// instructions are defined.
#pragma once
#include <type_traits>

#include "launch.h"
#include "math.h"

namespace pnsim {

PNSIM_INLINE float half_to_float(unsigned short h) {
#if defined(__F16C__) && !defined(__clang__)
  return __builtin_ia32_vcvtph2ps((short __attribute__((vector_size(16)))){short(h)})[0];
#else
  const unsigned sign = unsigned(h & 0x8000) << 16, exponent = h >> 10 & 31, fraction = h & 1023;
  if (exponent == 31) return bits<float>(sign | 0x7f800000u | fraction << 13);
  if (exponent) return bits<float>(sign | (exponent + 112) << 23 | fraction << 13);
  const float tiny = float(fraction) * 5.9604644775390625e-8f;  // 2^-24
  return sign ? -tiny : tiny;
#endif
}

PNSIM_INLINE unsigned short float_to_half(float f) {
#if defined(__F16C__) && !defined(__clang__)
  return (unsigned short)__builtin_ia32_vcvtps2ph((float __attribute__((vector_size(16)))){f}, 0)[0];
#else
  const unsigned x = bits<unsigned>(f), sign = x >> 16 & 0x8000, magnitude = x & 0x7fffffffu;
  if (magnitude > 0x7f800000u) return (unsigned short)(sign | 0x7e00 | (magnitude >> 13 & 0x1ff));
  if (magnitude >= 0x47800000u) return (unsigned short)(sign | 0x7c00);
  if (magnitude < 0x38800000u) {  // subnormal: let the adder of floats round
    const float shifted = bits<float>(magnitude) + 0.5f;
    return (unsigned short)(sign | (bits<unsigned>(shifted) - 0x3f000000u));
  }
  const unsigned rounded = magnitude + 0xfff + (magnitude >> 13 & 1);
  return (unsigned short)(sign | (rounded - 0x38000000u) >> 13);
#endif
}

PNSIM_INLINE float bfloat_to_float(unsigned short h) { return bits<float>(unsigned(h) << 16); }
PNSIM_INLINE unsigned short float_to_bfloat(float f) {
  const unsigned x = bits<unsigned>(f);
  if ((x & 0x7fffffffu) > 0x7f800000u) return 0x7fff;
  return (unsigned short)((x + 0x7fff + (x >> 16 & 1)) >> 16);
}

}  // namespace pnsim
