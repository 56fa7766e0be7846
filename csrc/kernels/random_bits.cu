// Random integers: a thread makes a Philox block, four words of 32 bits or two of 64.
#include <pyneural/map.cuh>
#include <pyneural/philox.cuh>

using namespace pyneural;
using Word64 = unsigned long long;

// `number(block, k)` is element k of the N that a block makes.
template <int N, typename T, typename Number>
__device__ __forceinline__ void generate(T* out, Index n, Word64 seed, Word64 offset, const Number& number) {
  const bool aligned = is_aligned<N>(out);
  for (Index i = thread_of_grid(); i * N < n; i += threads_of_grid()) {
    const PhiloxBlock block = philox_block(seed, offset, i);
    Vector<T, N> result;
#pragma unroll
    for (int k = 0; k < N; ++k) result.item[k] = number(block, k);
    if (aligned && (i + 1) * N <= n) {
      reinterpret_cast<Vector<T, N>*>(out)[i] = result;
    } else {
#pragma unroll
      for (int k = 0; k < N; ++k) {
        if (i * N + k < n) out[i * N + k] = result.item[k];
      }
    }
  }
}

__global__ void words32(unsigned* out, Index n, Word64 seed, Word64 offset) {
  generate<4>(out, n, seed, offset, [](const PhiloxBlock& block, int k) { return block.word[k]; });
}
__global__ void words64(Word64* out, Index n, Word64 seed, Word64 offset) {
  generate<2>(out, n, seed, offset, [](const PhiloxBlock& block, int k) { return Word64(philox_value64(block, k)); });
}
// low + floor(word * count / 2^64), modulo 2^64.
__global__ void integers(Index* out, Index n, Word64 seed, Word64 offset, Word64 low, Word64 count) {
  generate<2>(out, n, seed, offset, [=](const PhiloxBlock& block, int k) {
    return static_cast<Index>(low + __umul64hi(philox_value64(block, k), count));
  });
}
