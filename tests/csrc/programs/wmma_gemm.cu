// D = alpha A B + beta C on tensor cores: each warp owns a 16x16 tile of D.
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <cuda.h>
#include <cuda_fp16.h>
#include <mma.h>

using namespace nvcuda;

#define checkCudaErrors(val) check((val), #val, __FILE__, __LINE__)
template <typename T>
void check(T result, char const *const func, const char *const file, int const line) {
  if (result) {
    fprintf(stderr, "CUDA error at %s:%d code=%d(%s) \"%s\" \n", file, line, static_cast<unsigned int>(result),
            cudaGetErrorName(result), func);
    exit(EXIT_FAILURE);
  }
}

const int WMMA_M = 16;
const int WMMA_N = 16;
const int WMMA_K = 16;

__global__ void simple_wmma_gemm(half *a, half *b, float *c, float *d, int m_ld, int n_ld, int k_ld, float alpha,
                                 float beta) {
  int lda = k_ld;
  int ldb = k_ld;
  int ldc = n_ld;

  int warpM = (blockIdx.x * blockDim.x + threadIdx.x) / warpSize;
  int warpN = (blockIdx.y * blockDim.y + threadIdx.y);

  wmma::fragment<wmma::matrix_a, WMMA_M, WMMA_N, WMMA_K, half, wmma::row_major> a_frag;
  wmma::fragment<wmma::matrix_b, WMMA_M, WMMA_N, WMMA_K, half, wmma::col_major> b_frag;
  wmma::fragment<wmma::accumulator, WMMA_M, WMMA_N, WMMA_K, float> acc_frag;
  wmma::fragment<wmma::accumulator, WMMA_M, WMMA_N, WMMA_K, float> c_frag;

  wmma::fill_fragment(acc_frag, 0.0f);

  for (int i = 0; i < k_ld; i += WMMA_K) {
    int aCol = i;
    int aRow = warpM * WMMA_M;
    int bCol = warpN * WMMA_N;
    int bRow = i;
    if (aRow < m_ld && aCol < k_ld && bRow < k_ld && bCol < n_ld) {
      wmma::load_matrix_sync(a_frag, a + aCol + aRow * lda, lda);
      wmma::load_matrix_sync(b_frag, b + bRow + bCol * ldb, ldb);
      wmma::mma_sync(acc_frag, a_frag, b_frag, acc_frag);
    }
  }

  int cCol = warpN * WMMA_N;
  int cRow = warpM * WMMA_M;
  if (cRow < m_ld && cCol < n_ld) {
    wmma::load_matrix_sync(c_frag, c + cCol + cRow * ldc, ldc, wmma::mem_row_major);
    for (int i = 0; i < c_frag.num_elements; i++) {
      c_frag.x[i] = alpha * acc_frag.x[i] + beta * c_frag.x[i];
    }
    wmma::store_matrix_sync(d + cCol + cRow * ldc, c_frag, ldc, wmma::mem_row_major);
  }
}

__global__ void float_to_half_kernel(const float *in, half *out, size_t n) {
  size_t i = blockIdx.x * (size_t)blockDim.x + threadIdx.x;
  if (i < n) out[i] = __float2half(in[i]);
}

int main(int argc, char **argv) {
  const int M = 64, N = 48, K = 80;
  const float alpha = 1.1f, beta = 1.2f;
  float *A_h, *B_h, *C_h, *result;
  A_h = (float *)malloc(sizeof(float) * M * K);
  B_h = (float *)malloc(sizeof(float) * K * N);
  C_h = (float *)malloc(sizeof(float) * M * N);
  result = (float *)malloc(sizeof(float) * M * N);
  for (int i = 0; i < M * K; i++) A_h[i] = (float)(rand() % 7 - 3);
  for (int i = 0; i < K * N; i++) B_h[i] = (float)(rand() % 5 - 2);
  for (int i = 0; i < M * N; i++) C_h[i] = (float)(rand() % 3);

  float *staging, *C, *D;
  half *A, *B;
  checkCudaErrors(cudaMalloc(reinterpret_cast<void **>(&staging), sizeof(float) * K * (M > N ? M : N)));
  checkCudaErrors(cudaMalloc(reinterpret_cast<void **>(&A), sizeof(half) * M * K));
  checkCudaErrors(cudaMalloc(reinterpret_cast<void **>(&B), sizeof(half) * K * N));
  checkCudaErrors(cudaMalloc(reinterpret_cast<void **>(&C), sizeof(float) * M * N));
  checkCudaErrors(cudaMalloc(reinterpret_cast<void **>(&D), sizeof(float) * M * N));
  assert(((unsigned long long)A) % 128 == 0);
  assert(((unsigned long long)B) % 128 == 0);

  checkCudaErrors(cudaMemcpy(staging, A_h, sizeof(float) * M * K, cudaMemcpyHostToDevice));
  float_to_half_kernel<<<(M * K + 255) / 256, 256>>>(staging, A, M * K);
  checkCudaErrors(cudaMemcpy(staging, B_h, sizeof(float) * K * N, cudaMemcpyHostToDevice));
  float_to_half_kernel<<<(K * N + 255) / 256, 256>>>(staging, B, K * N);
  checkCudaErrors(cudaMemcpy(C, C_h, sizeof(float) * M * N, cudaMemcpyHostToDevice));
  checkCudaErrors(cudaMemset(D, 0, sizeof(float) * M * N));

  dim3 blockDim;
  dim3 gridDim;
  blockDim.x = 64;
  blockDim.y = 2;
  gridDim.x = (M + (WMMA_M * blockDim.x / 32 - 1)) / (WMMA_M * blockDim.x / 32);
  gridDim.y = (N + WMMA_N * blockDim.y - 1) / (WMMA_N * blockDim.y);
  simple_wmma_gemm<<<gridDim, blockDim>>>(A, B, C, D, M, N, K, alpha, beta);
  checkCudaErrors(cudaDeviceSynchronize());
  checkCudaErrors(cudaMemcpy(result, D, sizeof(float) * M * N, cudaMemcpyDeviceToHost));

  int wrong = 0;
  for (int i = 0; i < M; i++)
    for (int j = 0; j < N; j++) {
      float temp = 0.0f;
      for (int k = 0; k < K; k++) temp += A_h[i * K + k] * B_h[j * K + k];
      float want = alpha * temp + beta * C_h[i * N + j];
      if (abs(want - result[i * N + j]) > 0.01f * abs(want) + 1e-3f) wrong++;
    }
  printf("mismatches: %d of %d\n", wrong, M * N);
  free(A_h); free(B_h); free(C_h); free(result);
  checkCudaErrors(cudaFree(staging));
  checkCudaErrors(cudaFree(A));
  checkCudaErrors(cudaFree(B));
  checkCudaErrors(cudaFree(C));
  checkCudaErrors(cudaFree(D));
  if (wrong) return EXIT_FAILURE;
  printf("PASS\n");
  return EXIT_SUCCESS;
}
