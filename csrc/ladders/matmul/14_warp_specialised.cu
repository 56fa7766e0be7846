// Warp-specialised, persistent: one warpgroup only loads, two only multiply; barrier objects in both directions
// ("full", "empty") take the place of __syncthreads, so that loads run up to 4 stages ahead and nobody waits who need
// not. The loading one gives registers to the others. Blocks are as many as multiprocessors and take tile after tile:
// the next tile's loads are under way while the last one's results are stored. Those go through shared memory
// (stmatrix) and by TMA too, 16 x 16 of them an instruction. After P. Shankhdhar, "Outperforming cuBLAS on H100", 2024.
// Limited by the tensor cores and the power they may draw; a cluster of two blocks, which would share its loads, the
// simulator does not have.
//
// arch: sm_90a
// takes: a:float16[m, k], b:float16[k, n] -> c:float16[m, n]
// let: k8 = max(8, ceil(k, 8) * 8)
// let: n8 = ceil(n, 8) * 8
// let: a_fits = k == k8
// let: b_fits = n == n8 and k > 0
// let: tiles = ceil(m, BM) * ceil(n, BN)
// scratch: padded_c:float16[pick(n == n8, 0, m), n8]
// scratch: padded_a:float16[pick(a_fits, 0, m), k8], padded_b:float16[pick(b_fits, 0, max(k, 1)), n8]
// launch: matmul_warp_specialised_pad(a, padded_a, m, k, k8) grid pick(a_fits, 0, ceil(m * k8, 256)) block 256
// launch: matmul_warp_specialised_pad(b, padded_b, k, n, n8) grid pick(b_fits, 0, ceil(max(k, 1) * n8, 256)) block 256
// launch: matmul_warp_specialised(tma(pick(a_fits, a, padded_a), BM, BK),
//   tma(pick(b_fits, b, padded_b), BK, 64), tma(pick(n == n8, c, padded_c), 64, 64), m, n, k)
//   grid min(tiles, 132) block THREADS shared STAGES * STAGE + GROUPS * OUT
// launch: matmul_warp_specialised_unpad(padded_c, c, m, n, n8) grid pick(n == n8, 0, ceil(m * n, 256)) block 256
// improves: memory_instructions per FMA

#include <pyneural/ptx/mma.cuh>
#include <pyneural/ptx/tma.cuh>
#include <pyneural/ptx/warpgroup.cuh>
#include <pyneural/ptx/wgmma.cuh>

using namespace pyneural;

constexpr int BM = 128, BN = 128, BK = 64;
constexpr int GROUPS = BM / 64;  // that multiply
constexpr int THREADS = (GROUPS + 1) * 128;
constexpr int STAGES = 4;
constexpr int LEFT = BM * BK * 2, STAGE = LEFT + BK * BN * 2;  // bytes
constexpr int OUT = 64 * BN * 2;                               // of a group's results

// TMA takes rows whose bytes are a multiple of 16: a copy of `rows` rows of `from` in rows of `wide`, zeros behind them.
__global__ void matmul_warp_specialised_pad(const __half* from, __half* to, int rows, int columns, int wide) {
  const long long i = (long long)blockIdx.x * blockDim.x + threadIdx.x;
  const int column = int(i % wide);
  if (i < (long long)rows * wide) to[i] = column < columns ? from[i / wide * columns + column] : __float2half(0.0f);
}

__global__ void matmul_warp_specialised_unpad(const __half* from, __half* to, int rows, int columns, int wide) {
  const long long i = (long long)blockIdx.x * blockDim.x + threadIdx.x;
  if (i < (long long)rows * columns) to[i] = from[i / columns * wide + i % columns];
}

// What wgmma is told of 64 rows of a's tile (lines of 128 bytes are 64 inner places) and of b's (boxes of 64 columns, whose
// lines are inner places), both swizzled by 128 bytes.
__device__ __forceinline__ unsigned long long describe_a(const unsigned char* tile) {
  return ptx::wgmma_descriptor(tile, 16, 8 * 128, ptx::Swizzle::B128);
}
__device__ __forceinline__ unsigned long long describe_b(const unsigned char* tile) {
  return ptx::wgmma_descriptor(tile, 64 * 128, 8 * 128, ptx::Swizzle::B128);
}
constexpr unsigned long long NEXT_A = 16 * 2 >> 4, NEXT_B = 16 * 128 >> 4;  // 16 inner places on, in 16 bytes

// Starts the copies of one step's tiles. What lies outside of the matrices arrives as zeros.
__device__ __forceinline__ void load_stage(unsigned char* stage, ptx::mbarrier* full, const CUtensorMap& a,
                                           const CUtensorMap& b, int row, int column, int inner) {
  ptx::mbarrier_arrive_expect_tx(full, STAGE);
  const int at_a[2] = {inner, row};
  ptx::tma_load(stage, &a, full, at_a);
#pragma unroll
  for (int j = 0; j < BN; j += 64) {
    const int at_b[2] = {column + j, inner};
    ptx::tma_load(stage + LEFT + j * 128, &b, full, at_b);
  }
}

// 64 x BN x 64 products of a warpgroup.
__device__ __forceinline__ void multiply_stage(float (&sums)[BN / 2], const unsigned char* stage, int group, bool first) {
  const unsigned long long left = describe_a(stage + group * 64 * 128), right = describe_b(stage + LEFT);
  ptx::wgmma_fence();
#pragma unroll
  for (int i = 0; i < BK / 16; ++i) {
    ptx::wgmma<BN, __half, false, true>(sums, left + i * NEXT_A, right + i * NEXT_B, i > 0 || !first);
  }
  ptx::wgmma_commit();
}

// Where result (row, column) of a group lies in shared memory: boxes of 64 columns, swizzled as TMA does.
__device__ __forceinline__ int staged(int row, int column) {
  return column / 64 * 64 * 128 + row * 128 + ((column / 8 % 8) ^ (row % 8)) * 16;
}

__device__ __forceinline__ unsigned pack(float a, float b) {
  const __half2 both = __floats2half2_rn(a, b);
  return *reinterpret_cast<const unsigned*>(&both);
}

__global__ void __launch_bounds__(THREADS, 1)
matmul_warp_specialised(const __grid_constant__ CUtensorMap a, const __grid_constant__ CUtensorMap b,
                        const __grid_constant__ CUtensorMap c, int m, int n, int k) {
  extern __shared__ __align__(1024) unsigned char stages[];
  __shared__ ptx::mbarrier full[STAGES], empty[STAGES];
  const int t = threadIdx.x % 128, warp = t / 32, lane = t % 32;
  const int across = (n + BN - 1) / BN, tiles = across * ((m + BM - 1) / BM), steps = (k + BK - 1) / BK;
  if (threadIdx.x == 0) {
    for (int i = 0; i < STAGES; ++i) {
      ptx::mbarrier_init(&full[i], 1);
      ptx::mbarrier_init(&empty[i], GROUPS * 4);  // an arrival from each warp that multiplies
    }
    ptx::fence_mbarrier_init();
  }
  __syncthreads();
  int round = 0;  // steps of all tiles so far: the stage is round % STAGES
  if (threadIdx.x < 128) {
    ptx::setmaxnreg_decrease<40>();
    if (threadIdx.x) return;
    for (int tile = blockIdx.x; tile < tiles; tile += gridDim.x) {
      for (int step = 0; step < steps; ++step, ++round) {
        const int stage = round % STAGES;
        ptx::mbarrier_wait(&empty[stage], (round / STAGES + 1) % 2);  // passes at once in the first round
        load_stage(stages + stage * STAGE, &full[stage], a, b, tile / across * BM, tile % across * BN, step * BK);
      }
    }
    return;
  }
  ptx::setmaxnreg_increase<232>();
  const int group = threadIdx.x / 128 - 1;
  unsigned char* out = stages + STAGES * STAGE + group * OUT;
  for (int tile = blockIdx.x; tile < tiles; tile += gridDim.x) {
    float sums[BN / 2] = {};
    for (int step = 0; step < steps; ++step, ++round) {
      const int stage = round % STAGES;
      ptx::mbarrier_wait(&full[stage], round / STAGES % 2);
      multiply_stage(sums, stages + stage * STAGE, group, step == 0);
      ptx::wgmma_wait<0>();
      if (lane == 0) ptx::mbarrier_arrive(&empty[stage]);
    }
    ptx::wgmma_settle(sums);
    if (t == 0) ptx::bulk_wait_read<0>();
    ptx::named_barrier_sync(group + 1, 128);  // the last tile's results have left
#pragma unroll
    for (int j = 0; j < BN / 8; j += 2) {
      const float* s = sums + j * 4;
      const unsigned words[4] = {pack(s[0], s[1]), pack(s[2], s[3]), pack(s[4], s[5]), pack(s[6], s[7])};
      ptx::stmatrix<4>(out + staged(warp * 16 + lane % 16, j * 8 + lane / 16 * 8), words);
    }
    ptx::fence_proxy_async();
    ptx::named_barrier_sync(group + 1, 128);
    if (t == 0) {
      const int row = tile / across * BM + group * 64;
      for (int j = 0; j < BN; j += 64) {
        const int at[2] = {tile % across * BN + j, row};
        if (row < m && at[0] < n) ptx::tma_store(&c, out + j * 128, at);
      }
      ptx::bulk_commit();
    }
  }
  if (t == 0) ptx::bulk_wait<0>();
}
