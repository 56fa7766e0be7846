// What a GPU's tensor cores can do at most by mma.sync, of PYNEURAL_ELEMENT (half, bfloat16) with float sums.
#include <pyneural/element.cuh>
#include <pyneural/ptx/mma.cuh>

using namespace pyneural;
using Element = PYNEURAL_ELEMENT;

constexpr int kChains = 8;  // sums that depend on themselves alone hide each other's latency

// `rounds` times d += a b, 16 x 16 times 16 x 8, for kChains sums of each warp; what each lane holds of them is added
// up and written, so that nothing is left out. `fragments`: the six registers of a and b of each lane of a warp.
__global__ void __launch_bounds__(256) mma_sync(Index rounds, const unsigned* fragments, float* totals) {
  unsigned a[4], b[2];
  const unsigned* own = fragments + threadIdx.x % 32 * 6;
#pragma unroll
  for (int i = 0; i < 4; ++i) a[i] = own[i];
  b[0] = own[4];
  b[1] = own[5];
  float d[kChains][4] = {};
  for (Index round = 0; round < rounds; ++round) {
#pragma unroll
    for (int i = 0; i < kChains; ++i) ptx::mma_m16n8k16<Element>(d[i], a, b);
  }
  float total = 0;
#pragma unroll
  for (int i = 0; i < kChains; ++i) total += d[i][0] + d[i][1] + d[i][2] + d[i][3];
  totals[static_cast<Index>(blockIdx.x) * blockDim.x + threadIdx.x] = total;
}
