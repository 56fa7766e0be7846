// What a GPU's tensor cores can do at most by wgmma (sm_90a), of PYNEURAL_ELEMENT (half, bfloat16) with float sums.
#include <pyneural/element.cuh>
#include <pyneural/ptx/tma.cuh>
#include <pyneural/ptx/wgmma.cuh>

using namespace pyneural;
using Element = PYNEURAL_ELEMENT;

constexpr int kWidth = 256, kSteps = 4;  // columns; products of 64 x 16 and 16 x kWidth under way at once

// `rounds` times kSteps times d += a b, both read from shared memory, by one warpgroup a block; what each thread holds
// of d is added up and written, so that nothing is left out. `operands`: (64 + kWidth) lines of 64 elements.
__global__ void __launch_bounds__(128) wgmma_async(Index rounds, const Element* operands, float* totals) {
  __shared__ alignas(1024) Element shared[(64 + kWidth) * 64];
  for (int i = threadIdx.x; i < (64 + kWidth) * 64; i += 128) shared[i] = operands[i];
  ptx::fence_proxy_async();
  __syncthreads();
  // Lines of 128 bytes as TMA would have swizzled them; 16 inner places are 32 bytes further.
  const unsigned long long a = ptx::wgmma_descriptor(shared, 16, 8 * 128, ptx::Swizzle::B128);
  const unsigned long long b = ptx::wgmma_descriptor(shared + 64 * 64, 16, 8 * 128, ptx::Swizzle::B128);
  float d[kWidth / 2] = {};
  for (Index round = 0; round < rounds; ++round) {
    ptx::wgmma_fence();
#pragma unroll
    for (int i = 0; i < kSteps; ++i) ptx::wgmma<kWidth, Element>(d, a + i * 2, b + i * 2, true);
    ptx::wgmma_commit();
    ptx::wgmma_wait<0>();
    ptx::wgmma_settle(d);
  }
  float total = 0;
#pragma unroll
  for (int i = 0; i < kWidth / 2; ++i) total += d[i];
  totals[static_cast<Index>(blockIdx.x) * blockDim.x + threadIdx.x] = total;
}
