// line 9: the last row is height - 1: < and not <=
// words: guard; <=
// The negative of a picture: one thread for each pixel, blocks of 16 x 16.

__global__ void invert(const int* in, int* out, int height, int width) {
  // >>> your code: the row and the column of this thread, a guard, one pixel.
  int column = blockIdx.x * blockDim.x + threadIdx.x;
  int row = blockIdx.y * blockDim.y + threadIdx.y;
  if (row <= height && column < width) {
    int i = row * width + column;
    out[i] = 255 - in[i];
  }
  // <<<
}
