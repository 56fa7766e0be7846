// Lecture notes, part one: maps, stencils and tiles over images and matrices.
#include <cuda_runtime.h>

#define CHANNELS 3
#define BLUR_SIZE 2
#define TILE_DIM 32
#define BLOCK_ROWS 8

// Three bytes a pixel, interleaved, to one.
__global__ void colorToGrayscaleConversion(unsigned char *Pout, unsigned char *Pin, int width, int height) {
  int Col = threadIdx.x + blockIdx.x * blockDim.x;
  int Row = threadIdx.y + blockIdx.y * blockDim.y;
  if (Col < width && Row < height) {
    int greyOffset = Row * width + Col;
    int rgbOffset = greyOffset * CHANNELS;
    unsigned char r = Pin[rgbOffset];
    unsigned char g = Pin[rgbOffset + 1];
    unsigned char b = Pin[rgbOffset + 2];
    Pout[greyOffset] = 0.21f * r + 0.71f * g + 0.07f * b;
  }
}

__global__ void blurKernel(unsigned char *in, unsigned char *out, int w, int h) {
  int Col = blockIdx.x * blockDim.x + threadIdx.x;
  int Row = blockIdx.y * blockDim.y + threadIdx.y;
  if (Col < w && Row < h) {
    int pixVal = 0;
    int pixels = 0;
    for (int blurRow = -BLUR_SIZE; blurRow < BLUR_SIZE + 1; ++blurRow) {
      for (int blurCol = -BLUR_SIZE; blurCol < BLUR_SIZE + 1; ++blurCol) {
        int curRow = Row + blurRow;
        int curCol = Col + blurCol;
        if (curRow > -1 && curRow < h && curCol > -1 && curCol < w) {
          pixVal += in[curRow * w + curCol];
          pixels++;
        }
      }
    }
    out[Row * w + Col] = (unsigned char)(pixVal / pixels);
  }
}

// A tile of shared memory, one column wider than it must be; each thread moves TILE_DIM / BLOCK_ROWS elements.
__global__ void transposeNoBankConflicts(float *odata, const float *idata, int width, int height) {
  __shared__ float tile[TILE_DIM][TILE_DIM + 1];
  int x = blockIdx.x * TILE_DIM + threadIdx.x;
  int y = blockIdx.y * TILE_DIM + threadIdx.y;
  for (int j = 0; j < TILE_DIM; j += BLOCK_ROWS)
    if (x < width && y + j < height) tile[threadIdx.y + j][threadIdx.x] = idata[(y + j) * width + x];
  __syncthreads();
  x = blockIdx.y * TILE_DIM + threadIdx.x;
  y = blockIdx.x * TILE_DIM + threadIdx.y;
  for (int j = 0; j < TILE_DIM; j += BLOCK_ROWS)
    if (x < height && y + j < width) odata[(y + j) * height + x] = tile[threadIdx.x][threadIdx.y + j];
}

// Seven points in three dimensions: planes go through registers as the block walks along z.
template <int X, int Y>
__global__ void stencil3d(const float *__restrict__ in, float *__restrict__ out, int nx, int ny, int nz, float c0, float c1) {
  __shared__ float plane[Y + 2][X + 2];
  const int ix = blockIdx.x * X + threadIdx.x, iy = blockIdx.y * Y + threadIdx.y;
  const int tx = threadIdx.x + 1, ty = threadIdx.y + 1;
  const bool within = ix < nx && iy < ny;
  const int stride = nx * ny;
  int at = iy * nx + ix;
  float below = 0, current = within ? in[at] : 0, above = within && nz > 1 ? in[at + stride] : 0;
  for (int z = 0; z < nz; ++z) {
    plane[ty][tx] = current;
    if (threadIdx.x == 0) plane[ty][0] = within && ix > 0 ? in[at - 1] : 0;
    if (threadIdx.x == X - 1) plane[ty][X + 1] = within && ix + 1 < nx ? in[at + 1] : 0;
    if (threadIdx.y == 0) plane[0][tx] = within && iy > 0 ? in[at - nx] : 0;
    if (threadIdx.y == Y - 1) plane[Y + 1][tx] = within && iy + 1 < ny ? in[at + nx] : 0;
    __syncthreads();
    if (within)
      out[at] = c0 * current + c1 * (plane[ty][tx - 1] + plane[ty][tx + 1] + plane[ty - 1][tx] + plane[ty + 1][tx] + below + above);
    __syncthreads();
    below = current;
    current = above;
    at += stride;
    above = within && z + 2 < nz ? in[at + stride] : 0;
  }
}
