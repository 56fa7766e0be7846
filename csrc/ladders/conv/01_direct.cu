// Direct: one thread for each element of the result, which goes over its channels and taps. Two loads from global
// memory for each FMA: a weight, that all lanes share, and an element of the image, beside that of the next lane. Each
// element of the image is loaded again for every tap and every filter. Limited by load instructions and the sectors
// that they move.
//
// takes: x[batch, channels, height, width], w[filters, channels, r, s], stride=1, padding=0 -> y[batch, filters, p, q]
// requires: height + 2 * padding >= r and width + 2 * padding >= s
// let: p = (height + 2 * padding - r) / stride + 1
// let: q = (width + 2 * padding - s) / stride + 1
// launch: conv_direct(x, w, y, ints(batch, channels, height, width, filters, r, s, p, q, stride, padding)) grid
//   ceil(batch * filters * p * q, 256) block 256

// Sizes of images, filters (r x s) and results (p x q), in the order in which the launch names them.
struct Conv {
  int batch, channels, height, width, filters, r, s, p, q, stride, padding;
};

__global__ void conv_direct(const float* x, const float* w, float* y, Conv c) {
  const long long i = (long long)blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= (long long)c.batch * c.filters * c.p * c.q) return;
  const int column = int(i % c.q), row = int(i / c.q % c.p), k = int(i / c.q / c.p % c.filters);
  const long long image = i / c.q / c.p / c.filters;
  float sum = 0.0f;
  for (int channel = 0; channel < c.channels; ++channel) {
    const float* plane = x + (image * c.channels + channel) * c.height * c.width;
    const float* filter = w + (size_t(k) * c.channels + channel) * c.r * c.s;
    for (int u = 0; u < c.r; ++u) {
      const int from_row = row * c.stride - c.padding + u;
      if (from_row < 0 || from_row >= c.height) continue;
      for (int v = 0; v < c.s; ++v) {
        const int from_column = column * c.stride - c.padding + v;
        if (from_column < 0 || from_column >= c.width) continue;
        sum += plane[size_t(from_row) * c.width + from_column] * filter[u * c.s + v];
      }
    }
  }
  y[i] = sum;
}
