// Matrix multiplication with shared-memory tiles, for matrices of any size.
//   usage: matmul_tiled [M N K]
#include <cstdio>
#include <cstdlib>
#include <vector>
#include <cmath>

#define TILE_WIDTH 16

#define CHECK(call)                                                                        \
  do {                                                                                     \
    const cudaError_t error_ = (call);                                                     \
    if (error_ != cudaSuccess) {                                                           \
      std::fprintf(stderr, "Error: %s:%d, ", __FILE__, __LINE__);                          \
      std::fprintf(stderr, "code: %d, reason: %s\n", error_, cudaGetErrorString(error_));  \
      std::exit(1);                                                                        \
    }                                                                                      \
  } while (0)

__global__ void matrixMultiplyShared(const float* A, const float* B, float* C, int numARows, int numAColumns,
                                     int numBColumns) {
  __shared__ float ds_A[TILE_WIDTH][TILE_WIDTH];
  __shared__ float ds_B[TILE_WIDTH][TILE_WIDTH];

  const int bx = blockIdx.x, by = blockIdx.y;
  const int tx = threadIdx.x, ty = threadIdx.y;
  const int row = by * TILE_WIDTH + ty;
  const int col = bx * TILE_WIDTH + tx;

  float Pvalue = 0;
  for (int m = 0; m < (numAColumns - 1) / TILE_WIDTH + 1; ++m) {
    if (row < numARows && m * TILE_WIDTH + tx < numAColumns)
      ds_A[ty][tx] = A[row * numAColumns + m * TILE_WIDTH + tx];
    else
      ds_A[ty][tx] = 0;
    if (m * TILE_WIDTH + ty < numAColumns && col < numBColumns)
      ds_B[ty][tx] = B[(m * TILE_WIDTH + ty) * numBColumns + col];
    else
      ds_B[ty][tx] = 0;
    __syncthreads();
#pragma unroll
    for (int k = 0; k < TILE_WIDTH; ++k) Pvalue += ds_A[ty][k] * ds_B[k][tx];
    __syncthreads();
  }
  if (row < numARows && col < numBColumns) C[row * numBColumns + col] = Pvalue;
}

int main(int argc, char** argv) {
  int M = 65, N = 47, K = 83;
  if (argc == 4) {
    M = std::atoi(argv[1]);
    N = std::atoi(argv[2]);
    K = std::atoi(argv[3]);
  } else if (argc != 1) {
    std::fprintf(stderr, "usage: %s [M N K]\n", argv[0]);
    return 2;
  }

  std::vector<float> A(M * K), B(K * N), C(M * N, -1.0f);
  for (size_t i = 0; i < A.size(); ++i) A[i] = float(int(i * 7919 % 13) - 6) / 4;
  for (size_t i = 0; i < B.size(); ++i) B[i] = float(int(i * 104729 % 11) - 5) / 8;

  float *dA, *dB, *dC;
  CHECK(cudaMalloc(&dA, A.size() * sizeof(float)));
  CHECK(cudaMalloc(&dB, B.size() * sizeof(float)));
  CHECK(cudaMalloc(&dC, C.size() * sizeof(float)));
  CHECK(cudaMemcpy(dA, A.data(), A.size() * sizeof(float), cudaMemcpyHostToDevice));
  CHECK(cudaMemcpy(dB, B.data(), B.size() * sizeof(float), cudaMemcpyHostToDevice));

  const dim3 dimBlock(TILE_WIDTH, TILE_WIDTH, 1);
  const dim3 dimGrid((N - 1) / TILE_WIDTH + 1, (M - 1) / TILE_WIDTH + 1, 1);

  cudaEvent_t start, stop;
  CHECK(cudaEventCreate(&start));
  CHECK(cudaEventCreate(&stop));
  CHECK(cudaEventRecord(start));
  matrixMultiplyShared<<<dimGrid, dimBlock>>>(dA, dB, dC, M, K, N);
  CHECK(cudaGetLastError());
  CHECK(cudaEventRecord(stop));
  CHECK(cudaEventSynchronize(stop));
  float milliseconds = -1;
  CHECK(cudaEventElapsedTime(&milliseconds, start, stop));
  std::printf("%d x %d x %d on a (%u, %u) grid\n", M, N, K, dimGrid.x, dimGrid.y);
  if (milliseconds < 0) return 1;

  CHECK(cudaMemcpy(C.data(), dC, C.size() * sizeof(float), cudaMemcpyDeviceToHost));
  for (int i = 0; i < M; ++i)
    for (int j = 0; j < N; ++j) {
      double expected = 0;
      for (int k = 0; k < K; ++k) expected += double(A[i * K + k]) * B[k * N + j];
      if (std::fabs(C[i * N + j] - expected) > 1e-3) {
        std::printf("FAIL at (%d, %d): %f, expected %f\n", i, j, C[i * N + j], expected);
        return 1;
      }
    }

  CHECK(cudaEventDestroy(start));
  CHECK(cudaEventDestroy(stop));
  CHECK(cudaFree(dA));
  CHECK(cudaFree(dB));
  CHECK(cudaFree(dC));
  CHECK(cudaDeviceReset());
  std::printf("PASS\n");
  return 0;
}
