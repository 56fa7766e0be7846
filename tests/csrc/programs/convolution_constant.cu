// One- and two-dimensional convolution with the mask in constant memory and halos in shared memory.
#include <cstdio>
#include <cstdlib>
#include <cmath>
#include <cstring>

#define MASK_WIDTH 5
#define RADIUS (MASK_WIDTH / 2)
#define TILE 16
#define wbCheck(stmt)                                                      \
  do {                                                                     \
    cudaError_t err = stmt;                                                \
    if (err != cudaSuccess) {                                              \
      printf("Failed to run stmt %s: %s\n", #stmt, cudaGetErrorString(err)); \
      return -1;                                                           \
    }                                                                      \
  } while (0)

__constant__ float M1[MASK_WIDTH];
__constant__ float M2[MASK_WIDTH][MASK_WIDTH];

__global__ void convolution_1D(const float *N, float *P, int Width) {
  __shared__ float N_ds[TILE + MASK_WIDTH - 1];
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  int n = MASK_WIDTH / 2;
  int halo_index_left = (blockIdx.x - 1) * blockDim.x + threadIdx.x;
  if (threadIdx.x >= blockDim.x - n)
    N_ds[threadIdx.x - (blockDim.x - n)] = (halo_index_left < 0) ? 0 : N[halo_index_left];
  N_ds[n + threadIdx.x] = i < Width ? N[i] : 0;
  int halo_index_right = (blockIdx.x + 1) * blockDim.x + threadIdx.x;
  if (threadIdx.x < n)
    N_ds[n + blockDim.x + threadIdx.x] = (halo_index_right >= Width) ? 0 : N[halo_index_right];
  __syncthreads();
  float Pvalue = 0;
  for (int j = 0; j < MASK_WIDTH; j++) Pvalue += N_ds[threadIdx.x + j] * M1[j];
  if (i < Width) P[i] = Pvalue;
}

__global__ void convolution_2D(const float *in, float *out, int height, int width, int channels) {
  constexpr int w = TILE + MASK_WIDTH - 1;
  __shared__ float Ns[w][w];
  for (int c = 0; c < channels; c++) {
    // Two rounds of loads fill the tile and its halo.
    for (int dest = threadIdx.y * TILE + threadIdx.x; dest < w * w; dest += TILE * TILE) {
      int destY = dest / w, destX = dest % w;
      int srcY = blockIdx.y * TILE + destY - RADIUS, srcX = blockIdx.x * TILE + destX - RADIUS;
      if (srcY >= 0 && srcY < height && srcX >= 0 && srcX < width)
        Ns[destY][destX] = in[(srcY * width + srcX) * channels + c];
      else
        Ns[destY][destX] = 0;
    }
    __syncthreads();
    float accum = 0;
    for (int y = 0; y < MASK_WIDTH; y++)
      for (int x = 0; x < MASK_WIDTH; x++) accum += Ns[threadIdx.y + y][threadIdx.x + x] * M2[y][x];
    int y = blockIdx.y * TILE + threadIdx.y, x = blockIdx.x * TILE + threadIdx.x;
    if (y < height && x < width) out[(y * width + x) * channels + c] = fminf(fmaxf(accum, 0.0f), 1.0f);
    __syncthreads();
  }
}

int main(int argc, char *argv[]) {
  const int width1 = 75, height = 37, width = 45, channels = 3;
  float mask1[MASK_WIDTH] = {1, 4, 6, 4, 1}, mask2[MASK_WIDTH][MASK_WIDTH];
  for (int y = 0; y < MASK_WIDTH; y++)
    for (int x = 0; x < MASK_WIDTH; x++) mask2[y][x] = mask1[y] * mask1[x] / 256.0f + (x == 1 && y == 3 ? 0.25f : 0.0f);
  wbCheck(cudaMemcpyToSymbol(M1, mask1, sizeof(mask1)));
  wbCheck(cudaMemcpyToSymbol(M2, mask2, MASK_WIDTH * MASK_WIDTH * sizeof(float)));

  const int size2 = height * width * channels;
  float *hostIn1 = (float *)calloc(width1, sizeof(float)), *hostOut1 = (float *)calloc(width1, sizeof(float));
  float *hostIn2 = (float *)malloc(size2 * sizeof(float)), *hostOut2 = (float *)malloc(size2 * sizeof(float));
  for (int i = 0; i < width1; i++) hostIn1[i] = i % 9;
  for (int i = 0; i < size2; i++) hostIn2[i] = (i * 31 % 97) / 97.0f;

  float *in1, *out1, *in2, *out2;
  wbCheck(cudaMalloc((void **)&in1, width1 * sizeof(float)));
  wbCheck(cudaMalloc((void **)&out1, width1 * sizeof(float)));
  wbCheck(cudaMalloc((void **)&in2, size2 * sizeof(float)));
  wbCheck(cudaMalloc((void **)&out2, size2 * sizeof(float)));
  wbCheck(cudaMemcpy(in1, hostIn1, width1 * sizeof(float), cudaMemcpyHostToDevice));
  wbCheck(cudaMemcpy(in2, hostIn2, size2 * sizeof(float), cudaMemcpyHostToDevice));

  convolution_1D<<<ceil(width1 / (float)TILE), TILE>>>(in1, out1, width1);
  dim3 DimGrid((width - 1) / TILE + 1, (height - 1) / TILE + 1), DimBlock(TILE, TILE);
  convolution_2D<<<DimGrid, DimBlock>>>(in2, out2, height, width, channels);
  wbCheck(cudaDeviceSynchronize());
  wbCheck(cudaMemcpy(hostOut1, out1, width1 * sizeof(float), cudaMemcpyDeviceToHost));
  wbCheck(cudaMemcpy(hostOut2, out2, size2 * sizeof(float), cudaMemcpyDeviceToHost));

  int errors = 0;
  for (int i = 0; i < width1; i++) {
    float want = 0;
    for (int j = -RADIUS; j <= RADIUS; j++)
      if (i + j >= 0 && i + j < width1) want += hostIn1[i + j] * mask1[j + RADIUS];
    errors += fabsf(want - hostOut1[i]) > 1e-4f;
  }
  for (int y = 0; y < height; y++)
    for (int x = 0; x < width; x++)
      for (int c = 0; c < channels; c++) {
        float want = 0;
        for (int dy = -RADIUS; dy <= RADIUS; dy++)
          for (int dx = -RADIUS; dx <= RADIUS; dx++)
            if (y + dy >= 0 && y + dy < height && x + dx >= 0 && x + dx < width)
              want += hostIn2[((y + dy) * width + x + dx) * channels + c] * mask2[dy + RADIUS][dx + RADIUS];
        want = want < 0 ? 0 : want > 1 ? 1 : want;
        errors += fabsf(want - hostOut2[(y * width + x) * channels + c]) > 1e-4f;
      }
  cudaFree(in1); cudaFree(out1); cudaFree(in2); cudaFree(out2);
  free(hostIn1); free(hostOut1); free(hostIn2); free(hostOut2);
  printf(errors ? "FAIL: %d errors\n" : "PASS\n", errors);
  return errors != 0;
}
