// Bodies of wgmma (PTX ISA, wgmma.mma_async, sm_90a): a warpgroup's product of two tiles of shared memory.
#pragma once
#include "../cuda_bf16.h"
#include "../cuda_fp16.h"
#include "atomics.h"
#include "tensor_map.h"
#include "warp.h"

namespace pnsim {

// Read unseen: the checker has been told of all operands when the product was issued.
template <typename T>
PNSIM_INLINE float product_value(const T* p) {
  if constexpr (sizeof(T) == 4) {  // the low 13 bits of a float are not read
    const unsigned bits = fetch(reinterpret_cast<const unsigned*>(p)) & ~0x1fffu;
    float v;
    __builtin_memcpy(&v, &bits, 4);
    return v;
  } else {
    const unsigned short bits = fetch(reinterpret_cast<const unsigned short*>(p));
    T v;
    __builtin_memcpy(&v, &bits, 2);
    return float(v);
  }
}

// Where element k of row (or column) `line` of an operand lies: the canonical layouts of the PTX ISA.
template <typename T, bool Transposed>
static PNSIM_UNSEEN const T* operand(unsigned start, unsigned leading, unsigned stride, unsigned swizzle, unsigned line, unsigned k) {
  constexpr unsigned per16 = 16 / sizeof(T);
  unsigned offset;
  if (!Transposed) {
    const unsigned byte = k * sizeof(T);
    if (swizzle == 0) offset = line / 8 * stride + byte / 16 * leading + line % 8 * 16 + byte % 16;
    else offset = line / 8 * stride + line % 8 * (16u << swizzle) + byte;
  } else {
    const unsigned span = per16 << swizzle;  // elements that lie side by side
    offset = line % span * unsigned(sizeof(T)) + k % 8 * (16u << swizzle);
    offset += swizzle == 0 ? line / span * stride + k / 8 * leading : line / span * leading + k / 8 * stride;
  }
  const unsigned long long at = (unsigned long long)pnsim_shared_pointer(start) + offset;
  return (const T*)swizzled(at, swizzle);
}

template <typename T, bool TransposedA, bool TransposedB>
static PNSIM_UNSEEN void compute_product(const pnsim_product* p) {
  constexpr unsigned depth = 32 / sizeof(T), per_word = 4 / sizeof(T);
  float a[2][depth];
  for (unsigned half = 0; half < 2; ++half)
    for (unsigned k = 0; k < depth; ++k) {
      if (p->from_registers) {
        // 16 bits: register 2 * (k >= 8) + half of lane k % 8 / 2; 32 bits: register 2 * (k >= 4) + half of lane k % 4
        const unsigned word = k / per_word, lane = word % 4, reg = word / 4 * 2 + half;
        a[half][k] = product_value(reinterpret_cast<const T*>(&p->fragment[lane * 4 + reg]) + k % per_word);
      } else {
        a[half][k] = product_value(operand<T, TransposedA>(p->a_address, p->a_leading, p->a_stride, p->a_swizzle, p->row + 8 * half, k));
      }
    }
  for (unsigned group = 0; group < p->columns / 8; ++group)
    for (unsigned i = 0; i < 2; ++i) {
      float sum[2] = {0, 0};
      float* d = p->d + group * 4 + i;
      if (p->accumulate) sum[0] = d[0], sum[1] = d[2];
      for (unsigned k = 0; k < depth; ++k) {
        const float b = product_value(operand<T, TransposedB>(p->b_address, p->b_leading, p->b_stride, p->b_swizzle, group * 8 + p->column + i, k));
        sum[0] += a[0][k] * b;
        sum[1] += a[1][k] * b;
      }
      d[0] = sum[0];
      d[2] = sum[1];
    }
}

// Swizzle as a descriptor has it in its two highest bits (1: 128, 2: 64, 3: 32 bytes) to log2 of 16-byte parts, and back.
PNSIM_INLINE unsigned swizzle_bits(unsigned mode) { return mode ? 4 - mode : 0; }

PNSIM_INLINE unsigned long long wgmma_descriptor(const void* tile, unsigned leading, unsigned stride, unsigned mode) {
  return pnsim_shared_address(tile) >> 4 | (unsigned long long)(leading >> 4 & 0x3fff) << 16 |
         (unsigned long long)(stride >> 4 & 0x3fff) << 32 | (unsigned long long)mode << 62;
}

// Tells the checker of all that a warp reads of one operand: 16 bytes at a time.
template <typename T, bool Transposed>
PNSIM_INLINE void reads_operand(unsigned start, unsigned leading, unsigned stride, unsigned swizzle, unsigned first, unsigned lines,
                                const char* file, int line) {
  constexpr unsigned depth = 32 / sizeof(T), per16 = 16 / sizeof(T);
  if (Transposed) {
    for (unsigned k = 0; k < depth; ++k)
      for (unsigned i = 0; i < lines; i += per16)
        pnsim_wgmma_reads(operand<T, Transposed>(start, leading, stride, swizzle, first + i, k), 16, file, line);
  } else {
    for (unsigned i = 0; i < lines; ++i)
      for (unsigned k = 0; k < depth; k += per16)
        pnsim_wgmma_reads(operand<T, Transposed>(start, leading, stride, swizzle, first + i, k), 16, file, line);
  }
}

template <typename T, int N, bool TransposedA, bool TransposedB>
PNSIM_INLINE void wgmma(float (&d)[N / 2], const unsigned* registers, unsigned long long a, unsigned long long b, bool accumulate,
                        const char* file, int line) {
  const dim3 size = block_size();
  if ((warp() / 4 + 1) * 128 > size.x * size.y * size.z)
    pnsim_trap("wgmma needs a warpgroup: four whole warps, the first of which has a number that is a multiple of 4", file, line);
  if (((a & (registers ? 0 : ~0ull)) | b) >> 49 & 7) pnsim_trap("a wgmma descriptor with a base offset cannot be simulated", file, line);
  pnsim_product p = {};
  p.compute = compute_product<T, TransposedA, TransposedB>;
  p.d = d;
  p.columns = N;
  p.from_registers = registers != nullptr;
  p.accumulate = accumulate;
  p.row = warp() % 4 * 16 + lane() / 4;
  p.column = lane() % 4 * 2;
  p.b_address = unsigned(b & 0xffff) << 4;
  p.b_leading = unsigned(b >> 16 & 0x3fff) << 4;
  p.b_stride = unsigned(b >> 32 & 0x3fff) << 4;
  p.b_swizzle = swizzle_bits(unsigned(b >> 62));
  if (registers) {
    for (int pair = 0; pair < 2; ++pair) {
      unsigned long long all[32];
      pnsim_gather(0xffffffffu, (unsigned long long)registers[2 * pair + 1] << 32 | registers[2 * pair], all, file, line);
      for (unsigned i = 0; i < 4; ++i) {
        p.fragment[i * 4 + 2 * pair] = unsigned(all[lane() / 4 * 4 + i]);
        p.fragment[i * 4 + 2 * pair + 1] = unsigned(all[lane() / 4 * 4 + i] >> 32);
      }
    }
  } else {
    p.a_address = unsigned(a & 0xffff) << 4;
    p.a_leading = unsigned(a >> 16 & 0x3fff) << 4;
    p.a_stride = unsigned(a >> 32 & 0x3fff) << 4;
    p.a_swizzle = swizzle_bits(unsigned(a >> 62));
    pnsim_warp(PNSIM_SYNC, 0xffffffffu, 0, 0, 32, file, line);
  }
#if defined(PNSIM_INSTRUMENTED)
  if (lane() == 0) {
    if (!registers) reads_operand<T, TransposedA>(p.a_address, p.a_leading, p.a_stride, p.a_swizzle, warp() % 4 * 16, 16, file, line);
    reads_operand<T, TransposedB>(p.b_address, p.b_leading, p.b_stride, p.b_swizzle, 0, N, file, line);
  }
#endif
  pnsim_wgmma(&p, file, line);
}

}  // namespace pnsim
