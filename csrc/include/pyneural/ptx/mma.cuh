// mma.sync and ldmatrix (PTX ISA, sm_80), stmatrix (sm_90): products of small matrices spread over the lanes of a warp.
#pragma once
#include <cuda_bf16.h>
#include <cuda_fp16.h>

#include "same_type.cuh"

#if defined(__PYNEURAL_SIMULATOR__)
#include "pyneural_sim/tensor.h"
#endif

namespace pyneural::ptx {

#if defined(__PYNEURAL_SIMULATOR__)
// d (16x8) += a (16x16, by rows) times b (16x8, by columns). Lane l holds rows l / 4 and l / 4 + 8.
template <typename T>
__device__ __forceinline__ void mma_m16n8k16(float (&d)[4], const unsigned (&a)[4], const unsigned (&b)[2], PNSIM_HERE) {
  pnsim::mma_16x8x16<T>(d, a, b, file, line);
}
// `Count` 8x8 matrices of 16-bit elements: lane 8 * i + r names the address of row r of matrix i.
template <int Count, bool Transposed = false>
__device__ __forceinline__ void ldmatrix(unsigned (&r)[Count], const void* row, PNSIM_HERE) {
  pnsim::load_8x8<Count, Transposed>(r, row, file, line);
}
// The other way.
template <int Count>
__device__ __forceinline__ void stmatrix(void* row, const unsigned (&r)[Count], PNSIM_HERE) {
  pnsim::store_8x8<Count>(row, r, file, line);
}
#else
template <typename T>
__device__ __forceinline__ void mma_m16n8k16(float (&d)[4], const unsigned (&a)[4], const unsigned (&b)[2]) {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ < 800
  // Half the inner places at a time, and no bfloat16.
  static_assert(same_type<T, __half>, "before sm_80 tensor cores multiply no bfloat16");
#pragma unroll
  for (int k = 0; k < 2; ++k) {
    asm volatile("mma.sync.aligned.m16n8k8.row.col.f32.f16.f16.f32 {%0,%1,%2,%3}, {%4,%5}, {%6}, {%0,%1,%2,%3};"
                 : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3]) : "r"(a[2 * k]), "r"(a[2 * k + 1]), "r"(b[k]));
  }
#else
  if constexpr (sizeof(T) == 2 && same_type<T, __half>) {
    asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
                 : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
  } else {
    asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
                 : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
  }
#endif
}
template <int Count, bool Transposed = false>
__device__ __forceinline__ void ldmatrix(unsigned (&r)[Count], const void* row) {
  const unsigned address = static_cast<unsigned>(__cvta_generic_to_shared(row));
  static_assert(Count == 1 || Count == 2 || Count == 4, "ldmatrix loads 1, 2 or 4 matrices");
  if constexpr (Count == 4 && !Transposed) {
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4];"
                 : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3]) : "r"(address) : "memory");
  } else if constexpr (Count == 4) {
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0,%1,%2,%3}, [%4];"
                 : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3]) : "r"(address) : "memory");
  } else if constexpr (Count == 2 && !Transposed) {
    asm volatile("ldmatrix.sync.aligned.m8n8.x2.shared.b16 {%0,%1}, [%2];" : "=r"(r[0]), "=r"(r[1]) : "r"(address) : "memory");
  } else if constexpr (Count == 2) {
    asm volatile("ldmatrix.sync.aligned.m8n8.x2.trans.shared.b16 {%0,%1}, [%2];" : "=r"(r[0]), "=r"(r[1]) : "r"(address) : "memory");
  } else if constexpr (!Transposed) {
    asm volatile("ldmatrix.sync.aligned.m8n8.x1.shared.b16 {%0}, [%1];" : "=r"(r[0]) : "r"(address) : "memory");
  } else {
    asm volatile("ldmatrix.sync.aligned.m8n8.x1.trans.shared.b16 {%0}, [%1];" : "=r"(r[0]) : "r"(address) : "memory");
  }
}
template <int Count>
__device__ __forceinline__ void stmatrix(void* row, const unsigned (&r)[Count]) {
  const unsigned address = static_cast<unsigned>(__cvta_generic_to_shared(row));
  static_assert(Count == 1 || Count == 2 || Count == 4, "stmatrix stores 1, 2 or 4 matrices");
  if constexpr (Count == 4) {
    asm volatile("stmatrix.sync.aligned.m8n8.x4.shared.b16 [%0], {%1,%2,%3,%4};"
                 ::"r"(address), "r"(r[0]), "r"(r[1]), "r"(r[2]), "r"(r[3]) : "memory");
  } else if constexpr (Count == 2) {
    asm volatile("stmatrix.sync.aligned.m8n8.x2.shared.b16 [%0], {%1,%2};" ::"r"(address), "r"(r[0]), "r"(r[1]) : "memory");
  } else {
    asm volatile("stmatrix.sync.aligned.m8n8.x1.shared.b16 [%0], {%1};" ::"r"(address), "r"(r[0]) : "memory");
  }
}
#endif

}  // namespace pyneural::ptx
