// 1-D register tile: each thread computes 8 elements of a column of c and keeps their sums in registers. One element of
// b is loaded from shared memory into a register and used 8 times: 9 shared loads for 8 FMA, where there were 16.
// Limited by shared memory still: the elements of a are used once for each load.
//
// takes: a[m, k], b[k, n] -> c[m, n]
// launch: matmul_register_tile_1d(a, b, c, m, n, k) grid ceil(n, BN), ceil(m, BM) block THREADS
// improves: shared_load_wavefronts per FMA

constexpr int BM = 64, BN = 64, BK = 8;  // the block's tile of c, and how deep its tiles of a and b are
constexpr int TM = 8;                    // rows of a thread
constexpr int THREADS = BM / TM * BN;

__global__ void __launch_bounds__(THREADS)
matmul_register_tile_1d(const float* a, const float* b, float* c, int m, int n, int k) {
  __shared__ float tile_a[BM][BK], tile_b[BK][BN];
  const int t = threadIdx.x;
  const int first_row = blockIdx.y * BM, first_column = blockIdx.x * BN;
  const int x = t % BN, y = t / BN * TM;  // this thread's place in the tile of c
  float sums[TM] = {};
  for (int start = 0; start < k; start += BK) {
    for (int i = t; i < BM * BK; i += THREADS) {
      const int row = first_row + i / BK, inner = start + i % BK;
      tile_a[i / BK][i % BK] = row < m && inner < k ? a[size_t(row) * k + inner] : 0.0f;
    }
    for (int i = t; i < BK * BN; i += THREADS) {
      const int inner = start + i / BN, column = first_column + i % BN;
      tile_b[i / BN][i % BN] = inner < k && column < n ? b[size_t(inner) * n + column] : 0.0f;
    }
    __syncthreads();
#pragma unroll 4
    for (int inner = 0; inner < BK; ++inner) {
      const float from_b = tile_b[inner][x];
#pragma unroll
      for (int i = 0; i < TM; ++i) sums[i] += tile_a[y + i][inner] * from_b;
    }
    __syncthreads();
  }
  for (int i = 0; i < TM; ++i) {
    const int row = first_row + y + i, column = first_column + x;
    if (row < m && column < n) c[size_t(row) * n + column] = sums[i];
  }
}
