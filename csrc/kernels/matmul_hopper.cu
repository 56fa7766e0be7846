// Batched matrix products of PYNEURAL_ELEMENT (half or bfloat16) on sm_90a, of operands that TMA can describe, with bias
// and activation applied before the result is stored. All others are those of matmul.cu.
#include <pyneural/gemm_wgmma.cuh>
#include <pyneural/map.cuh>
#include <pyneural/math.cuh>

using namespace pyneural;
using Element = PYNEURAL_ELEMENT;
using Wide = WideWgmmaTile;
using Square = SquareWgmmaTile;
using Pair = PairWgmmaTile;

// Two results as they lie beside each other in memory.
__device__ __forceinline__ unsigned pack(float first, float second) {
  const Vector<Element, 2> both{{narrow<Element>(first), narrow<Element>(second)}};
  return *reinterpret_cast<const unsigned*>(&both);
}

// Where element (row, column) of a group's results lies in shared memory: boxes of 64 columns, swizzled as TMA does.
__device__ __forceinline__ int staged(int row, int column) {
  return column / 64 * 64 * 128 + row * 128 + (column / 8 % 8 ^ row % 8) * 16 + column % 8 * 2;
}

// `partial` takes the float sums of each split; else c, by TMA where its rows allow that.
template <typename T, Along A, Along B, Activation activation>
__device__ __forceinline__ void product(const WgmmaProblem& problem, const CUtensorMap& a, const CUtensorMap& b,
                                        const CUtensorMap& store, const Element* bias, float* partial, Element* c) {
  extern __shared__ __align__(1024) unsigned char shared[];
  const int thread = threadIdx.x % 128, warp = thread / 32, lane = threadIdx.x % 32, group = threadIdx.x / 128;
  const int m = problem.m, n = problem.n;
  const auto sync = [&] { ptx::named_barrier_sync(group, 128); };
  const auto start = [&](const WgmmaWork& work, float* tile_bias) {
    if (!bias) return;
    // The last tile's has been read: all of the group have met since.
    for (int j = thread; j < T::n; j += 128) tile_bias[j] = work.column + j < n ? widen(bias[work.column + j]) : 0.0f;
  };
  const auto finish = [&](const WgmmaWork& work, float (&d)[T::n / 2], unsigned char* out, const float* tile_bias) {
    if (partial) {
      float* rows = partial + (work.split * problem.count + work.z) * m * n;
#pragma unroll
      for (int i = 0; i < T::n / 4; ++i) {
        const int row = work.row + warp * 16 + lane / 4 + i % 2 * 8, column = work.column + i / 2 * 8 + lane % 4 * 2;
        float* to = rows + Index(row) * n + column;
        if (row < m && column + 1 < n && n % 2 == 0) {
          *reinterpret_cast<float2*>(to) = make_float2(d[2 * i], d[2 * i + 1]);
        } else if (row < m) {
          if (column < n) to[0] = d[2 * i];
          if (column + 1 < n) to[1] = d[2 * i + 1];
        }
      }
      return;
    }
    if (thread == 0) ptx::bulk_wait_read<0>();
    sync();  // the last tile's results have left, this one's bias is there
#pragma unroll
    for (int g = 0; g < T::n / 8; g += 2) {
      unsigned words[4];
#pragma unroll
      for (int i = 0; i < 4; ++i) {  // 8 x 8 results: rows 0 and 8 of columns 8 g, then of 8 g + 8
        float2 added = make_float2(0.0f, 0.0f);
        if (bias) added = *reinterpret_cast<const float2*>(tile_bias + (g + i / 2) * 8 + lane % 4 * 2);
        const float* pair = d + (g + i / 2) * 4 + i % 2 * 2;
        words[i] = pack(activated(pair[0] + added.x, activation), activated(pair[1] + added.y, activation));
      }
      ptx::stmatrix<4>(out + staged(warp * 16 + lane % 16, g * 8 + lane / 16 * 8), words);
    }
    if (problem.by_tma) {
      ptx::fence_proxy_async();
      sync();
      if (thread == 0) {
        for (int j = 0; j < T::n && work.column + j < n; j += T::box) {
          const int at[3] = {work.column + j, work.row, static_cast<int>(work.z)};
          if (work.row < m) ptx::tma_store(&store, out + j * 128, at);
        }
        ptx::bulk_commit();
      }
    } else {
      sync();
      Element* rows = c + (work.z * m + work.row) * n + work.column;
      for (int row = warp; row < T::rows && work.row + row < m; row += 4) {
        for (int j = lane; j < T::n && work.column + j < n; j += 32) {
          rows[Index(row) * n + j] = *reinterpret_cast<const Element*>(out + staged(row, j));
        }
      }
    }
  };
  gemm_wgmma<T, Element, A, B>(problem, a, b, shared, start, finish);
  if (threadIdx.x >= 128 && thread == 0) ptx::bulk_wait<0>();
  if constexpr (T::blocks > 1) meet<T>();  // the other block still loads into this one's memory, and arrives there
}

template <typename T, Along A, Along B, Activation activation>
__global__ void __launch_bounds__(T::threads, 1)
matmul_hopper(const __grid_constant__ WgmmaProblem problem, const __grid_constant__ CUtensorMap a,
              const __grid_constant__ CUtensorMap b, const __grid_constant__ CUtensorMap store, const Element* bias,
              float* partial, Element* c) {
  product<T, A, B, activation>(problem, a, b, store, bias, partial, c);
}

// For tiles of two blocks.
template <typename T, Along A, Along B, Activation activation>
__global__ void __cluster_dims__(2) __launch_bounds__(T::threads, 1)
matmul_hopper_pair(const __grid_constant__ WgmmaProblem problem, const __grid_constant__ CUtensorMap a,
                   const __grid_constant__ CUtensorMap b, const __grid_constant__ CUtensorMap store, const Element* bias,
                   float* partial, Element* c) {
  product<T, A, B, activation>(problem, a, b, store, bias, partial, c);
}
