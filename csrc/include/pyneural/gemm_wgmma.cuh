// The main loop of sm_90a: wgmma over shared memory that TMA fills, for half and bfloat16 with float sums. One warpgroup
// loads, stage by stage of a ring; two multiply, half of the tile's rows each. Blocks are persistent: they take tile
// after tile, and the next tile's loads are under way while the last one's results are stored. Two blocks of a cluster
// take tiles one below the other, and each loads half of the columns that both need.
// After P. Shankhdhar, "Outperforming cuBLAS on H100", 2024, and NVIDIA, CUTLASS, "Efficient GEMM in CUDA".
#pragma once
#include "gemm.cuh"
#include "ptx/cluster.cuh"
#include "ptx/mma.cuh"
#include "ptx/tma.cuh"
#include "ptx/warpgroup.cuh"
#include "wgmma_operand.cuh"

namespace pyneural {

// A tile of 128 x N in steps of 64. Shared memory: the stages; the results on their way out; the tile's bias; barriers.
// `Blocks`: those of a cluster, 1 or 2.
template <int N, int Stages, int Blocks = 1> struct WgmmaTile {
  static constexpr int m = 128, n = N, k = 64, stages = Stages, blocks = Blocks, groups = 2, rows = m / groups, threads = (groups + 1) * 128;
  static constexpr int box = 64;  // elements of a swizzled line of 128 bytes
  static constexpr int left_bytes = m * k * 2, stage_bytes = left_bytes + n * k * 2, box_bytes = box * 64 * 2;
  static constexpr int out = stages * stage_bytes, out_bytes = rows * n * 2, bias = out + groups * out_bytes;
  static constexpr int barriers = bias + groups * n * 4, bytes = barriers + 2 * stages * 8;
  static_assert(N == 128 || N == 256, "whole boxes");
};
using WideWgmmaTile = WgmmaTile<256, 3>;
using SquareWgmmaTile = WgmmaTile<128, 4>;
using PairWgmmaTile = WgmmaTile<256, 3, 2>;

// Filled in by kernels/matmul/cuda_hopper.py. Product z is (z % near, z / near) in two batch dimensions; an operand has
// steps of 0 along those that it is broadcast over. A split sums `each` inner places, a multiple of 64; none is empty.
struct WgmmaProblem {
  Index count, near;
  int m, n, inner, splits, each, a_step[2], b_step[2], by_tma;
};

struct WgmmaWork {
  int row, column, begin, end, split;
  Index z;
};

// This block's share of all tiles of all splits of all products. Of a cluster's two tiles the second may lie below all rows.
template <typename T, typename Run> __device__ __forceinline__ void wgmma_tiles(const WgmmaProblem& problem, const Run& run) {
  constexpr int height = T::m * T::blocks;
  const Index tiles_m = (problem.m + height - 1) / height, tiles_n = (problem.n + T::n - 1) / T::n, tiles = tiles_m * tiles_n;
  const int below = blockIdx.x % T::blocks * T::m;
  for (Index i = blockIdx.x / T::blocks; i < tiles * problem.count * problem.splits; i += gridDim.x / T::blocks) {
    const Index product = i / tiles, split = product / problem.count;
    const TilePlace at = tile_place(i - product * tiles, tiles_m, tiles_n);
    const int begin = static_cast<int>(split) * problem.each, end = begin + problem.each;
    run(WgmmaWork{static_cast<int>(at.row) * height + below, static_cast<int>(at.column) * T::n, begin,
                  end < problem.inner ? end : problem.inner, static_cast<int>(split), product - split * problem.count});
  }
}

// The stage that comes next in a ring, and the parity of the phase in which it does.
template <int Stages> struct Ring {
  int stage = 0;
  unsigned parity = 0;
  __device__ __forceinline__ void advance() {
    if (++stage == Stages) {
      stage = 0;
      parity ^= 1;
    }
  }
};

// A box of an operand for each 64 rows (or columns) that lie beside each other, or one of all of them with their inner
// places beside each other: both are lines of 128 bytes.
template <Along along, int Rows, bool ForBoth>
__device__ __forceinline__ void load_operand(
    unsigned char* to, const CUtensorMap& map, ptx::mbarrier* full, int outer, int k, int z_near, int z_far) {
  constexpr int boxes = along == kAlongInner ? 1 : Rows / 64;
#pragma unroll
  for (int i = 0; i < boxes; ++i) {
    const int first = outer + i * 64, at[4] = {along == kAlongInner ? k : first, along == kAlongInner ? first : k, z_near, z_far};
    if constexpr (ForBoth) {
      ptx::tma_load_multicast(to + i * 64 * 128, &map, full, at, 3);
    } else {
      ptx::tma_load(to + i * 64 * 128, &map, full, at);
    }
  }
}

// Until all threads of the cluster have come here: its barrier objects are ready, or nobody needs them any more.
template <typename T> __device__ __forceinline__ void meet() {
  if constexpr (T::blocks == 1) {
    __syncthreads();
  } else {
    ptx::cluster_arrive();
    ptx::cluster_wait();
  }
}

// `finish(work, d, out, bias)` is called by the 128 threads of a group for each tile of 64 rows from work.row on.
template <typename T, typename Element, Along A, Along B, typename Start, typename Finish>
__device__ __forceinline__ void gemm_wgmma(const WgmmaProblem& problem, const CUtensorMap& a, const CUtensorMap& b,
                                           unsigned char* shared, const Start& start, const Finish& finish) {
  ptx::mbarrier* full = reinterpret_cast<ptx::mbarrier*>(shared + T::barriers);
  ptx::mbarrier* empty = full + T::stages;
  if (threadIdx.x == 0) {
    for (int i = 0; i < T::stages; ++i) {
      ptx::mbarrier_init(&full[i], 1);
      ptx::mbarrier_init(&empty[i], T::blocks * T::groups * 4);  // an arrival from each warp that multiplies
    }
    ptx::fence_mbarrier_init();
  }
  meet<T>();
  Ring<T::stages> ring;
  if (threadIdx.x < 128) {
    ptx::setmaxnreg_decrease<40>();
    if (threadIdx.x == 0) {
      constexpr int columns = T::n / T::blocks;
      const int mine = blockIdx.x % T::blocks * columns;
      ptx::prefetch_tensor_map(&a);
      ptx::prefetch_tensor_map(&b);
      wgmma_tiles<T>(problem, [&](const WgmmaWork& work) {
        const int z_near = static_cast<int>(work.z % problem.near), z_far = static_cast<int>(work.z / problem.near);
        for (int k = work.begin; k < work.end; k += T::k, ring.advance()) {
          unsigned char* stage = shared + ring.stage * T::stage_bytes;
          ptx::mbarrier_wait(&empty[ring.stage], ring.parity ^ 1);  // passes at once in the first round
          ptx::mbarrier_arrive_expect_tx(&full[ring.stage], T::stage_bytes);
          load_operand<A, T::m, false>(stage, a, &full[ring.stage], work.row, k, z_near * problem.a_step[0],
                                       z_far * problem.a_step[1]);
          load_operand<B, columns, (T::blocks > 1)>(stage + T::left_bytes + mine * 128, b, &full[ring.stage],
                                                    work.column + mine, k, z_near * problem.b_step[0], z_far * problem.b_step[1]);
        }
      });
    }
    return;
  }
  ptx::setmaxnreg_increase<232>();
  // By a shuffle, so that the compiler knows it to be one for a warp and keeps descriptors in uniform registers.
  const int group = __shfl_sync(0xffffffffu, static_cast<int>(threadIdx.x) / 128, 0) - 1;
  unsigned char* out = shared + T::out + group * T::out_bytes;
  float* bias = reinterpret_cast<float*>(shared + T::bias) + group * T::n;
  float d[T::n / 2];
  wgmma_tiles<T>(problem, [&](WgmmaWork work) {
    start(work, bias);
    int last = -1;  // the stage whose products are still under way
    const auto release = [&] {
      if constexpr (T::blocks == 1) {
        if (threadIdx.x % 32 == 0) ptx::mbarrier_arrive(&empty[last]);
      } else {
        if (threadIdx.x % 32 < T::blocks) ptx::mbarrier_arrive_cluster(&empty[last], threadIdx.x % 32);
      }
    };
    for (int k = work.begin; k < work.end; k += T::k, ring.advance()) {
      const unsigned char* stage = shared + ring.stage * T::stage_bytes;
      const unsigned long long left = operand_descriptor<A>(stage + group * T::left_bytes / T::groups);
      const unsigned long long right = operand_descriptor<B>(stage + T::left_bytes);
      ptx::mbarrier_wait(&full[ring.stage], ring.parity);
      ptx::wgmma_fence();
#pragma unroll
      for (int i = 0; i < T::k / 16; ++i) {
        ptx::wgmma<T::n, Element, A == kAlongOuter, B == kAlongOuter>(
            d, left + i * kInnerStep<A>, right + i * kInnerStep<B>, i > 0 || k > work.begin);
      }
      ptx::wgmma_commit();
      ptx::wgmma_wait<1>();
      if (last >= 0) release();
      last = ring.stage;
    }
    ptx::wgmma_wait<0>();
    ptx::wgmma_settle(d);
    release();
    work.row += group * T::rows;
    finish(work, d, out, bias);
  });
}

}  // namespace pyneural
