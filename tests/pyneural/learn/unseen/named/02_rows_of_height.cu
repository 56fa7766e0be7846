// line 10: rows lie width elements apart, not height
// words: a row of `out`; width; height
// The negative of a picture: one thread for each pixel, blocks of 16 x 16.

__global__ void invert(const int* in, int* out, int height, int width) {
  // >>> your code: the row and the column of this thread, a guard, one pixel.
  int x = blockIdx.x * blockDim.x + threadIdx.x;
  int y = blockIdx.y * blockDim.y + threadIdx.y;
  if (x < width && y < height) {
    int i = y * height + x;
    out[i] = 255 - in[i];
  }
  // <<<
}
