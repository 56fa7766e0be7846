// Bodies of mma.sync and ldmatrix, with the fragment layouts of the PTX ISA (Figures of mma.m16n8k16 and ldmatrix).
#pragma once
#include "../cuda_bf16.h"
#include "../cuda_fp16.h"

namespace pnsim {

template <typename T>
PNSIM_INLINE float element16(unsigned pair, int which) {
  const unsigned short bits = (unsigned short)(pair >> (16 * which));
  T value;
  __builtin_memcpy(&value, &bits, sizeof value);
  return float(value);
}

// cvt.rna.tf32: 10 bits of fraction, ties away from zero; what is rounded beyond the largest number is infinite.
PNSIM_INLINE unsigned round_to_tf32(float x) {
  unsigned bits;
  __builtin_memcpy(&bits, &x, 4);
  if (x != x) return 0x7fffffffu;
  return (bits & 0x7f800000u) == 0x7f800000u ? bits : (bits + 0x1000u) & ~0x1fffu;
}

PNSIM_INLINE float tf32_value(unsigned long long word) {
  const unsigned bits = unsigned(word) & ~0x1fffu;
  float value;
  __builtin_memcpy(&value, &bits, 4);
  return value;
}

// `Each` elements a register, which element(register, i) takes out: 2 of 16 bits or 1 of tf32.
template <int Each, typename Element>
PNSIM_INLINE void mma_16x8(
    float (&d)[4], const unsigned (&a)[4], const unsigned (&b)[2], const Element& element, const char* file, int line) {
  constexpr int half = 4 * Each;
  unsigned long long a01[32], a23[32], bs[32];
  pnsim_gather(0xffffffffu, (unsigned long long)a[1] << 32 | a[0], a01, file, line);
  pnsim_gather(0xffffffffu, (unsigned long long)a[3] << 32 | a[2], a23, file, line);
  pnsim_gather(0xffffffffu, (unsigned long long)b[1] << 32 | b[0], bs, file, line);
  const int group = int(lane()) / 4, member = int(lane()) % 4;
  for (int i = 0; i < 4; ++i) {
    const int row = group + 8 * (i / 2), column = 2 * member + i % 2;
    float sum = d[i];
    for (int k = 0; k < 2 * half; ++k) {
      // a: register (k >= half) * 2 + (row >= 8) of lane row % 8 * 4 + k % half / Each;
      // b: register k >= half of lane column * 4 + k % half / Each
      const int other = k % half / Each;
      const unsigned left = unsigned((k < half ? a01 : a23)[row % 8 * 4 + other] >> (32 * (row / 8)));
      const unsigned right = unsigned(bs[column * 4 + other] >> (32 * (k / half)));
      sum += element(left, k % Each) * element(right, k % Each);
    }
    d[i] = sum;
  }
}

template <typename T>
PNSIM_INLINE void mma_16x8x16(float (&d)[4], const unsigned (&a)[4], const unsigned (&b)[2], const char* file, int line) {
  mma_16x8<2>(d, a, b, element16<T>, file, line);
}
PNSIM_INLINE void mma_16x8x8(float (&d)[4], const unsigned (&a)[4], const unsigned (&b)[2], const char* file, int line) {
  mma_16x8<1>(d, a, b, [](unsigned word, int) { return tf32_value(word); }, file, line);
}

template <int Count, bool Transposed>
PNSIM_INLINE void load_8x8(unsigned (&r)[Count], const void* row, const char* file, int line) {
  unsigned long long rows[32];
  pnsim_gather(0xffffffffu, (unsigned long long)row, rows, file, line);
  if (int(lane()) < Count * 8) told(row, 16, PNSIM_READ, file, line);
  const int group = int(lane()) / 4, member = int(lane()) % 4;
  for (int i = 0; i < Count; ++i) {
    unsigned short pair[2];
    for (int k = 0; k < 2; ++k) {
      const int at = Transposed ? group : 2 * member + k, from = Transposed ? 2 * member + k : group;
      pair[k] = fetch(reinterpret_cast<const unsigned short*>(rows[8 * i + from]) + at);
    }
    r[i] = unsigned(pair[1]) << 16 | pair[0];
  }
  pnsim_warp(PNSIM_SYNC, 0xffffffffu, 0, 0, 32, file, line);
}

template <int Count>
PNSIM_INLINE void store_8x8(void* row, const unsigned (&r)[Count], const char* file, int line) {
  unsigned words[4] = {};
  for (int pair = 0; pair < (Count + 1) / 2; ++pair) {
    unsigned long long all[32];
    pnsim_gather(0xffffffffu, (unsigned long long)r[Count > 1 ? 2 * pair + 1 : 0] << 32 | r[2 * pair], all, file, line);
    if (int(lane()) / 16 != pair) continue;  // lane 8 i + k stores row k of matrix i, which the lanes 4 k to 4 k + 3 hold
    for (int i = 0; i < 4; ++i) words[i] = unsigned(all[lane() % 8 * 4 + i] >> (32 * (lane() / 8 % 2)));
  }
  if (int(lane()) < Count * 8) {
    told(row, 16, PNSIM_WRITE, file, line);
    for (int i = 0; i < 4; ++i) apply<Take>(static_cast<unsigned*>(row) + i, words[i]);
  }
  pnsim_warp(PNSIM_SYNC, 0xffffffffu, 0, 0, 32, file, line);
}

}  // namespace pnsim
