// Depthwise: each channel has one filter of its own, so there is no sum over channels and no matrix product: r s FMA
// for each result. A block takes 32 x 8 results of one channel from a tile with halo in shared memory; the r s weights
// are read from global memory, by all lanes the same. dgrad goes over the same taps the other way; wgrad gives a block
// to each tap, which sums its products over all places, by warps and then together. Limited by the bandwidth of device
// memory: it does little more than read the images and write the results.
//
// takes: x[batch, channels, height, width], w[filters, one, r, s], stride=1, padding=0 -> y[batch, filters, p, q]
// requires: filters == channels and one == 1 and height + 2 * padding >= r and width + 2 * padding >= s
// let: p = (height + 2 * padding - r) / stride + 1
// let: q = (width + 2 * padding - s) / stride + 1
// launch: conv_depthwise(x, w, y, ints(batch, channels, height, width, filters, r, s, p, q, stride, padding)) grid
//   batch * channels * ceil(p, TILE_Y) * ceil(q, TILE_X) block TILE_X, TILE_Y shared ((TILE_Y - 1) * stride + r) *
//   ((TILE_X - 1) * stride + s) * 4
// takes dgrad: dy[batch, filters, p, q], w[channels, one, r, s], height=1, width=1, stride=1, padding=0 -> dx[batch,
//   channels, height, width]
// requires dgrad: filters == channels and one == 1
// launch dgrad: conv_depthwise_dgrad(dy, w, dx, ints(batch, channels, height, width, filters, r, s, p, q, stride,
//   padding)) grid ceil(batch * channels * height * width, THREADS) block THREADS
// takes wgrad: dy[batch, filters, p, q], x[batch, channels, height, width], r=3, s=3, stride=1, padding=0 ->
//   dw[filters, 1, r, s]
// requires wgrad: filters == channels
// launch wgrad: conv_depthwise_wgrad(dy, x, dw, ints(batch, channels, height, width, filters, r, s, p, q, stride,
//   padding)) grid filters * r * s block THREADS
// improves: global_load_sectors per FMA over 01

constexpr int TILE_X = 32, TILE_Y = 8;
constexpr int THREADS = 256;

// Sizes of images, filters (r x s) and results (p x q), in the order in which the launch names them.
struct Conv {
  int batch, channels, height, width, filters, r, s, p, q, stride, padding;
};

__global__ void __launch_bounds__(TILE_X * TILE_Y) conv_depthwise(const float* x, const float* w, float* y, Conv c) {
  extern __shared__ float tile[];
  const int tiles_x = (c.q + TILE_X - 1) / TILE_X, tiles_y = (c.p + TILE_Y - 1) / TILE_Y;
  const int left = blockIdx.x % tiles_x * TILE_X, top = blockIdx.x / tiles_x % tiles_y * TILE_Y;
  const int plane = blockIdx.x / tiles_x / tiles_y, channel = plane % c.channels;  // planes are (image, channel)
  const int rows = (TILE_Y - 1) * c.stride + c.r, columns = (TILE_X - 1) * c.stride + c.s;
  const float* from = x + size_t(plane) * c.height * c.width;
  for (int i = threadIdx.y * TILE_X + threadIdx.x; i < rows * columns; i += TILE_X * TILE_Y) {
    const int row = top * c.stride - c.padding + i / columns, column = left * c.stride - c.padding + i % columns;
    const bool inside = row >= 0 && row < c.height && column >= 0 && column < c.width;
    tile[i] = inside ? from[size_t(row) * c.width + column] : 0.0f;
  }
  __syncthreads();
  const int row = top + threadIdx.y, column = left + threadIdx.x;
  if (row >= c.p || column >= c.q) return;
  float sum = 0.0f;
  for (int u = 0; u < c.r; ++u) {
    for (int v = 0; v < c.s; ++v) {
      sum += tile[(threadIdx.y * c.stride + u) * columns + threadIdx.x * c.stride + v] * w[(channel * c.r + u) * c.s + v];
    }
  }
  y[(size_t(plane) * c.p + row) * c.q + column] = sum;
}

__global__ void __launch_bounds__(THREADS) conv_depthwise_dgrad(const float* dy, const float* w, float* dx, Conv c) {
  const long long i = (long long)blockIdx.x * THREADS + threadIdx.x;
  if (i >= (long long)c.batch * c.channels * c.height * c.width) return;
  const long long plane = i / c.width / c.height;
  const int channel = int(plane % c.channels);
  float sum = 0.0f;
  for (int u = 0; u < c.r; ++u) {
    const int row = int(i / c.width % c.height) + c.padding - u;
    if (row < 0 || row % c.stride || row / c.stride >= c.p) continue;
    for (int v = 0; v < c.s; ++v) {
      const int column = int(i % c.width) + c.padding - v;
      if (column < 0 || column % c.stride || column / c.stride >= c.q) continue;
      sum += dy[(plane * c.p + row / c.stride) * c.q + column / c.stride] * w[(channel * c.r + u) * c.s + v];
    }
  }
  dx[i] = sum;
}

__global__ void __launch_bounds__(THREADS) conv_depthwise_wgrad(const float* dy, const float* x, float* dw, Conv c) {
  __shared__ float part[THREADS / 32];
  const int v = blockIdx.x % c.s, u = blockIdx.x / c.s % c.r, channel = blockIdx.x / c.s / c.r;
  const int results = c.p * c.q;
  float sum = 0.0f;
  for (long long i = threadIdx.x; i < (long long)c.batch * results; i += THREADS) {
    const long long plane = i / results * c.channels + channel;
    const int at = int(i % results), row = at / c.q * c.stride - c.padding + u, column = at % c.q * c.stride - c.padding + v;
    if (row < 0 || row >= c.height || column < 0 || column >= c.width) continue;
    sum += dy[plane * results + at] * x[(plane * c.height + row) * c.width + column];
  }
  for (int offset = 16; offset > 0; offset /= 2) sum += __shfl_down_sync(0xffffffffu, sum, offset);
  if (threadIdx.x % 32 == 0) part[threadIdx.x / 32] = sum;
  __syncthreads();
  if (threadIdx.x == 0) {
    for (int i = 1; i < THREADS / 32; ++i) sum += part[i];
    dw[blockIdx.x] = sum;
  }
}
