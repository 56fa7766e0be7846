// mma.sync with ldmatrix and swizzle: half precision with float sums. ldmatrix reads four 8 x 8 matrices at once and
// leaves each lane the elements that mma.sync wants of it, b's turned on the way. It reads 16 bytes of 8 rows, which in
// plain tiles lie in the same banks; no row is padded here, but its groups of 16 bytes change places with the row's
// number (swizzle), so that the tiles stay dense and cp.async writes them without conflicts as well. Limited by the
// instructions that bring operands from shared memory into registers: on Hopper, mma.sync reaches about two thirds of
// the peak.
//
// takes: a:float16[m, k], b:float16[k, n] -> c:float16[m, n]
// launch: matmul_mma_ldmatrix(a, b, c, m, n, k) grid ceil(n, BN), ceil(m, BM) block THREADS
// improves: shared_load_wavefronts per FMA

#include <pyneural/ptx/cp_async.cuh>
#include <pyneural/ptx/mma.cuh>

using namespace pyneural;

constexpr int BM = 128, BN = 128, BK = 32;
constexpr int WM = 64, WN = 32;  // a warp's tile
constexpr int THREADS = BM / WM * (BN / WN) * 32;

// Where element (row, at) of a tile lies: rows of 4 groups of 8 halves for a, two to 128 bytes, and of 16 groups for b.
__device__ __forceinline__ int place_a(int row, int at) { return row * BK + ((at / 8) ^ (row / 2 % 4)) * 8 + at % 8; }
__device__ __forceinline__ int place_b(int row, int at) { return row * BN + ((at / 8) ^ (row % 8)) * 8 + at % 8; }

// 8 elements of a row into a tile, by cp.async where rows begin at multiples of 16 bytes; zeros past the edges.
__device__ __forceinline__ void copy8(__half* to, const __half* from, int row, int at, int rows, int length, bool aligned) {
  const __half* begin = from + size_t(row) * length + at;
  if (aligned) {  // the length is a multiple of 8: all 8 are inside, or none
    const bool inside = row < rows && at < length;
    ptx::cp_async_zfill<16>(to, inside ? begin : from, inside);
    return;
  }
  for (int j = 0; j < 8; ++j) to[j] = row < rows && at + j < length ? begin[j] : __float2half(0.0f);
}

__device__ __forceinline__ bool rows_aligned(const __half* p, int length) {
  return length % 8 == 0 && reinterpret_cast<size_t>(p) % 16 == 0;
}

__global__ void __launch_bounds__(THREADS)
matmul_mma_ldmatrix(const __half* a, const __half* b, __half* c, int m, int n, int k) {
  __shared__ __align__(16) __half tile_a[2][BM * BK], tile_b[2][BK * BN];
  const int t = threadIdx.x, warp = t / 32, lane = t % 32;
  const int first_row = blockIdx.y * BM, first_column = blockIdx.x * BN;
  const int y = warp / (BN / WN) * WM, x = warp % (BN / WN) * WN;
  const bool a_aligned = rows_aligned(a, k), b_aligned = rows_aligned(b, n);
  const auto load = [&](int buffer, int start) {
    for (int i = t; i < BM * BK / 8; i += THREADS) {
      const int row = i / (BK / 8), at = i % (BK / 8) * 8;
      copy8(&tile_a[buffer][place_a(row, at)], a, first_row + row, start + at, m, k, a_aligned);
    }
    for (int i = t; i < BK * BN / 8; i += THREADS) {
      const int row = i / (BN / 8), at = i % (BN / 8) * 8;
      copy8(&tile_b[buffer][place_b(row, at)], b, start + row, first_column + at, k, n, b_aligned);
    }
    ptx::cp_async_commit();
  };
  float sums[WM / 16][WN / 8][4] = {};
  if (k > 0) load(0, 0);
  for (int start = 0; start < k; start += BK) {
    const int current = start / BK % 2;
    ptx::cp_async_wait<0>();
    __syncthreads();
    if (start + BK < k) load(1 - current, start + BK);
#pragma unroll
    for (int inner = 0; inner < BK; inner += 16) {
      unsigned from_a[WM / 16][4], from_b[WN / 8][2];
#pragma unroll
      for (int i = 0; i < WM / 16; ++i) {
        ptx::ldmatrix<4>(from_a[i], &tile_a[current][place_a(y + i * 16 + lane % 16, inner + lane / 16 * 8)]);
      }
#pragma unroll
      for (int j = 0; j < WN / 8; j += 2) {  // 16 inner places of 16 columns
        unsigned both[4];
        ptx::ldmatrix<4, true>(both, &tile_b[current][place_b(inner + lane % 16, x + j * 8 + lane / 16 * 8)]);
        from_b[j][0] = both[0], from_b[j][1] = both[1], from_b[j + 1][0] = both[2], from_b[j + 1][1] = both[3];
      }
#pragma unroll
      for (int i = 0; i < WM / 16; ++i) {
#pragma unroll
        for (int j = 0; j < WN / 8; ++j) ptx::mma_m16n8k16<__half>(sums[i][j], from_a[i], from_b[j]);
      }
    }
  }
#pragma unroll
  for (int i = 0; i < WM / 16; ++i) {
#pragma unroll
    for (int j = 0; j < WN / 8; ++j) {
#pragma unroll
      for (int l = 0; l < 4; l += 2) {
        const int row = first_row + y + i * 16 + lane / 4 + l / 2 * 8, column = first_column + x + j * 8 + lane % 4 * 2;
        __half* to = c + size_t(row) * n + column;
        if (row < m && column + 1 < n && n % 2 == 0) {
          *reinterpret_cast<__half2*>(to) = __floats2half2_rn(sums[i][j][l], sums[i][j][l + 1]);
        } else if (row < m) {
          if (column < n) to[0] = __float2half(sums[i][j][l]);
          if (column + 1 < n) to[1] = __float2half(sums[i][j][l + 1]);
        }
      }
    }
  }
}
