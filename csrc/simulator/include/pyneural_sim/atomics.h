// Atomic operations. A module that uses them runs its blocks on one thread of the machine, where a plain
// read and write is atomic, and the order of floating-point sums is the same in every run.
#pragma once
#include "language.h"
#include "math.h"

namespace pnsim {

#if defined(PNSIM_INSTRUMENTED)
// The checker is told by pnsim_touch. Interprocedural optimisation would move the load into the caller.
#if defined(__clang__)
#define PNSIM_UNSEEN __attribute__((noinline, no_sanitize("thread")))
#else
#define PNSIM_UNSEEN __attribute__((noipa, no_sanitize("thread")))
#endif
#define PNSIM_ATOMIC_AT(p) pnsim_touch(p, sizeof(*(p)), PNSIM_ATOMIC, file, line)
#define PNSIM_SWAP_AT(p) pnsim_touch(p, sizeof(*(p)), PNSIM_SWAP_IF, file, line)
#else
#define PNSIM_UNSEEN inline
#define PNSIM_ATOMIC_AT(p) ((void)0)
#define PNSIM_SWAP_AT(p) ((void)0)
#endif

// For headers that touch memory on the user's behalf: tell the checker, at the user's line, then do it unseen.
PNSIM_INLINE void told(const void* p, size_t size, int access, const char* file, int line) {
#if defined(PNSIM_INSTRUMENTED)
  pnsim_touch(p, size, access, file, line);
#else
  (void)p, (void)size, (void)access, (void)file, (void)line;
#endif
}

template <typename T>
static PNSIM_UNSEEN T fetch(const T* p) {
  return *p;
}

// A thread that spins on an atomic must let the one it waits for run.
PNSIM_INLINE void spin() {
#if !defined(PNSIM_INSTRUMENTED)  // there the checker counts
  pnsim_thread* t = self();
  if (t && ++t->spins > 200) pnsim_yield();
#endif
}

struct Add { template <typename T> static T of(T a, T b) { return T(a + b); } };
struct Sub { template <typename T> static T of(T a, T b) { return T(a - b); } };
struct Min { template <typename T> static T of(T a, T b) { return b < a ? b : a; } };
struct Max { template <typename T> static T of(T a, T b) { return a < b ? b : a; } };
struct And { template <typename T> static T of(T a, T b) { return T(a & b); } };
struct Or { template <typename T> static T of(T a, T b) { return T(a | b); } };
struct Xor { template <typename T> static T of(T a, T b) { return T(a ^ b); } };
struct Take { template <typename T> static T of(T, T b) { return b; } };
struct Inc { template <typename T> static T of(T a, T b) { return a >= b ? T(0) : T(a + 1); } };
struct Dec { template <typename T> static T of(T a, T b) { return a == 0 || a > b ? b : T(a - 1); } };

template <typename Op, typename T>
static PNSIM_UNSEEN T apply(T* p, T v) {
  const T old = *p;
  *p = Op::of(old, v);
  return old;
}

template <typename T>
static PNSIM_UNSEEN T swap_if(T* p, T expected, T v) {
  const T old = *p;
  if (__builtin_memcmp(&old, &expected, sizeof(T)) == 0) *p = v;
  return old;
}

}  // namespace pnsim

// The value converts to the type of the location, as it does for the overloads of CUDA's own headers.
#define PNSIM_ATOMIC_FUNCTION(name, op, T)                                        \
  PNSIM_INLINE T name(T* p, T v, PNSIM_HERE) {                                    \
    PNSIM_ATOMIC_AT(p);                                                           \
    pnsim::spin();                                                                \
    return pnsim::apply<pnsim::op>(p, v);                                         \
  }                                                                               \
  PNSIM_INLINE T name##_block(T* p, T v, PNSIM_HERE) { return name(p, v, file, line); } \
  PNSIM_INLINE T name##_system(T* p, T v, PNSIM_HERE) { return name(p, v, file, line); }

PNSIM_ATOMIC_FUNCTION(atomicAdd, Add, int)
PNSIM_ATOMIC_FUNCTION(atomicAdd, Add, unsigned)
PNSIM_ATOMIC_FUNCTION(atomicAdd, Add, unsigned long long)
PNSIM_ATOMIC_FUNCTION(atomicAdd, Add, unsigned long)
PNSIM_ATOMIC_FUNCTION(atomicAdd, Add, float)
PNSIM_ATOMIC_FUNCTION(atomicAdd, Add, double)
PNSIM_ATOMIC_FUNCTION(atomicSub, Sub, int)
PNSIM_ATOMIC_FUNCTION(atomicSub, Sub, unsigned)
#define PNSIM_INTEGERS(name, op)                       \
  PNSIM_ATOMIC_FUNCTION(name, op, int)                 \
  PNSIM_ATOMIC_FUNCTION(name, op, unsigned)            \
  PNSIM_ATOMIC_FUNCTION(name, op, long long)           \
  PNSIM_ATOMIC_FUNCTION(name, op, unsigned long long)
PNSIM_INTEGERS(atomicMin, Min)
PNSIM_INTEGERS(atomicMax, Max)
PNSIM_INTEGERS(atomicAnd, And)
PNSIM_INTEGERS(atomicOr, Or)
PNSIM_INTEGERS(atomicXor, Xor)
PNSIM_INTEGERS(atomicExch, Take)
#undef PNSIM_INTEGERS
PNSIM_ATOMIC_FUNCTION(atomicExch, Take, float)
PNSIM_ATOMIC_FUNCTION(atomicInc, Inc, unsigned)
PNSIM_ATOMIC_FUNCTION(atomicDec, Dec, unsigned)
#undef PNSIM_ATOMIC_FUNCTION

#define PNSIM_CAS(T)                                                                    \
  PNSIM_INLINE T atomicCAS(T* p, T expected, T v, PNSIM_HERE) {                         \
    PNSIM_SWAP_AT(p);                                                                   \
    pnsim::spin();                                                                      \
    return pnsim::swap_if(p, expected, v);                                              \
  }                                                                                     \
  PNSIM_INLINE T atomicCAS_block(T* p, T e, T v, PNSIM_HERE) { return atomicCAS(p, e, v, file, line); } \
  PNSIM_INLINE T atomicCAS_system(T* p, T e, T v, PNSIM_HERE) { return atomicCAS(p, e, v, file, line); }
PNSIM_CAS(int) PNSIM_CAS(unsigned) PNSIM_CAS(unsigned long long) PNSIM_CAS(unsigned short)
#undef PNSIM_CAS
