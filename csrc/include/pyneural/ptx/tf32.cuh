// TensorFloat-32 (PTX ISA, sm_80): floats of which tensor cores use 10 bits of fraction, in 32 bits.
#pragma once
#include "same_type.cuh"

#if defined(__PYNEURAL_SIMULATOR__)
#include "pyneural_sim/tensor.h"
#endif

namespace pyneural::ptx {

struct tf32 {
  float value;
};

// x rounded to the nearest tf32, ties away from zero (cvt.rna): the bits of a float whose lower 13 are 0.
#if defined(__PYNEURAL_SIMULATOR__)
__device__ __forceinline__ unsigned round_to_tf32(float x) { return pnsim::round_to_tf32(x); }
// d (16x8) += a (16x8, by rows) times b (8x8, by columns). Lane l holds of a rows l / 4 and l / 4 + 8 at inner places l % 4
// (a[0], a[1]) and l % 4 + 4; of b column l / 4 at the same two places. The lower 13 bits of an operand are not read.
template <typename T>
__device__ __forceinline__ void mma_m16n8k8(float (&d)[4], const unsigned (&a)[4], const unsigned (&b)[2], PNSIM_HERE) {
  static_assert(same_type<T, tf32>, "only tf32 has this shape here");
  pnsim::mma_16x8x8(d, a, b, file, line);
}
#else
__device__ __forceinline__ unsigned round_to_tf32(float x) {
  unsigned bits;
  asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(bits) : "f"(x));
  return bits;
}
template <typename T>
__device__ __forceinline__ void mma_m16n8k8(float (&d)[4], const unsigned (&a)[4], const unsigned (&b)[2]) {
  static_assert(same_type<T, tf32>, "only tf32 has this shape here");
  asm volatile("mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
               : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
               : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}
#endif

}  // namespace pyneural::ptx
