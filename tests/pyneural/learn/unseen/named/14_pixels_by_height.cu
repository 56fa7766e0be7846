// line 18: a row of the image has width pixels: the pixel's number is divided by width
// words: `height`; name
// A 3 x 3 convolution as the product of filters (rows of f) and neighbourhoods of pixels (columns, never stored).

constexpr int SIDE = 16;

__global__ void conv(const float* x, const float* f, float* y, int channels, int height, int width, int filters) {
  __shared__ float at[SIDE][SIDE], bt[SIDE][SIDE];
  int tx = threadIdx.x, ty = threadIdx.y;
  int filter = blockIdx.y * SIDE + ty, pixel = blockIdx.x * SIDE + tx;
  int pixels = height * width, k = 9 * channels;
  float sum = 0;
  for (int first = 0; first < k; first += SIDE) {
    at[ty][tx] = filter < filters && first + tx < k ? f[filter * k + first + tx] : 0;
    // >>> your code: bt[ty][tx] is what row first + ty of the columns has for this pixel.
    int place = first + ty;
    int channel = place / 9;
    int row = pixel / height + place % 9 / 3 - 1, column = pixel % height + place % 3 - 1;
    bool inside = place < k && pixel < pixels && row >= 0 && row < height && column >= 0 && column < width;
    bt[ty][tx] = inside ? x[(channel * height + row) * width + column] : 0;
    // <<<
    __syncthreads();
    for (int j = 0; j < SIDE; j++) sum += at[ty][j] * bt[j][tx];
    __syncthreads();
  }
  if (filter < filters && pixel < pixels) y[filter * pixels + pixel] = sum;
}
