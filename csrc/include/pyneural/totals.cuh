// Sums over whole arrays in two levels, the same at every launch: each block leaves what it summed, and one block
// adds that up. A grid of one block needs no second level.
#pragma once
#include "held_rows.cuh"

namespace pyneural {

// `sum` of all threads of a block: given to finish(sum), or left in row blockIdx.x of `partial`, (gridDim.x, Count).
template <int Count, typename Real, typename Finish>
__device__ __forceinline__ void finish_or_leave(Real (&sum)[Count], Real* partial, const Finish& finish) {
  __shared__ Real shared[2][Count][kWarp];
  BlockTeam<Real, Count> team(shared);
  team.sum(sum);
  if (threadIdx.x != 0) return;
  if (gridDim.x == 1) {
    finish(sum);
    return;
  }
#pragma unroll
  for (int k = 0; k < Count; ++k) partial[blockIdx.x * Count + k] = sum[k];
}

// The second level, one block: finish(sum) of `count` rows of `partial`.
template <int Count, typename Real, typename Finish>
__device__ __forceinline__ void finish_all(const Real* partial, Index count, const Finish& finish) {
  Real sum[Count] = {};
  for (Index i = threadIdx.x; i < count; i += blockDim.x) {
#pragma unroll
    for (int k = 0; k < Count; ++k) sum[k] += partial[i * Count + k];
  }
  finish_or_leave(sum, static_cast<Real*>(nullptr), finish);
}

}  // namespace pyneural
