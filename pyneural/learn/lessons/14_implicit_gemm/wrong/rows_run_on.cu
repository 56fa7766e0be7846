// says: line 20: out_of_bounds: thread 7 of block 0 reads global x[-1], 4 bytes before the start of the array (2 channels of 5 by 7, 3 filters)
// look: the image's four edges, the last pixel, and the last row of the columns: all need a guard
// says: line 26: y[...] is ..., not ...; ... of 105 elements are wrong (2 channels of 5 by 7, 3 filters)
// look: which element each thread computes, for the thread named

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
    int channel = place / 9, row = pixel / width + place % 9 / 3 - 1, column = pixel % width + place % 3 - 1;
    bool inside = place < k && pixel < pixels && row >= 0 && row < height;
    bt[ty][tx] = inside ? x[(channel * height + row) * width + column] : 0;
    // <<<
    __syncthreads();
    for (int j = 0; j < SIDE; j++) sum += at[ty][j] * bt[j][tx];
    __syncthreads();
  }
  if (filter < filters && pixel < pixels) y[filter * pixels + pixel] = sum;
}
