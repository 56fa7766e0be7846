// wgmma (PTX ISA, wgmma.mma_async, sm_90a): d (64 x N) = or += a (64 x K) times b (K x N), by the 128 threads of a
// warpgroup; K is 16 for half and bfloat16, 8 for tf32. Thread t holds of d, for each 8 columns, rows
// 16 * (t / 32) + t % 32 / 4 and that plus 8, columns 2 * (t % 4) and the next.
//
// wgmma_fence(); wgmma<N, T>(d, a, b, true); wgmma_commit(); wgmma_wait<0>(); wgmma_settle(d); d is not touched between.
#pragma once
#include <cuda_bf16.h>
#include <cuda_fp16.h>

#include "tf32.cuh"
#if defined(__PYNEURAL_SIMULATOR__)
#include "pyneural_sim/wgmma.h"
#endif

namespace pyneural::ptx {

// How rows of 128, 64 or 32 bytes were swizzled, as descriptors number it.
enum class Swizzle : unsigned { None = 0, B128 = 1, B64 = 2, B32 = 3 };

// The widths that are written out here; PTX has every multiple of 8.
template <int N>
constexpr bool wgmma_width = N == 8 || N == 16 || N == 32 || N == 64 || N == 96 || N == 128 || N == 192 || N == 256;

#if defined(__PYNEURAL_SIMULATOR__)
// A tile of shared memory as wgmma takes it. `stride` bytes lie between groups of 8 rows; `leading` bytes between
// the two halves of K without a swizzle, or between the spans of a transposed tile (see the PTX ISA).
__device__ __forceinline__ unsigned long long wgmma_descriptor(const void* tile, unsigned leading, unsigned stride, Swizzle swizzle) {
  return pnsim::wgmma_descriptor(tile, leading, stride, static_cast<unsigned>(swizzle));
}
__device__ __forceinline__ void wgmma_fence() { pnsim_wgmma_fence(); }
__device__ __forceinline__ void wgmma_commit() { pnsim_wgmma_commit(); }
template <int Newest>
__device__ __forceinline__ void wgmma_wait(PNSIM_HERE) {
  pnsim_wgmma_wait(Newest);
  pnsim_warp(PNSIM_SYNC, 0xffffffffu, 0, 0, 32, file, line);
}
// Between a wait and the first use of the accumulators: the compiler moves no use of them to before it.
template <int Count>
__device__ __forceinline__ void wgmma_settle(float (&)[Count]) {}
// Both tiles lie in shared memory. Transposed: the rows of a, or the columns of b, lie side by side, not their K.
template <int N, typename T, bool TransposedA = false, bool TransposedB = false>
__device__ __forceinline__ void wgmma(float (&d)[N / 2], unsigned long long a, unsigned long long b, bool accumulate, PNSIM_HERE) {
  static_assert(sizeof(T) == 2 || !(TransposedA || TransposedB), "only 16-bit types can be transposed");
  static_assert(wgmma_width<N>, "N is 8, 16, 32, 64, 96, 128, 192 or 256");
  pnsim::wgmma<T, N, TransposedA, TransposedB>(d, nullptr, a, b, accumulate, file, line);
}
// The rows of a lie in registers: 16 by 16 elements of each warp, as for mma_m16n8k16.
template <int N, typename T, bool TransposedB = false>
__device__ __forceinline__ void wgmma(float (&d)[N / 2], const unsigned (&a)[4], unsigned long long b, bool accumulate, PNSIM_HERE) {
  static_assert(sizeof(T) == 2 || !TransposedB, "only 16-bit types can be transposed");
  static_assert(wgmma_width<N>, "N is 8, 16, 32, 64, 96, 128, 192 or 256");
  pnsim::wgmma<T, N, false, TransposedB>(d, a, 0, b, accumulate, file, line);
}
#else
__device__ __forceinline__ unsigned long long wgmma_descriptor(const void* tile, unsigned leading, unsigned stride, Swizzle swizzle) {
  const unsigned long long address = static_cast<unsigned>(__cvta_generic_to_shared(tile));
  return (address & 0x3ffff) >> 4 | static_cast<unsigned long long>(leading >> 4 & 0x3fff) << 16 |
         static_cast<unsigned long long>(stride >> 4 & 0x3fff) << 32 | static_cast<unsigned long long>(swizzle) << 62;
}
__device__ __forceinline__ void wgmma_fence() { asm volatile("wgmma.fence.sync.aligned;" ::: "memory"); }
__device__ __forceinline__ void wgmma_commit() { asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory"); }
template <int Newest>
__device__ __forceinline__ void wgmma_wait() {
  asm volatile("wgmma.wait_group.sync.aligned %0;" ::"n"(Newest) : "memory");
}
template <int Count>
__device__ __forceinline__ void wgmma_settle(float (&d)[Count]) {
#pragma unroll
  for (int i = 0; i < Count; ++i) asm volatile("" : "+f"(d[i])::"memory");
}

// The accumulators of 8 columns as operands, and their numbers in the text of an instruction.
#define PN_D4(i) "+f"(d[i]), "+f"(d[i + 1]), "+f"(d[i + 2]), "+f"(d[i + 3])
#define PN_D16(i) PN_D4(i), PN_D4(i + 4), PN_D4(i + 8), PN_D4(i + 12)
#define PN_D32(i) PN_D16(i), PN_D16(i + 16)
#define PN_D64(i) PN_D32(i), PN_D32(i + 32)
#define PN_NAMES_8 "%0,%1,%2,%3"
#define PN_NAMES_16 "%0,%1,%2,%3,%4,%5,%6,%7"
#define PN_NAMES_32 "%0,%1,%2,%3,%4,%5,%6,%7,%8,%9,%10,%11,%12,%13,%14,%15"
#define PN_NAMES_64 \
  "%0,%1,%2,%3,%4,%5,%6,%7,%8,%9,%10,%11,%12,%13,%14,%15," \
  "%16,%17,%18,%19,%20,%21,%22,%23,%24,%25,%26,%27,%28,%29,%30,%31"
#define PN_NAMES_96 \
  "%0,%1,%2,%3,%4,%5,%6,%7,%8,%9,%10,%11,%12,%13,%14,%15," \
  "%16,%17,%18,%19,%20,%21,%22,%23,%24,%25,%26,%27,%28,%29,%30,%31," \
  "%32,%33,%34,%35,%36,%37,%38,%39,%40,%41,%42,%43,%44,%45,%46,%47"
#define PN_NAMES_128 \
  "%0,%1,%2,%3,%4,%5,%6,%7,%8,%9,%10,%11,%12,%13,%14,%15," \
  "%16,%17,%18,%19,%20,%21,%22,%23,%24,%25,%26,%27,%28,%29,%30,%31," \
  "%32,%33,%34,%35,%36,%37,%38,%39,%40,%41,%42,%43,%44,%45,%46,%47," \
  "%48,%49,%50,%51,%52,%53,%54,%55,%56,%57,%58,%59,%60,%61,%62,%63"
#define PN_NAMES_192 \
  "%0,%1,%2,%3,%4,%5,%6,%7,%8,%9,%10,%11,%12,%13,%14,%15," \
  "%16,%17,%18,%19,%20,%21,%22,%23,%24,%25,%26,%27,%28,%29,%30,%31," \
  "%32,%33,%34,%35,%36,%37,%38,%39,%40,%41,%42,%43,%44,%45,%46,%47," \
  "%48,%49,%50,%51,%52,%53,%54,%55,%56,%57,%58,%59,%60,%61,%62,%63," \
  "%64,%65,%66,%67,%68,%69,%70,%71,%72,%73,%74,%75,%76,%77,%78,%79," \
  "%80,%81,%82,%83,%84,%85,%86,%87,%88,%89,%90,%91,%92,%93,%94,%95"
#define PN_NAMES_256 \
  "%0,%1,%2,%3,%4,%5,%6,%7,%8,%9,%10,%11,%12,%13,%14,%15," \
  "%16,%17,%18,%19,%20,%21,%22,%23,%24,%25,%26,%27,%28,%29,%30,%31," \
  "%32,%33,%34,%35,%36,%37,%38,%39,%40,%41,%42,%43,%44,%45,%46,%47," \
  "%48,%49,%50,%51,%52,%53,%54,%55,%56,%57,%58,%59,%60,%61,%62,%63," \
  "%64,%65,%66,%67,%68,%69,%70,%71,%72,%73,%74,%75,%76,%77,%78,%79," \
  "%80,%81,%82,%83,%84,%85,%86,%87,%88,%89,%90,%91,%92,%93,%94,%95," \
  "%96,%97,%98,%99,%100,%101,%102,%103,%104,%105,%106,%107,%108,%109,%110,%111," \
  "%112,%113,%114,%115,%116,%117,%118,%119,%120,%121,%122,%123,%124,%125,%126,%127"
#define PN_OPERANDS_8 PN_D4(0)
#define PN_OPERANDS_16 PN_D4(0), PN_D4(4)
#define PN_OPERANDS_32 PN_D16(0)
#define PN_OPERANDS_64 PN_D32(0)
#define PN_OPERANDS_96 PN_D32(0), PN_D16(32)
#define PN_OPERANDS_128 PN_D64(0)
#define PN_OPERANDS_192 PN_D64(0), PN_D32(64)
#define PN_OPERANDS_256 PN_D64(0), PN_D64(64)
// One instruction: its shape, its types, the numbers of the operands after d, and those that are constants.
#define PN_WGMMA_SHARED(N, K, TYPE, A, B, P, CONSTANTS, ...)                                                              \
  asm volatile("{ .reg .pred p; setp.ne.b32 p, %" #P ", 0; wgmma.mma_async.sync.aligned.m64n" #N "k" #K ".f32." TYPE "." TYPE \
               " {" PN_NAMES_##N "}, %" #A ", %" #B ", p, 1, 1" CONSTANTS "; }"                                            \
               : PN_OPERANDS_##N                                                                                          \
               : "l"(a), "l"(b), "r"(static_cast<int>(accumulate)) __VA_ARGS__)
#define PN_WGMMA_REGISTERS(N, K, TYPE, A0, A1, A2, A3, B, P, CONSTANTS, ...)                                              \
  asm volatile("{ .reg .pred p; setp.ne.b32 p, %" #P ", 0; wgmma.mma_async.sync.aligned.m64n" #N "k" #K ".f32." TYPE "." TYPE \
               " {" PN_NAMES_##N "}, {%" #A0 ",%" #A1 ",%" #A2 ",%" #A3 "}, %" #B ", p, 1, 1" CONSTANTS "; }"              \
               : PN_OPERANDS_##N                                                                                          \
               : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b), "r"(static_cast<int>(accumulate)) __VA_ARGS__)
#define PN_COMMA ,
#define PN_WIDTH(N, R0, R1, R2, R3, R4, R5, R6)                                                                           \
  template <typename T, bool TransposedA, bool TransposedB>                                                               \
  __device__ __forceinline__ void wgmma_shared(float (&d)[N / 2], unsigned long long a, unsigned long long b, bool accumulate) { \
    if constexpr (same_type<T, __half>)                                                                                   \
      PN_WGMMA_SHARED(N, 16, "f16", R0, R1, R2, ", %" #R3 ", %" #R4, PN_COMMA "n"(int(TransposedA)), "n"(int(TransposedB))); \
    else if constexpr (same_type<T, __nv_bfloat16>)                                                                       \
      PN_WGMMA_SHARED(N, 16, "bf16", R0, R1, R2, ", %" #R3 ", %" #R4, PN_COMMA "n"(int(TransposedA)), "n"(int(TransposedB))); \
    else                                                                                                                  \
      PN_WGMMA_SHARED(N, 8, "tf32", R0, R1, R2, "");                                                                      \
  }                                                                                                                       \
  template <typename T, bool TransposedB>                                                                                 \
  __device__ __forceinline__ void wgmma_registers(float (&d)[N / 2], const unsigned (&a)[4], unsigned long long b, bool accumulate) { \
    if constexpr (same_type<T, __half>)                                                                                   \
      PN_WGMMA_REGISTERS(N, 16, "f16", R0, R1, R2, R3, R4, R5, ", %" #R6, PN_COMMA "n"(int(TransposedB)));                \
    else if constexpr (same_type<T, __nv_bfloat16>)                                                                       \
      PN_WGMMA_REGISTERS(N, 16, "bf16", R0, R1, R2, R3, R4, R5, ", %" #R6, PN_COMMA "n"(int(TransposedB)));               \
    else                                                                                                                  \
      PN_WGMMA_REGISTERS(N, 8, "tf32", R0, R1, R2, R3, R4, R5, "");                                                       \
  }
PN_WIDTH(8, 4, 5, 6, 7, 8, 9, 10)
PN_WIDTH(16, 8, 9, 10, 11, 12, 13, 14)
PN_WIDTH(32, 16, 17, 18, 19, 20, 21, 22)
PN_WIDTH(64, 32, 33, 34, 35, 36, 37, 38)
PN_WIDTH(96, 48, 49, 50, 51, 52, 53, 54)
PN_WIDTH(128, 64, 65, 66, 67, 68, 69, 70)
PN_WIDTH(192, 96, 97, 98, 99, 100, 101, 102)
PN_WIDTH(256, 128, 129, 130, 131, 132, 133, 134)
#undef PN_WIDTH
#undef PN_WGMMA_SHARED
#undef PN_WGMMA_REGISTERS
#undef PN_COMMA
#undef PN_D4
#undef PN_D16
#undef PN_D32
#undef PN_D64
#undef PN_NAMES_8
#undef PN_OPERANDS_8
#undef PN_NAMES_16
#undef PN_OPERANDS_16
#undef PN_NAMES_32
#undef PN_OPERANDS_32
#undef PN_NAMES_64
#undef PN_OPERANDS_64
#undef PN_NAMES_96
#undef PN_OPERANDS_96
#undef PN_NAMES_128
#undef PN_OPERANDS_128
#undef PN_NAMES_192
#undef PN_OPERANDS_192
#undef PN_NAMES_256
#undef PN_OPERANDS_256

template <int N, typename T, bool TransposedA = false, bool TransposedB = false>
__device__ __forceinline__ void wgmma(float (&d)[N / 2], unsigned long long a, unsigned long long b, bool accumulate) {
  static_assert(sizeof(T) == 2 || !(TransposedA || TransposedB), "only 16-bit types can be transposed");
  static_assert(wgmma_width<N>, "N is 8, 16, 32, 64, 96, 128, 192 or 256");
  wgmma_shared<T, TransposedA, TransposedB>(d, a, b, accumulate);
}
template <int N, typename T, bool TransposedB = false>
__device__ __forceinline__ void wgmma(float (&d)[N / 2], const unsigned (&a)[4], unsigned long long b, bool accumulate) {
  static_assert(sizeof(T) == 2 || !TransposedB, "only 16-bit types can be transposed");
  static_assert(wgmma_width<N>, "N is 8, 16, 32, 64, 96, 128, 192 or 256");
  wgmma_registers<T, TransposedB>(d, a, b, accumulate);
}
#endif

}  // namespace pyneural::ptx
