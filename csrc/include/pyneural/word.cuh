// Elements moved as they are: the words that carry them, chosen by size and alignment alone (kernels/layout/cuda.py).
#pragma once
#include "map.cuh"

namespace pyneural {

using Word1 = unsigned char;
using Word2 = unsigned short;
using Word4 = unsigned int;
using Word8 = unsigned long long;
using Word16 = Vector<unsigned long long, 2>;

// A word of repeated elements, from eight bytes of them.
template <typename Word> __device__ __forceinline__ Word filled(unsigned long long pattern) {
  return static_cast<Word>(pattern);
}
template <> __device__ __forceinline__ Word16 filled<Word16>(unsigned long long pattern) {
  return {{pattern, pattern}};
}

}  // namespace pyneural
