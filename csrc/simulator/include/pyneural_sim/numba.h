// What kernels translated from Numba's Python need (pyneural/cuda/from_numba.py): Python's arithmetic, tuples, ranges.
// Memory of the user's is accessed in the translated text only, so that each access keeps its line.
#pragma once
#include <cmath>
#include <type_traits>

#include "atomics.h"
#include <cuda_fp16.h>
#include "warp.h"

namespace pn_numba {

struct Nothing {};

template <typename T, int N>
struct Uni {
  T v[N];
};

// A contiguous array and its shape.
template <typename T, int N>
struct View {
  T* p;
  long long n[N];
};

template <typename T>
struct Pair {
  T first;
  bool second;
};

template <typename T>
struct Range {
  T start, stop, step;
};

template <typename T>
struct RangeIterator {
  T value, step;
  unsigned long long left;
};

template <typename T>
PNSIM_INLINE RangeIterator<T> iterator(const Range<T>& r) {
  unsigned long long count = 0;
  if (r.step > 0 && r.start < r.stop) {
    count = ((unsigned long long)r.stop - (unsigned long long)r.start - 1) / (unsigned long long)r.step + 1;
  } else if (r.step < 0 && r.stop < r.start) {
    count = ((unsigned long long)r.start - (unsigned long long)r.stop - 1) / (0 - (unsigned long long)r.step) + 1;
  }
  return {r.start, r.step, count};
}

template <typename T>
PNSIM_INLINE Pair<T> next(RangeIterator<T>& i) {
  if (!i.left) return {T(), false};
  --i.left;
  const T value = i.value;
  i.value = T(i.value + i.step);
  return {value, true};
}

template <typename T, int N>
struct TupleIterator {
  Uni<T, N> of;
  int at;
};

template <typename T, int N>
PNSIM_INLINE TupleIterator<T, N> iterator(const Uni<T, N>& of) {
  return {of, 0};
}

template <typename T, int N>
PNSIM_INLINE Pair<T> next(TupleIterator<T, N>& i) {
  if (i.at == N) return {T(), false};
  return {i.of.v[i.at++], true};
}

// A negative index counts from the end, as in Numba; without that, it is out of bounds and found to be.
PNSIM_INLINE long long at(long long i, long long n) {
#if defined(PN_NEGATIVE_IS_OUT)
  long long nowhere = -(1ll << 40);
  asm("" : "+r"(nowhere));  // not a constant, which could become part of an address that no relocation holds
  return i < 0 ? nowhere : i;
#else
  return i < 0 ? i + n : i;
#endif
}

// Division by zero gives 0 for whole numbers, as in Numba's CUDA target.
template <typename T>
PNSIM_INLINE T floor_divide(T a, T b) {
  if constexpr (std::is_integral_v<T>) {
    if (b == 0) return 0;
    if constexpr (std::is_signed_v<T>) {
      if (b == -1) return T(0 - std::make_unsigned_t<T>(a));
      return T(a / b - (a % b != 0 && (a < 0) != (b < 0)));
    }
    return T(a / b);
  } else {
    if (b == 0) return a / b;
    const T rest = std::fmod(a, b);
    T whole = (a - rest) / b;
    if (rest != 0 && (b < 0) != (rest < 0)) whole -= 1;
    if (whole == 0) return std::copysign(T(0), a / b);
    const T down = std::floor(whole);
    return whole - down > T(0.5) ? down + 1 : down;
  }
}

template <typename T>
PNSIM_INLINE T modulo(T a, T b) {
  if constexpr (std::is_integral_v<T>) {
    if (b == 0) return 0;
    if constexpr (std::is_signed_v<T>) {
      if (b == -1) return 0;
      const T rest = a % b;
      return T(rest != 0 && (rest < 0) != (b < 0) ? rest + b : rest);
    }
    return T(a % b);
  } else {
    const T rest = std::fmod(a, b);
    if (rest == 0) return std::copysign(T(0), b);
    return (rest < 0) != (b < 0) ? rest + b : rest;
  }
}

// (a, b) of one type give it; a floating number and a whole exponent too.
template <typename T, typename E>
PNSIM_INLINE T power(T a, E b) {
  if constexpr (std::is_integral_v<T>) {
    using U = std::make_unsigned_t<T>;
    const bool inverted = b < 0;
    auto left = inverted ? 0 - (std::make_unsigned_t<E>)(b) : (std::make_unsigned_t<E>)(b);
    U result = 1, base = U(a);
    for (; left; left >>= 1, base *= base) {
      if (left & 1) result *= base;
    }
    return inverted ? (T(result) ? T(1) / T(result) : T(0)) : T(result);
  } else {
    return std::pow(a, T(b));
  }
}

template <typename T>
PNSIM_INLINE T absolute(T a) {
  if constexpr (std::is_unsigned_v<T>) return a;
  else if constexpr (std::is_integral_v<T>) return a < 0 ? T(0 - std::make_unsigned_t<T>(a)) : a;
  else return std::fabs(a);
}

// As in Python: the first one stays unless the next is smaller (or larger).
template <typename T>
PNSIM_INLINE T smaller(T a, T b) {
  return b < a ? b : a;
}
template <typename T>
PNSIM_INLINE T larger(T a, T b) {
  return b > a ? b : a;
}

// Of 64 bits with a sign and without.
template <typename A, typename B>
PNSIM_INLINE int compare(A a, B b) {
  if constexpr (std::is_signed_v<A> && !std::is_signed_v<B>) {
    if (a < 0) return -1;
    return std::make_unsigned_t<A>(a) < b ? -1 : std::make_unsigned_t<A>(a) > b;
  } else if constexpr (!std::is_signed_v<A> && std::is_signed_v<B>) {
    return -compare(b, a);
  } else {
    return a < b ? -1 : a > b;
  }
}

template <typename R, typename T>
PNSIM_INLINE R fraction_exponent(T a) {
  int exponent = 0;
  const T fraction = std::frexp(a, &exponent);
  return R{fraction, exponent};
}

template <typename R, typename T>
PNSIM_INLINE R fraction_whole(T a) {
  T whole = 0;
  const T fraction = std::modf(a, &whole);
  return R{{fraction, whole}};
}

template <typename T>
PNSIM_INLINE int count_bits(T a) {
  return __builtin_popcountll((unsigned long long)std::make_unsigned_t<T>(a));
}

template <typename T>
PNSIM_INLINE int leading_zeros(T a) {
  const unsigned long long bits = std::make_unsigned_t<T>(a);
  return bits ? __builtin_clzll(bits) - int(64 - 8 * sizeof(T)) : int(8 * sizeof(T));
}

template <typename T>
PNSIM_INLINE T atomic_max(T* p, T v, PNSIM_HERE) {
  PNSIM_ATOMIC_AT(p);
  pnsim::spin();
  return pnsim::apply<pnsim::Max>(p, v);
}

template <typename T>
PNSIM_INLINE T atomic_min(T* p, T v, PNSIM_HERE) {
  PNSIM_ATOMIC_AT(p);
  pnsim::spin();
  return pnsim::apply<pnsim::Min>(p, v);
}

PNSIM_INLINE int lane() {
  return int((threadIdx.x + blockDim.x * (threadIdx.y + blockDim.y * threadIdx.z)) & 31);
}

}  // namespace pn_numba
