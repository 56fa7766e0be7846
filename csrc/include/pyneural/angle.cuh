// Sine and cosine of double without local memory. CUDA's own keep the words of a large angle's reduction in an array
// that is indexed at run time, 40 bytes of local memory for each thread; here all of them are registers.
//
// Angles up to kSmallAngle lose multiples of pi/2 by three constants (Cody and Waite 1980), larger ones by the 192 bits
// of 2/pi that matter to them (Payne and Hanek 1983); what is left goes through minimax polynomials of degree 13 and 14.
#pragma once
#include <pyneural/element.cuh>

namespace pyneural {

constexpr double kSmallAngle = 105615.0;  // below it q pi/2 is exact enough in three parts
constexpr double kQuarter = 0x1.921fb54442d18p+0, kQuarterRest = 0x1.1a62633145c07p-54, kQuarterLast = -0x1.f1976b7ed8fbcp-110;
constexpr double kTwoOverPi = 0x1.45f306dc9c883p-1;

using Word = unsigned long long;

// The binary digits of 2/pi, behind 64 zeros that a small exponent reaches into.
__constant__ const Word kTwoOverPiBits[] = {
    0x0,                0xa2f9836e4e441529, 0xfc2757d1f534ddc0, 0xdb6295993c439041, 0xfe5163abdebbc561,
    0xb7246e3a424dd2e0, 0x06492eea09d1921c, 0xfe1deb1cb129a73e, 0xe88235f52ebb4484, 0xe99c7026b45f7e41,
    0x3991d639835339f4, 0x9c845f8bbdf9283b, 0x1ff897ffde05980f, 0xef2f118b5a0a6d1f, 0x6d367ecf27cb09b7,
    0x4f463f669e5fea2d, 0x7527bac7ebe5f17b, 0x3d0739f78a5292ea, 0x6bfb5fb11f8d5d08, 0x56033046fc7b6bab,
};

// What an angle leaves beyond `quarters` times pi/2, modulo full turns; at most pi/4 in size.
struct Angle {
  double rest;
  int quarters;
};

__device__ __forceinline__ Word word_at(int bit) {
  const int word = bit / 64, shift = bit % 64;
  return shift ? kTwoOverPiBits[word] << shift | kTwoOverPiBits[word + 1] >> (64 - shift) : kTwoOverPiBits[word];
}

// For finite x of at least 2^16: |x| = significand * 2^exponent, times 2/pi, modulo 4, in fixed point of 190 bits.
__device__ __forceinline__ Angle reduced_exactly(double x) {
  const Word pattern = __double_as_longlong(x);
  const Word significand = (pattern & 0xfffffffffffffull) | 0x10000000000000ull;
  const int exponent = int(pattern >> 52 & 0x7ff) - 1075;
  // Digits before this one make full turns.
  const int first = 64 + exponent - 2;
  const Word high = word_at(first), middle = word_at(first + 64), low = word_at(first + 128);
  // The lower 192 bits of the product; what lies above them are full turns too.
  Word r0 = significand * low;
  Word r1 = significand * middle, r2 = significand * high + __umul64hi(significand, middle);
  const Word carried = __umul64hi(significand, low);
  r1 += carried;
  r2 += r1 < carried;
  int quarters = int(r2 >> 62);
  r2 = r2 << 2 | r1 >> 62;
  r1 = r1 << 2 | r0 >> 62;
  r0 <<= 2;
  // To the nearest quarter: the fraction as a signed number.
  const bool below = r2 >> 63;
  quarters += below;
  if (below) {
    r0 = ~r0 + 1;
    r1 = ~r1 + (r0 == 0);
    r2 = ~r2 + (r0 == 0 && r1 == 0);
  }
  // No double lies closer to a multiple of pi/2 than 2^-62: at most one word is zero.
  int zeros = 0;
  if (r2 == 0) {
    r2 = r1;
    r1 = r0;
    r0 = 0;
    zeros = 64;
  }
  const int shift = __clzll(static_cast<long long>(r2));
  if (shift) {
    r2 = r2 << shift | r1 >> (64 - shift);
    r1 = r1 << shift | r0 >> (64 - shift);
  }
  zeros += shift;
  const double scale = __longlong_as_double(Word(1023 - 53 - zeros) << 52);  // 2^(-53 - zeros)
  const double fraction = double(r2 >> 11);
  const double behind = double((r2 & 0x7ff) << 53 | r1 >> 11) * 0x1p-64;
  double rest = fraction * kQuarter;
  rest += fma(fraction, kQuarter, -rest) + fma(fraction, kQuarterRest, behind * kQuarter);
  rest *= scale;
  const bool negative = (pattern >> 63) != 0;
  return {below != negative ? -rest : rest, negative ? -quarters : quarters};
}

__device__ __forceinline__ Angle reduced(double x) {
  const double size = fabs(x);
  if (size <= 0x1.921fb54442d18p-1) return {x, 0};
  if (size <= kSmallAngle) {
    const double quarters = rint(x * kTwoOverPi);
    double rest = fma(-quarters, kQuarter, x);
    rest = fma(-quarters, kQuarterRest, rest);
    return {fma(-quarters, kQuarterLast, rest), int(quarters)};
  }
  if (!isfinite(x)) return {x - x, 0};
  return reduced_exactly(x);
}

__device__ __forceinline__ double sine_of_quarter(const Angle& angle, int quarters) {
  const double r = angle.rest, z = r * r;
  double result;
  if (quarters & 1) {
    double p = -1.1382547036606911e-11;
    p = fma(p, z, 2.0876144978111455e-09);
    p = fma(p, z, -2.755731726490816e-07);
    p = fma(p, z, 2.480158729875097e-05);
    p = fma(p, z, -0.0013888888888887387);
    p = fma(p, z, 0.041666666666666664);
    result = fma(z * z, p, fma(-0.5, z, 1.0));
  } else {
    double p = 1.5917933891253666e-10;
    p = fma(p, z, -2.505112887331803e-08);
    p = fma(p, z, 2.7557316086736407e-06);
    p = fma(p, z, -0.00019841269836724218);
    p = fma(p, z, 0.008333333333330922);
    p = fma(p, z, -0.16666666666666666);
    result = r == 0 ? r : fma(z * r, p, r);  // the sum would lose the sign of zero
  }
  return quarters & 2 ? -result : result;
}

__device__ __forceinline__ double sin_of(double x) {
  const Angle angle = reduced(x);
  return sine_of_quarter(angle, angle.quarters);
}
__device__ __forceinline__ double cos_of(double x) {
  const Angle angle = reduced(x);
  return sine_of_quarter(angle, angle.quarters + 1);
}
__device__ __forceinline__ float sin_of(float x) { return sin(x); }
__device__ __forceinline__ float cos_of(float x) { return cos(x); }

}  // namespace pyneural
