// What a GPU can do at most in PYNEURAL_ELEMENT: multiply-adds that need no memory.
#include <pyneural/element.cuh>

using pyneural::Index;
using Element = PYNEURAL_ELEMENT;

constexpr int kChains = 8;  // sums that depend on themselves alone hide each other's latency
constexpr int kUnrolled = 16;

// `rounds` times kUnrolled times sum = sum * factor + factor, for kChains sums of each thread; their total is written,
// so that nothing is left out.
__global__ void __launch_bounds__(256) multiply_add(Index rounds, const Element* factor, Element* totals) {
  const Element x = factor[0];
  Element sum[kChains];
#pragma unroll
  for (int i = 0; i < kChains; ++i) sum[i] = Element(i);
  for (Index round = 0; round < rounds; ++round) {
#pragma unroll
    for (int step = 0; step < kUnrolled; ++step) {
#pragma unroll
      for (int i = 0; i < kChains; ++i) sum[i] = fma(sum[i], x, x);
    }
  }
  Element total = 0;
#pragma unroll
  for (int i = 0; i < kChains; ++i) total += sum[i];
  totals[static_cast<Index>(blockIdx.x) * blockDim.x + threadIdx.x] = total;
}
