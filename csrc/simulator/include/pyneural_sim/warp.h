// Warp shuffles, votes, matches and reductions: each one a rendezvous of the lanes its mask names.
#pragma once
#include <type_traits>

#include "language.h"
#include "math.h"

namespace pnsim {

// Values travel in words of 8 bytes; whatever is larger goes piece by piece.
template <typename T>
PNSIM_INLINE T shuffle(int op, unsigned mask, T value, int argument, int width, const char* file, int line) {
  constexpr size_t words = (sizeof(T) + 7) / 8;
  unsigned long long in[words] = {}, out[words];
  __builtin_memcpy(in, &value, sizeof(T));
  for (size_t i = 0; i < words; ++i) out[i] = pnsim_warp(op, mask, in[i], argument, width, file, line);
  T result;
  __builtin_memcpy(&result, out, sizeof(T));
  return result;
}

template <typename T>
PNSIM_INLINE T reduce(int op, unsigned mask, T value, const char* file, int line) {
  const unsigned long long wide = std::is_signed_v<T> ? (unsigned long long)(long long)(value) : (unsigned long long)(value);
  return T(pnsim_warp(op, mask, wide, 0, 32, file, line));
}

}  // namespace pnsim

PNSIM_INLINE void __syncwarp(unsigned mask = 0xffffffffu, PNSIM_HERE) { pnsim_warp(PNSIM_SYNC, mask, 0, 0, 32, file, line); }
PNSIM_INLINE unsigned __activemask(PNSIM_HERE) { return pnsim_active_mask(file, line); }

template <typename T> PNSIM_INLINE T __shfl_sync(unsigned mask, T v, int lane, int width = 32, PNSIM_HERE) {
  return pnsim::shuffle(PNSIM_SHFL_IDX, mask, v, lane, width, file, line);
}
template <typename T> PNSIM_INLINE T __shfl_up_sync(unsigned mask, T v, unsigned delta, int width = 32, PNSIM_HERE) {
  return pnsim::shuffle(PNSIM_SHFL_UP, mask, v, int(delta), width, file, line);
}
template <typename T> PNSIM_INLINE T __shfl_down_sync(unsigned mask, T v, unsigned delta, int width = 32, PNSIM_HERE) {
  return pnsim::shuffle(PNSIM_SHFL_DOWN, mask, v, int(delta), width, file, line);
}
template <typename T> PNSIM_INLINE T __shfl_xor_sync(unsigned mask, T v, int lanes, int width = 32, PNSIM_HERE) {
  return pnsim::shuffle(PNSIM_SHFL_XOR, mask, v, lanes, width, file, line);
}
// Before Volta all lanes that run took part; here: those that are known to be active.
template <typename T> PNSIM_INLINE T __shfl(T v, int lane, int width = 32, PNSIM_HERE) {
  return pnsim::shuffle(PNSIM_SHFL_IDX, pnsim_active_mask(file, line), v, lane, width, file, line);
}
template <typename T> PNSIM_INLINE T __shfl_up(T v, unsigned delta, int width = 32, PNSIM_HERE) {
  return pnsim::shuffle(PNSIM_SHFL_UP, pnsim_active_mask(file, line), v, int(delta), width, file, line);
}
template <typename T> PNSIM_INLINE T __shfl_down(T v, unsigned delta, int width = 32, PNSIM_HERE) {
  return pnsim::shuffle(PNSIM_SHFL_DOWN, pnsim_active_mask(file, line), v, int(delta), width, file, line);
}
template <typename T> PNSIM_INLINE T __shfl_xor(T v, int lanes, int width = 32, PNSIM_HERE) {
  return pnsim::shuffle(PNSIM_SHFL_XOR, pnsim_active_mask(file, line), v, lanes, width, file, line);
}

PNSIM_INLINE unsigned __ballot_sync(unsigned mask, int predicate, PNSIM_HERE) {
  return unsigned(pnsim_warp(PNSIM_BALLOT, mask, predicate != 0, 0, 32, file, line));
}
PNSIM_INLINE int __any_sync(unsigned mask, int predicate, PNSIM_HERE) { return __ballot_sync(mask, predicate, file, line) != 0; }
PNSIM_INLINE int __all_sync(unsigned mask, int predicate, PNSIM_HERE) { return __ballot_sync(mask, !predicate, file, line) == 0; }
PNSIM_INLINE unsigned __ballot(int predicate, PNSIM_HERE) { return __ballot_sync(pnsim_active_mask(file, line), predicate, file, line); }
PNSIM_INLINE int __any(int predicate, PNSIM_HERE) { return __ballot(predicate, file, line) != 0; }
PNSIM_INLINE int __all(int predicate, PNSIM_HERE) { return __ballot(!predicate, file, line) == 0; }

template <typename T> PNSIM_INLINE unsigned __match_any_sync(unsigned mask, T value, PNSIM_HERE) {
  unsigned long long word = 0;
  __builtin_memcpy(&word, &value, sizeof value);
  return unsigned(pnsim_warp(PNSIM_MATCH_ANY, mask, word, 0, 32, file, line));
}
template <typename T> PNSIM_INLINE unsigned __match_all_sync(unsigned mask, T value, int* predicate, PNSIM_HERE) {
  unsigned long long word = 0;
  __builtin_memcpy(&word, &value, sizeof value);
  const unsigned same = unsigned(pnsim_warp(PNSIM_MATCH_ALL, mask, word, 0, 32, file, line));
  *predicate = same != 0;
  return same;
}

PNSIM_INLINE unsigned __reduce_add_sync(unsigned mask, unsigned v, PNSIM_HERE) { return pnsim::reduce(PNSIM_ADD, mask, v, file, line); }
PNSIM_INLINE int __reduce_add_sync(unsigned mask, int v, PNSIM_HERE) { return pnsim::reduce(PNSIM_ADD, mask, v, file, line); }
PNSIM_INLINE unsigned __reduce_min_sync(unsigned mask, unsigned v, PNSIM_HERE) { return pnsim::reduce(PNSIM_MIN_U, mask, v, file, line); }
PNSIM_INLINE int __reduce_min_sync(unsigned mask, int v, PNSIM_HERE) { return pnsim::reduce(PNSIM_MIN_S, mask, v, file, line); }
PNSIM_INLINE unsigned __reduce_max_sync(unsigned mask, unsigned v, PNSIM_HERE) { return pnsim::reduce(PNSIM_MAX_U, mask, v, file, line); }
PNSIM_INLINE int __reduce_max_sync(unsigned mask, int v, PNSIM_HERE) { return pnsim::reduce(PNSIM_MAX_S, mask, v, file, line); }
PNSIM_INLINE unsigned __reduce_and_sync(unsigned mask, unsigned v, PNSIM_HERE) { return pnsim::reduce(PNSIM_AND, mask, v, file, line); }
PNSIM_INLINE unsigned __reduce_or_sync(unsigned mask, unsigned v, PNSIM_HERE) { return pnsim::reduce(PNSIM_OR, mask, v, file, line); }
PNSIM_INLINE unsigned __reduce_xor_sync(unsigned mask, unsigned v, PNSIM_HERE) { return pnsim::reduce(PNSIM_XOR, mask, v, file, line); }
