// im2col and matmul: the convolution as a matrix product, filters x taps by taps x places. A first kernel writes the
// second matrix out (im2col), each element of the images r s times; a second one multiplies with the matmul ladder's
// shared and register tiles. Every filter uses a loaded element, and every place a loaded weight, 64 times. Limited by
// the matrix that is written and read: r s times the images' memory, for nothing but its order.
//
// takes: x[batch, channels, height, width], w[filters, channels, r, s], stride=1, padding=0 -> y[batch, filters, p, q]
// requires: height + 2 * padding >= r and width + 2 * padding >= s
// let: p = (height + 2 * padding - r) / stride + 1
// let: q = (width + 2 * padding - s) / stride + 1
// let: taps = channels * r * s
// let: places = batch * p * q
// scratch: patches[taps, places]
// launch: conv_im2col(x, patches, ints(batch, channels, height, width, filters, r, s, p, q, stride, padding)) grid
//   ceil(taps * places, THREADS) block THREADS
// launch: conv_matmul(w, patches, y, ints(batch, channels, height, width, filters, r, s, p, q, stride, padding))
//   grid ceil(places, BN), ceil(filters, BM) block THREADS
// improves: global_load_sectors per FMA

constexpr int BM = 64, BN = 64, BK = 16;  // the block's tile, and how deep its operands' tiles are
constexpr int TM = 4, TN = 4;
constexpr int THREADS = BM / TM * (BN / TN);
constexpr int PAD = 4;

// Sizes of images, filters (r x s) and results (p x q), in the order in which the launch names them.
struct Conv {
  int batch, channels, height, width, filters, r, s, p, q, stride, padding;
};

// The element of the images that tap `tap` (channel, row, column) of result `place` (image, row, column) takes.
__device__ __forceinline__ float image_at(const float* x, const Conv& c, int tap, int place) {
  const int v = tap % c.s, u = tap / c.s % c.r, channel = tap / c.s / c.r;
  const int column = place % c.q * c.stride - c.padding + v, row = place / c.q % c.p * c.stride - c.padding + u;
  if (row < 0 || row >= c.height || column < 0 || column >= c.width) return 0.0f;
  return x[((size_t(place / c.q / c.p) * c.channels + channel) * c.height + row) * c.width + column];
}

// A rows x columns product: operands come from load_a(row, inner) and load_b(inner, column), each asked for places inside
// only; results go to store(row, column, value). Each block has a tile, each thread 4 x 4 of it.
template <typename LoadA, typename LoadB, typename Store>
__device__ __forceinline__ void gemm(int rows, int columns, int inner, int first_row, int first_column, const LoadA& load_a,
                                     const LoadB& load_b, const Store& store) {
  __shared__ __align__(16) float tile_a[BK][BM + PAD], tile_b[BK][BN];
  const int t = threadIdx.x, x = t % (BN / TN) * TN, y = t / (BN / TN) * TM;
  float sums[TM][TN] = {};
  for (int start = 0; start < inner; start += BK) {
    for (int i = t; i < BM * BK; i += THREADS) {
      const int at = i % BK, row = i / BK;
      tile_a[at][row] = first_row + row < rows && start + at < inner ? load_a(first_row + row, start + at) : 0.0f;
    }
    for (int i = t; i < BK * BN; i += THREADS) {
      const int at = i / BN, column = i % BN;
      const bool inside = first_column + column < columns && start + at < inner;
      tile_b[at][column] = inside ? load_b(start + at, first_column + column) : 0.0f;
    }
    __syncthreads();
#pragma unroll
    for (int at = 0; at < BK; ++at) {
      const float4 a = *reinterpret_cast<const float4*>(&tile_a[at][y]), b = *reinterpret_cast<const float4*>(&tile_b[at][x]);
      const float from_a[TM] = {a.x, a.y, a.z, a.w}, from_b[TN] = {b.x, b.y, b.z, b.w};
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
#pragma unroll
    for (int j = 0; j < TN; ++j) {
      const int row = first_row + y + i, column = first_column + x + j;
      if (row < rows && column < columns) store(row, column, sums[i][j]);
    }
  }
}

__global__ void __launch_bounds__(THREADS) conv_im2col(const float* x, float* patches, Conv c) {
  const int places = c.batch * c.p * c.q;
  const long long i = (long long)blockIdx.x * THREADS + threadIdx.x;
  if (i < (long long)c.channels * c.r * c.s * places) patches[i] = image_at(x, c, int(i / places), int(i % places));
}

__global__ void __launch_bounds__(THREADS) conv_matmul(const float* w, const float* patches, float* y, Conv c) {
  const int taps = c.channels * c.r * c.s, places = c.batch * c.p * c.q;
  const auto load_a = [&](int k, int tap) { return w[size_t(k) * taps + tap]; };
  const auto load_b = [&](int tap, int place) { return patches[size_t(tap) * places + place]; };
  gemm(c.filters, places, taps, blockIdx.y * BM, blockIdx.x * BN, load_a, load_b, [&](int k, int place, float sum) {
    y[(size_t(place / (c.p * c.q)) * c.filters + k) * c.p * c.q + place % (c.p * c.q)] = sum;
  });
}
