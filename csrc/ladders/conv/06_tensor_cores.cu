// Implicit GEMM on tensor cores: the tiles are of half precision, and mma.sync multiplies 16 x 16 by 16 x 8 of them for
// a whole warp at once; ldmatrix hands each lane its elements, four 8 x 8 matrices an instruction. One shared request
// stands for 512 FMA and more. Both gradients are products of the same kind with other ways to find an element: for the
// images' gradient (dgrad) rows are channels and the sum goes over filters and taps; for the weights' (wgrad) columns
// are taps and the sum goes over all places. Limited by the loads of single elements into the tiles, which the
// channels-last order of the images (NHWC) would make 16 bytes wide.
//
// takes: x:float16[batch, channels, height, width], w:float16[filters, channels, r, s], stride=1, padding=0 ->
//   y:float16[batch, filters, p, q]
// requires: height + 2 * padding >= r and width + 2 * padding >= s
// let: p = (height + 2 * padding - r) / stride + 1
// let: q = (width + 2 * padding - s) / stride + 1
// launch: conv_tensor_cores(x, w, y, ints(batch, channels, height, width, filters, r, s, p, q, stride, padding))
//   grid ceil(batch * p * q, BN), ceil(filters, BM) block THREADS
// takes dgrad: dy:float16[batch, filters, p, q], w:float16[filters, channels, r, s], height=1, width=1, stride=1,
//   padding=0 -> dx:float16[batch, channels, height, width]
// launch dgrad: conv_tensor_cores_dgrad(dy, w, dx, ints(batch, channels, height, width, filters, r, s, p, q, stride,
//   padding)) grid ceil(batch * height * width, BN), ceil(channels, BM) block THREADS
// takes wgrad: dy:float16[batch, filters, p, q], x:float16[batch, channels, height, width], r=3, s=3, stride=1,
//   padding=0 -> dw:float16[filters, channels, r, s]
// launch wgrad: conv_tensor_cores_wgrad(dy, x, dw, ints(batch, channels, height, width, filters, r, s, p, q, stride,
//   padding)) grid ceil(channels * r * s, BN), ceil(filters, BM) block THREADS
// improves: memory_instructions per FMA

#include <pyneural/ptx/mma.cuh>

constexpr int BM = 64, BN = 64, BK = 32;  // the block's tile, and how deep its operands' tiles are
constexpr int WM = 32, WN = 32;           // a warp's part of it
constexpr int THREADS = BM / WM * (BN / WN) * 32;
constexpr int PAD = 8;                    // halves: the 8 rows of an 8 x 8 matrix lie in different banks

using namespace pyneural;

// Sizes of images, filters (r x s) and results (p x q), in the order in which the launch names them.
struct Conv {
  int batch, channels, height, width, filters, r, s, p, q, stride, padding;
};

// The element of the images that tap `tap` (channel, row, column) of result `place` (image, row, column) takes.
__device__ __forceinline__ __half image_at(const __half* x, const Conv& c, int tap, int place) {
  const int v = tap % c.s, u = tap / c.s % c.r, channel = tap / c.s / c.r;
  const int column = place % c.q * c.stride - c.padding + v, row = place / c.q % c.p * c.stride - c.padding + u;
  if (row < 0 || row >= c.height || column < 0 || column >= c.width) return __float2half(0.0f);
  return x[((size_t(place / c.q / c.p) * c.channels + channel) * c.height + row) * c.width + column];
}

// A rows x columns product on tensor cores: operands come from load_a(row, inner) and load_b(inner, column), each asked for
// places inside only; results go to store(row, column, value). Sums are floats.
template <typename LoadA, typename LoadB, typename Store>
__device__ __forceinline__ void gemm(int rows, int columns, int inner, const LoadA& load_a, const LoadB& load_b,
                                     const Store& store) {
  __shared__ __align__(16) __half tile_a[BM][BK + PAD], tile_b[BK][BN + PAD];
  const int t = threadIdx.x, warp = t / 32, lane = t % 32;
  const int first_row = blockIdx.y * BM, first_column = blockIdx.x * BN;
  const int y = warp / (BN / WN) * WM, x = warp % (BN / WN) * WN;
  const __half zero = __float2half(0.0f);
  float sums[WM / 16][WN / 8][4] = {};
  for (int start = 0; start < inner; start += BK) {
    for (int i = t; i < BM * BK; i += THREADS) {
      const int at = i % BK, row = i / BK;
      tile_a[row][at] = first_row + row < rows && start + at < inner ? load_a(first_row + row, start + at) : zero;
    }
    for (int i = t; i < BK * BN; i += THREADS) {
      const int at = i / BN, column = i % BN;
      const bool inside = first_column + column < columns && start + at < inner;
      tile_b[at][column] = inside ? load_b(start + at, first_column + column) : zero;
    }
    __syncthreads();
#pragma unroll
    for (int at = 0; at < BK; at += 16) {
      unsigned a[WM / 16][4], b[WN / 8][2];
#pragma unroll
      for (int i = 0; i < WM / 16; ++i) ptx::ldmatrix<4>(a[i], &tile_a[y + i * 16 + lane % 16][at + lane / 16 * 8]);
#pragma unroll
      for (int j = 0; j < WN / 8; j += 2) {  // two neighbouring 16 x 8 parts of b in one instruction
        unsigned both[4];
        ptx::ldmatrix<4, true>(both, &tile_b[at + lane % 16][x + j * 8 + lane / 16 * 8]);
        b[j][0] = both[0], b[j][1] = both[1], b[j + 1][0] = both[2], b[j + 1][1] = both[3];
      }
#pragma unroll
      for (int i = 0; i < WM / 16; ++i) {
#pragma unroll
        for (int j = 0; j < WN / 8; ++j) ptx::mma_m16n8k16<__half>(sums[i][j], a[i], b[j]);
      }
    }
    __syncthreads();
  }
#pragma unroll
  for (int i = 0; i < WM / 16; ++i) {
#pragma unroll
    for (int j = 0; j < WN / 8; ++j) {
#pragma unroll
      for (int l = 0; l < 4; ++l) {
        const int row = first_row + y + i * 16 + lane / 4 + l / 2 * 8, column = first_column + x + j * 8 + lane % 4 * 2 + l % 2;
        if (row < rows && column < columns) store(row, column, __float2half(sums[i][j][l]));
      }
    }
  }
}

__global__ void __launch_bounds__(THREADS) conv_tensor_cores(const __half* x, const __half* w, __half* y, Conv c) {
  const int taps = c.channels * c.r * c.s, places = c.batch * c.p * c.q;
  const auto load_a = [&](int k, int tap) { return w[size_t(k) * taps + tap]; };
  const auto load_b = [&](int tap, int place) { return image_at(x, c, tap, place); };
  gemm(c.filters, places, taps, load_a, load_b, [&](int k, int place, __half sum) {
    y[(size_t(place / (c.p * c.q)) * c.filters + k) * c.p * c.q + place % (c.p * c.q)] = sum;
  });
}

// dx (channel, place) is the sum over filters and taps of w times the dy that this place had a part in.
__global__ void __launch_bounds__(THREADS) conv_tensor_cores_dgrad(const __half* dy, const __half* w, __half* dx, Conv c) {
  const int taps = c.r * c.s, plane = c.height * c.width;
  const auto load_a = [&](int channel, int i) { return w[(size_t(i / taps) * c.channels + channel) * taps + i % taps]; };
  const auto load_b = [&](int i, int place) {
    const int v = i % c.s, u = i / c.s % c.r, k = i / taps;
    const int column = place % c.width + c.padding - v, row = place / c.width % c.height + c.padding - u;  // times the stride
    const bool whole = column >= 0 && row >= 0 && column % c.stride == 0 && row % c.stride == 0;
    if (!whole || row / c.stride >= c.p || column / c.stride >= c.q) return __float2half(0.0f);
    return dy[((size_t(place / plane) * c.filters + k) * c.p + row / c.stride) * c.q + column / c.stride];
  };
  gemm(c.channels, c.batch * plane, c.filters * taps, load_a, load_b, [&](int channel, int place, __half sum) {
    dx[(size_t(place / plane) * c.channels + channel) * plane + place % plane] = sum;
  });
}

__global__ void __launch_bounds__(THREADS) conv_tensor_cores_wgrad(const __half* dy, const __half* x, __half* dw, Conv c) {
  const int taps = c.channels * c.r * c.s, results = c.p * c.q;
  const auto load_a = [&](int k, int place) {
    return dy[(size_t(place / results) * c.filters + k) * results + place % results];
  };
  const auto load_b = [&](int place, int tap) { return image_at(x, c, tap, place); };
  const auto store = [&](int k, int tap, __half sum) { dw[size_t(k) * taps + tap] = sum; };
  gemm(c.filters, taps, c.batch * results, load_a, load_b, store);
}
