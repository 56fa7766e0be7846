// line 9: a thread needs a row and a column that exist: && and not ||
// words: guard; ||
// The negative of a picture: one thread for each pixel, blocks of 16 x 16.

__global__ void invert(const int* in, int* out, int height, int width) {
  // >>> your code: the row and the column of this thread, a guard, one pixel.
  int column = blockIdx.x * blockDim.x + threadIdx.x;
  int row = blockIdx.y * blockDim.y + threadIdx.y;
  if (row < height || column < width) out[row * width + column] = 255 - in[row * width + column];
  // <<<
}
