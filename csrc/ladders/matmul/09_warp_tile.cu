// Warp tile: a level between the block's tile and the thread's. A warp's lanes stand 4 x 8 over a tile of 64 x 64
// instead of 2 x 16 over 32 x 128: with half the perimeter for the same area, its loads touch 64 + 64 elements of
// shared memory for each inner place, where they touched 32 + 128. Limited by latency: between the barriers all warps
// load and nobody multiplies, then all multiply and nothing is loaded.
//
// takes: a[m, k], b[k, n] -> c[m, n]
// launch: matmul_warp_tile(a, b, c, m, n, k) grid ceil(n, BN), ceil(m, BM) block THREADS
// improves: shared_load_bytes per FMA

constexpr int BM = 128, BN = 256, BK = 8;
constexpr int WM = 64, WN = 64;  // a warp's tile
constexpr int TM = 16, TN = 8;   // a thread's part of it, in groups of 4 x 4
constexpr int LANES_M = WM / TM, LANES_N = WN / TN;
constexpr int THREADS = BM / WM * (BN / WN) * 32;
constexpr int PAD = 4;
static_assert(LANES_M * LANES_N == 32, "a warp has 32 lanes");

// 4 elements of a row of `length`, from `at` on; zeros past its end. One load where the rows are aligned.
__device__ __forceinline__ float4 load4(const float* row, int at, int length, bool aligned) {
  if (aligned && at + 3 < length) return *reinterpret_cast<const float4*>(row + at);
  return make_float4(at < length ? row[at] : 0.0f, at + 1 < length ? row[at + 1] : 0.0f,
                     at + 2 < length ? row[at + 2] : 0.0f, at + 3 < length ? row[at + 3] : 0.0f);
}

__device__ __forceinline__ void store4(float* row, int at, int length, bool aligned, float4 v) {
  if (aligned && at + 3 < length) {
    *reinterpret_cast<float4*>(row + at) = v;
    return;
  }
  if (at < length) row[at] = v.x;
  if (at + 1 < length) row[at + 1] = v.y;
  if (at + 2 < length) row[at + 2] = v.z;
  if (at + 3 < length) row[at + 3] = v.w;
}

// Rows of `length` floats begin at multiples of 16 bytes.
__device__ __forceinline__ bool rows_aligned(const float* p, int length) {
  return length % 4 == 0 && reinterpret_cast<size_t>(p) % 16 == 0;
}

__global__ void __launch_bounds__(THREADS)
matmul_warp_tile(const float* a, const float* b, float* c, int m, int n, int k) {
  __shared__ __align__(16) float tile_a[BK][BM + PAD], tile_b[BK][BN];
  const int t = threadIdx.x;
  const int first_row = blockIdx.y * BM, first_column = blockIdx.x * BN;
  const int warp = t / 32, lane = t % 32;
  const int x = warp % (BN / WN) * WN + lane % LANES_N * 4;  // of the first group of 4 each way
  const int y = warp / (BN / WN) * WM + lane / LANES_N * 4;
  const bool a_aligned = rows_aligned(a, k), b_aligned = rows_aligned(b, n), c_aligned = rows_aligned(c, n);
  float sums[TM][TN] = {};
  for (int start = 0; start < k; start += BK) {
    for (int i = t; i < BM * BK / 4; i += THREADS) {
      const int row = i / (BK / 4), inner = i % (BK / 4) * 4;
      float4 v = make_float4(0.0f, 0.0f, 0.0f, 0.0f);
      if (first_row + row < m) v = load4(a + size_t(first_row + row) * k, start + inner, k, a_aligned);
      tile_a[inner][row] = v.x;
      tile_a[inner + 1][row] = v.y;
      tile_a[inner + 2][row] = v.z;
      tile_a[inner + 3][row] = v.w;
    }
    for (int i = t; i < BK * BN / 4; i += THREADS) {
      const int inner = i / (BN / 4), column = i % (BN / 4) * 4;
      float4 v = make_float4(0.0f, 0.0f, 0.0f, 0.0f);
      if (start + inner < k) v = load4(b + size_t(start + inner) * n, first_column + column, n, b_aligned);
      *reinterpret_cast<float4*>(&tile_b[inner][column]) = v;
    }
    __syncthreads();
#pragma unroll
    for (int inner = 0; inner < BK; ++inner) {
      float from_a[TM], from_b[TN];
#pragma unroll
      for (int i = 0; i < TM; i += 4) {
        const float4 v = *reinterpret_cast<const float4*>(&tile_a[inner][y + i * LANES_M]);
        from_a[i] = v.x, from_a[i + 1] = v.y, from_a[i + 2] = v.z, from_a[i + 3] = v.w;
      }
#pragma unroll
      for (int j = 0; j < TN; j += 4) {
        const float4 v = *reinterpret_cast<const float4*>(&tile_b[inner][x + j * LANES_N]);
        from_b[j] = v.x, from_b[j + 1] = v.y, from_b[j + 2] = v.z, from_b[j + 3] = v.w;
      }
#pragma unroll
      for (int i = 0; i < TM; ++i) {
#pragma unroll
        for (int j = 0; j < TN; ++j) sums[i][j] += from_a[i] * from_b[j];
      }
    }
    __syncthreads();
  }
#pragma unroll
  for (int i = 0; i < TM; ++i) {
    const int row = first_row + y + i / 4 * 4 * LANES_M + i % 4;
    if (row >= m) break;
#pragma unroll
    for (int j = 0; j < TN; j += 4) {
      const float4 v = make_float4(sums[i][j], sums[i][j + 1], sums[i][j + 2], sums[i][j + 3]);
      store4(c + size_t(row) * n, first_column + x + j * LANES_N, n, c_aligned, v);
    }
  }
}
