// Constant-memory filter: the weights come from constant memory, whose cache hands one word to all lanes of a warp at
// once, which is how weights are read. Parameters of a kernel lie there, so the weights are passed by value. Of more
// than 960 weights (parameters had 4 KB before CUDA 12.1) the others stay in global memory. Limited by shared memory:
// one load for each FMA, because a thread has one result only; and by each filter's blocks loading the image anew.
//
// takes: x[batch, channels, height, width], w[filters, channels, r, s], stride=1, padding=0 -> y[batch, filters, p, q]
// requires: height + 2 * padding >= r and width + 2 * padding >= s
// let: p = (height + 2 * padding - r) / stride + 1
// let: q = (width + 2 * padding - s) / stride + 1
// launch: conv_constant_filter(head(w, HELD), x, w, y, ints(batch, channels, height, width, filters, r, s, p, q,
//   stride, padding)) grid batch * filters * ceil(p, TILE) * ceil(q, TILE) block TILE, TILE shared ((TILE - 1) *
//   stride + r) * ((TILE - 1) * stride + s) * 4
// improves: global_load_sectors per FMA

constexpr int TILE = 16;
constexpr int HELD = 960;  // weights in constant memory

struct Weights {
  float at[HELD];
};

// Sizes of images, filters (r x s) and results (p x q), in the order in which the launch names them.
struct Conv {
  int batch, channels, height, width, filters, r, s, p, q, stride, padding;
};

__global__ void __launch_bounds__(TILE * TILE)
conv_constant_filter(const __grid_constant__ Weights held, const float* x, const float* w, float* y, Conv c) {
  extern __shared__ float tile[];
  const int tiles_x = (c.q + TILE - 1) / TILE, tiles_y = (c.p + TILE - 1) / TILE;
  const int left = blockIdx.x % tiles_x * TILE, top = blockIdx.x / tiles_x % tiles_y * TILE;
  const int k = blockIdx.x / tiles_x / tiles_y % c.filters, image = blockIdx.x / tiles_x / tiles_y / c.filters;
  const int rows = (TILE - 1) * c.stride + c.r, columns = (TILE - 1) * c.stride + c.s;  // of the image's part, halo included
  const int first_row = top * c.stride - c.padding, first_column = left * c.stride - c.padding;
  const auto weight = [&](int i) { return i < HELD ? held.at[i] : w[i]; };
  float sum = 0.0f;
  for (int channel = 0; channel < c.channels; ++channel) {
    const float* plane = x + (size_t(image) * c.channels + channel) * c.height * c.width;
    for (int i = threadIdx.y * TILE + threadIdx.x; i < rows * columns; i += TILE * TILE) {
      const int row = first_row + i / columns, column = first_column + i % columns;
      const bool inside = row >= 0 && row < c.height && column >= 0 && column < c.width;
      tile[i] = inside ? plane[size_t(row) * c.width + column] : 0.0f;
    }
    __syncthreads();
    const int first = (k * c.channels + channel) * c.r * c.s;  // of this filter's weights
    const float* corner = tile + threadIdx.y * c.stride * columns + threadIdx.x * c.stride;
    for (int u = 0; u < c.r; ++u) {
      for (int v = 0; v < c.s; ++v) sum += corner[u * columns + v] * weight(first + u * c.s + v);
    }
    __syncthreads();
  }
  const int row = top + threadIdx.y, column = left + threadIdx.x;
  if (row < c.p && column < c.q) y[((size_t(image) * c.filters + k) * c.p + row) * c.q + column] = sum;
}
