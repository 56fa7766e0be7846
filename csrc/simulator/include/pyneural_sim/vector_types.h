// The vector types of CUDA, their alignment as in the CUDA C++ Programming Guide, and dim3.
//
// They have constructors, and the make_ functions are not constexpr, so that `*p = {a, b, c, d}` builds a value
// and stores it as one access; an aggregate would be stored member by member.
#pragma once
#include "state.h"

typedef unsigned char uchar;
typedef unsigned short ushort;
typedef unsigned int uint;
typedef unsigned long ulong;

#define PNSIM_VECTOR(name, type, align1, align2, align3, align4)                                                \
  struct alignas(align1) name##1 { type x; };                                                                   \
  struct alignas(align2) name##2 {                                                                              \
    type x, y;                                                                                                  \
    name##2() = default;                                                                                        \
    constexpr name##2(type x, type y = 0) : x(x), y(y) {}                                                       \
  };                                                                                                            \
  struct alignas(align3) name##3 {                                                                              \
    type x, y, z;                                                                                               \
    name##3() = default;                                                                                        \
    constexpr name##3(type x, type y = 0, type z = 0) : x(x), y(y), z(z) {}                                     \
  };                                                                                                            \
  struct alignas(align4) name##4 {                                                                              \
    type x, y, z, w;                                                                                            \
    name##4() = default;                                                                                        \
    constexpr name##4(type x, type y = 0, type z = 0, type w = 0) : x(x), y(y), z(z), w(w) {}                   \
  };                                                                                                            \
  static inline name##1 make_##name##1(type x) { return {x}; }                                                  \
  static inline name##2 make_##name##2(type x, type y) { return {x, y}; }                                       \
  static inline name##3 make_##name##3(type x, type y, type z) { return {x, y, z}; }                            \
  static inline name##4 make_##name##4(type x, type y, type z, type w) { return {x, y, z, w}; }

PNSIM_VECTOR(char, signed char, 1, 2, 1, 4)
PNSIM_VECTOR(uchar, unsigned char, 1, 2, 1, 4)
PNSIM_VECTOR(short, short, 2, 4, 2, 8)
PNSIM_VECTOR(ushort, unsigned short, 2, 4, 2, 8)
PNSIM_VECTOR(int, int, 4, 8, 4, 16)
PNSIM_VECTOR(uint, unsigned int, 4, 8, 4, 16)
PNSIM_VECTOR(long, long, 8, 16, 8, 16)
PNSIM_VECTOR(ulong, unsigned long, 8, 16, 8, 16)
PNSIM_VECTOR(longlong, long long, 8, 16, 8, 16)
PNSIM_VECTOR(ulonglong, unsigned long long, 8, 16, 8, 16)
PNSIM_VECTOR(float, float, 4, 8, 4, 16)
PNSIM_VECTOR(double, double, 8, 16, 8, 16)
#undef PNSIM_VECTOR

struct dim3 {
  unsigned x, y, z;
  constexpr dim3(unsigned x = 1, unsigned y = 1, unsigned z = 1) : x(x), y(y), z(z) {}
  constexpr dim3(uint3 v) : x(v.x), y(v.y), z(v.z) {}
  constexpr operator uint3() const { return {x, y, z}; }
};
