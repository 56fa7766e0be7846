// Philox 4x32-10 and the numbers made of it, for CUDA device code and plain C++17.
//
// Salmon, Moraes, Dror and Shaw, "Parallel Random Numbers: As Easy as 1, 2, 3", SC 2011.
//
// The stream of (seed, offset): block i is philox(counter = (i, offset), key = seed), 64-bit words low
// half first. Element i of a result takes word i % 4 of block i / 4; where it needs 64 bits, words
// 2 (i % 2) (high) and 2 (i % 2) + 1 (low) of block i / 2. kernels/random/contract.py is the contract;
// the arithmetic below repeats it to the last rounding, so every multiplication and addition is one
// IEEE operation that no compiler may contract into a fused multiply-add.
#pragma once

#if defined(__CUDACC_RTC__)  // NVRTC has no standard library; memcpy is built in
namespace std {
using int32_t = int;
using uint32_t = unsigned;
using int64_t = long long;
using uint64_t = unsigned long long;
using ::memcpy;
}  // namespace std
#else
#include <cmath>
#include <cstdint>
#include <cstring>
#endif

#if defined(__CUDACC__)
#define PYNEURAL_HOST_DEVICE __host__ __device__ __forceinline__
#else
#define PYNEURAL_HOST_DEVICE inline
#endif

namespace pyneural {

// Four 32-bit random words.
struct PhiloxBlock {
    std::uint32_t word[4];
};

PYNEURAL_HOST_DEVICE PhiloxBlock philox_4x32_10(PhiloxBlock counter, std::uint32_t key0, std::uint32_t key1) {
    constexpr std::uint32_t multiplier0 = 0xD2511F53u, multiplier1 = 0xCD9E8D57u;
    constexpr std::uint32_t weyl0 = 0x9E3779B9u, weyl1 = 0xBB67AE85u;
    constexpr int rounds = 10;
    for (int round = 0; round < rounds; ++round) {
        const std::uint64_t product0 = std::uint64_t{multiplier0} * counter.word[0];
        const std::uint64_t product1 = std::uint64_t{multiplier1} * counter.word[2];
        counter = {{static_cast<std::uint32_t>(product1 >> 32) ^ counter.word[1] ^ key0,
                    static_cast<std::uint32_t>(product1),
                    static_cast<std::uint32_t>(product0 >> 32) ^ counter.word[3] ^ key1,
                    static_cast<std::uint32_t>(product0)}};
        key0 += weyl0;
        key1 += weyl1;
    }
    return counter;
}

// Block `index` of the stream of (seed, offset).
PYNEURAL_HOST_DEVICE PhiloxBlock philox_block(std::uint64_t seed, std::uint64_t offset, std::uint64_t index) {
    const PhiloxBlock counter = {{static_cast<std::uint32_t>(index), static_cast<std::uint32_t>(index >> 32),
                                  static_cast<std::uint32_t>(offset), static_cast<std::uint32_t>(offset >> 32)}};
    return philox_4x32_10(counter, static_cast<std::uint32_t>(seed), static_cast<std::uint32_t>(seed >> 32));
}

// 64-bit value `half` (0 or 1) of a block, the earlier word high.
PYNEURAL_HOST_DEVICE std::uint64_t philox_value64(const PhiloxBlock& block, int half) {
    return std::uint64_t{block.word[2 * half]} << 32 | block.word[2 * half + 1];
}

namespace exact {  // single IEEE operations, rounded to nearest

#if defined(__CUDA_ARCH__)
__device__ __forceinline__ float add(float a, float b) { return __fadd_rn(a, b); }
__device__ __forceinline__ float mul(float a, float b) { return __fmul_rn(a, b); }
__device__ __forceinline__ float div(float a, float b) { return __fdiv_rn(a, b); }
__device__ __forceinline__ float root(float a) { return __fsqrt_rn(a); }
__device__ __forceinline__ double add(double a, double b) { return __dadd_rn(a, b); }
__device__ __forceinline__ double mul(double a, double b) { return __dmul_rn(a, b); }
__device__ __forceinline__ double div(double a, double b) { return __ddiv_rn(a, b); }
__device__ __forceinline__ double root(double a) { return __dsqrt_rn(a); }
#else
// A host compiler must be told as well: -ffp-contract=off (g++, clang++), /fp:precise (MSVC).
template <typename Real> PYNEURAL_HOST_DEVICE Real add(Real a, Real b) { return a + b; }
template <typename Real> PYNEURAL_HOST_DEVICE Real mul(Real a, Real b) { return a * b; }
template <typename Real> PYNEURAL_HOST_DEVICE Real div(Real a, Real b) { return a / b; }
template <typename Real> PYNEURAL_HOST_DEVICE Real root(Real a) { return std::sqrt(a); }
#endif

// The polynomial with these coefficients, highest power first, by Horner's rule.
template <typename Real, int N> PYNEURAL_HOST_DEVICE Real polynomial(Real x, const Real (&coefficients)[N]) {
    Real result = coefficients[0];
    for (int i = 1; i < N; ++i) {
        result = add(mul(result, x), coefficients[i]);
    }
    return result;
}

}  // namespace exact

// What the two precisions differ in. The coefficients are those of kernels/random/bits.py:
// log(m) = 2 (s + s s^2 LOG(s^2)) with s = (m - 1) / (m + 1); sin(a) = a + a a^2 SIN(a^2);
// cos(a) = 1 + a^2 COS(a^2).
template <typename Real> struct NormalTraits;

template <> struct NormalTraits<float> {
    using Word = std::uint32_t;
    using Signed = std::int32_t;
    static constexpr int width = 32, fraction = 23, bias = 126, unused_bits = 0;
    static PYNEURAL_HOST_DEVICE float log_series(float x) {
        const float c[] = {float(1.0 / 11), float(1.0 / 9), float(1.0 / 7), float(1.0 / 5), float(1.0 / 3)};
        return exact::polynomial(x, c);
    }
    static PYNEURAL_HOST_DEVICE float sin_series(float x) {
        const float c[] = {float(1.0 / 362880), float(-1.0 / 5040), float(1.0 / 120), float(-1.0 / 6)};
        return exact::polynomial(x, c);
    }
    static PYNEURAL_HOST_DEVICE float cos_series(float x) {
        const float c[] = {float(-1.0 / 3628800), float(1.0 / 40320), float(-1.0 / 720), float(1.0 / 24), float(-0.5)};
        return exact::polynomial(x, c);
    }
};

template <> struct NormalTraits<double> {
    using Word = std::uint64_t;
    using Signed = std::int64_t;
    static constexpr int width = 64, fraction = 52, bias = 1022, unused_bits = 11;
    static PYNEURAL_HOST_DEVICE double log_series(double x) {
        const double c[] = {1.0 / 23, 1.0 / 21, 1.0 / 19, 1.0 / 17, 1.0 / 15, 1.0 / 13,
                            1.0 / 11, 1.0 / 9,  1.0 / 7,  1.0 / 5,  1.0 / 3};
        return exact::polynomial(x, c);
    }
    static PYNEURAL_HOST_DEVICE double sin_series(double x) {
        const double c[] = {1.0 / 355687428096000.0, -1.0 / 1307674368000.0, 1.0 / 6227020800.0, -1.0 / 39916800.0,
                            1.0 / 362880.0,          -1.0 / 5040.0,          1.0 / 120.0,        -1.0 / 6.0};
        return exact::polynomial(x, c);
    }
    static PYNEURAL_HOST_DEVICE double cos_series(double x) {
        const double c[] = {-1.0 / 6402373705728000.0, 1.0 / 20922789888000.0, -1.0 / 87178291200.0,
                            1.0 / 479001600.0,         -1.0 / 3628800.0,       1.0 / 40320.0,
                            -1.0 / 720.0,              1.0 / 24.0,             -0.5};
        return exact::polynomial(x, c);
    }
};

// Uniform numbers in [0, 1): 24 bits of a word, 53 bits of a 64-bit value.
PYNEURAL_HOST_DEVICE float uniform_unit(std::uint32_t word) { return static_cast<float>(word >> 8) * 0x1p-24f; }
PYNEURAL_HOST_DEVICE double uniform_unit(std::uint64_t value) { return static_cast<double>(value >> 11) * 0x1p-53; }

// Two standard normal numbers.
template <typename Real> struct NormalPair {
    Real first, second;
};

// Box and Muller's transform of two random words: the logarithm of the first makes the radius, the
// second is the angle, taken apart into a quadrant and a rest so that no precision is lost.
template <typename Real>
PYNEURAL_HOST_DEVICE NormalPair<Real> box_muller(typename NormalTraits<Real>::Word u,
                                                 typename NormalTraits<Real>::Word v) {
    using Traits = NormalTraits<Real>;
    using Word = typename Traits::Word;
    using Signed = typename Traits::Signed;
    using exact::add;
    using exact::div;
    using exact::mul;
    constexpr int used = Traits::width - Traits::unused_bits;
    constexpr Real unit = Real(1) / Real(std::uint64_t{1} << (used - 1)) / Real(2);
    constexpr Real quarter = Real(1) / Real(Word{1} << (Traits::width - 2));

    const Real x = add(mul(static_cast<Real>(static_cast<Word>(u >> Traits::unused_bits)), unit), unit / Real(2));
    Signed whole;
    std::memcpy(&whole, &x, sizeof x);
    Real exponent = static_cast<Real>((whole >> Traits::fraction) - Signed{Traits::bias});
    const Signed mask = (Signed{1} << Traits::fraction) - 1;
    const Signed scaled = (whole & mask) | (Signed{Traits::bias} << Traits::fraction);
    Real mantissa;
    std::memcpy(&mantissa, &scaled, sizeof scaled);
    if (mantissa < Real(0.70710678118654752440)) {
        mantissa = add(mantissa, mantissa);
        exponent = add(exponent, Real(-1));
    }
    const Real s = div(add(mantissa, Real(-1)), add(mantissa, Real(1)));
    const Real s2 = mul(s, s);
    const Real series = add(s, mul(s, mul(s2, Traits::log_series(s2))));
    const Real logarithm = add(mul(exponent, Real(0.69314718055994530942)), mul(series, Real(2)));
    const Real radius = exact::root(mul(Real(-2), logarithm));

    const Word quadrant = static_cast<Word>(v + (Word{1} << (Traits::width - 3))) >> (Traits::width - 2);
    const Signed rest = static_cast<Signed>(static_cast<Word>(v - (quadrant << (Traits::width - 2))));
    const Real angle = mul(mul(static_cast<Real>(rest), quarter), Real(1.57079632679489661923));
    const Real a2 = mul(angle, angle);
    const Real sine = add(angle, mul(angle, mul(a2, Traits::sin_series(a2))));
    const Real cosine = add(Real(1), mul(a2, Traits::cos_series(a2)));
    Real first = quadrant & 1 ? sine : cosine;
    Real second = quadrant & 1 ? cosine : sine;
    if (quadrant == 1 || quadrant == 2) {
        first = -first;
    }
    if (quadrant >= 2) {
        second = -second;
    }
    return {mul(radius, first), mul(radius, second)};
}

}  // namespace pyneural
