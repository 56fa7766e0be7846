// Causal block skipping: with a causal mask the keys past a block's last row are never asked for, so the loop over the
// tiles ends at the diagonal; and a mask is tested only in the tiles that the diagonal crosses. For long sequences half
// of the loads and products go. Limited by blocks of unequal length: the first rows are done long before the last ones.
//
// takes: q:float16[heads, rows, e], k:float16[heads, keys, e], v:float16[heads, keys, ev], causal=0 ->
//   y:float16[heads, rows, ev]
// requires: e >= 1
// requires: e <= MOST and ev <= MOST
// launch: attention_causal_skipping<ceil(max(e, ev), 16) * 16>(q, k, v, y, rows, keys, e, ev, causal)
//   grid ceil(rows, ROWS), heads block THREADS
// improves: global_load_sectors per FMA

#include <math_constants.h>

#include <pyneural/ptx/mma.cuh>

using namespace pyneural;

constexpr int ROWS = 64, KEYS = 64;  // of a tile
constexpr int THREADS = ROWS / 16 * 32;
constexpr int PAD = 8;  // halves: the rows of an 8 x 8 matrix lie in different banks
constexpr int MOST = 128;

__device__ __forceinline__ unsigned pack(float a, float b) {
  const __half2 both = __floats2half2_rn(a, b);
  return *reinterpret_cast<const unsigned*>(&both);
}

// Copies `count` rows of `width` halves into rows of D + PAD; zeros past the end of either.
template <int D>
__device__ __forceinline__ void load(__half (*to)[D + PAD], const __half* from, int count, int width) {
  for (int i = threadIdx.x; i < KEYS * D; i += THREADS) {
    const int row = i / D, at = i % D;
    to[row][at] = row < count && at < width ? from[size_t(row) * width + at] : __float2half(0.0f);
  }
}

// D: e and ev rounded up to a multiple of 16.
template <int D>
__global__ void __launch_bounds__(THREADS)
attention_causal_skipping(const __half* q, const __half* k, const __half* v, __half* y,
                          int rows, int keys, int e, int ev, int causal) {
  __shared__ __align__(16) __half tile_k[KEYS][D + PAD], tile_v[KEYS][D + PAD];
  const int warp = threadIdx.x / 32, lane = threadIdx.x % 32, first = blockIdx.x * ROWS;
  q += (size_t(blockIdx.y) * rows + first) * e;
  k += size_t(blockIdx.y) * keys * e;
  v += size_t(blockIdx.y) * keys * ev;
  y += size_t(blockIdx.y) * rows * ev;
  const float scale = 1.0f / sqrtf(float(e));
  unsigned queries[D / 16][4];  // 16 rows of q stay in the registers of their warp
  load<D>(tile_k, q, rows - first, e);
  __syncthreads();
#pragma unroll
  for (int i = 0; i < D / 16; ++i) ptx::ldmatrix<4>(queries[i], &tile_k[warp * 16 + lane % 16][i * 16 + lane / 16 * 8]);
  // This lane's part of rows lane / 4 and lane / 4 + 8: results, largest scores, sums.
  float result[D / 8][4] = {}, largest[2] = {-CUDART_INF_F, -CUDART_INF_F}, sum[2] = {};
  // A tile past the diagonal of the block's last row has no key for any of its rows.
  const int end = causal && first + ROWS < keys ? first + ROWS : keys;
  for (int start = 0; start < end; start += KEYS) {
    __syncthreads();  // the last tiles have been read
    load<D>(tile_k, k + size_t(start) * e, keys - start, e);
    load<D>(tile_v, v + size_t(start) * ev, keys - start, ev);
    __syncthreads();
    float scores[KEYS / 8][4] = {};
#pragma unroll
    for (int i = 0; i < D / 16; ++i) {
#pragma unroll
      for (int j = 0; j < KEYS / 8; j += 2) {
        unsigned b[4];
        ptx::ldmatrix<4>(b, &tile_k[j * 8 + lane % 8 + lane / 16 * 8][i * 16 + lane / 8 % 2 * 8]);
        const unsigned left[2] = {b[0], b[1]}, right[2] = {b[2], b[3]};
        ptx::mma_m16n8k16<__half>(scores[j], queries[i], left);
        ptx::mma_m16n8k16<__half>(scores[j + 1], queries[i], right);
      }
    }
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      const int row = first + warp * 16 + lane / 4 + half * 8;
      float larger = largest[half];
      // Only at the diagonal and at the end of the keys has anything to be masked.
      const bool edge = start + KEYS > keys || (causal && start + KEYS > first + warp * 16);
#pragma unroll
      for (int j = 0; j < KEYS / 4; ++j) {
        float& s = scores[j / 2][half * 2 + j % 2];
        const int key = start + j / 2 * 8 + lane % 4 * 2 + j % 2;
        s = edge && (key >= keys || (causal && key > row)) ? -CUDART_INF_F : s * scale;
        larger = fmaxf(larger, s);
      }
      larger = fmaxf(larger, __shfl_xor_sync(0xffffffffu, larger, 1));
      larger = fmaxf(larger, __shfl_xor_sync(0xffffffffu, larger, 2));
      const float shrink = expf(largest[half] - larger);  // the first tile has a key for every row
      largest[half] = larger;
      sum[half] *= shrink;
#pragma unroll
      for (int j = 0; j < KEYS / 4; ++j) {
        float& s = scores[j / 2][half * 2 + j % 2];
        s = expf(s - larger);
        sum[half] += s;
      }
#pragma unroll
      for (int j = 0; j < D / 4; ++j) result[j / 2][half * 2 + j % 2] *= shrink;
    }
#pragma unroll
    for (int i = 0; i < KEYS / 16; ++i) {  // the scores lie in their lanes as an operand of mma wants them
      const float (&p)[4] = scores[2 * i], (&r)[4] = scores[2 * i + 1];
      const unsigned a[4] = {pack(p[0], p[1]), pack(p[2], p[3]), pack(r[0], r[1]), pack(r[2], r[3])};
#pragma unroll
      for (int j = 0; j < D / 8; j += 2) {
        unsigned b[4];
        ptx::ldmatrix<4, true>(b, &tile_v[i * 16 + lane % 16][j * 8 + lane / 16 * 8]);
        const unsigned left[2] = {b[0], b[1]}, right[2] = {b[2], b[3]};
        ptx::mma_m16n8k16<__half>(result[j], a, left);
        ptx::mma_m16n8k16<__half>(result[j + 1], a, right);
      }
    }
  }
#pragma unroll
  for (int half = 0; half < 2; ++half) {
    sum[half] += __shfl_xor_sync(0xffffffffu, sum[half], 1);
    sum[half] += __shfl_xor_sync(0xffffffffu, sum[half], 2);
    const int row = first + warp * 16 + lane / 4 + half * 8;
#pragma unroll
    for (int j = 0; j < D / 4; ++j) {
      const int at = j / 2 * 8 + lane % 4 * 2 + j % 2;
      const float value = keys ? result[j / 2][half * 2 + j % 2] / sum[half] : 0.0f;
      if (row < rows && at < ev) y[size_t(row) * ev + at] = __float2half(value);
    }
  }
}
