// Causal attention without the matrix of scores: tiles of keys and values in dynamic shared memory, softmax
// kept up to date online. One block for each head of each sequence.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <limits>
#include <random>
#include <vector>
#include <cuda_runtime.h>

#define CUDA_CHECK(expr)                                                                             \
  if (cudaError_t status = (expr); status != cudaSuccess) {                                          \
    std::fprintf(stderr, "%s:%d %s: %s\n", __FILE__, __LINE__, #expr, cudaGetErrorString(status));   \
    std::abort();                                                                                    \
  }

template <int Br, int Bc>
__global__ __launch_bounds__(Br) void forward_kernel(const float* Q, const float* K, const float* V, const int N,
                                                     const int d, const float softmax_scale, float* O) {
  const int tx = threadIdx.x;
  const int bx = blockIdx.x, by = blockIdx.y;
  const size_t qkv_offset = ((size_t)bx * gridDim.y + by) * N * d;

  extern __shared__ float sram[];
  float* Kj = sram;
  float* Vj = &sram[Bc * d];
  float* Qi = &sram[2 * Bc * d];
  float* S = &sram[(2 * Bc + Br) * d];
  float acc[64];

  for (int i = 0; i < N; i += Br) {
    const int row = i + tx;
    float row_m = -INFINITY, row_l = 0;
    for (int x = 0; x < d; x++) {
      Qi[tx * d + x] = row < N ? Q[qkv_offset + (size_t)row * d + x] : 0;
      acc[x] = 0;
    }
    for (int j = 0; j < min(N, i + Br); j += Bc) {
      for (int e = tx; e < Bc * d; e += Br) {
        const int key = j + e / d;
        Kj[e] = key < N ? K[qkv_offset + (size_t)j * d + e] : 0;
        Vj[e] = key < N ? V[qkv_offset + (size_t)j * d + e] : 0;
      }
      __syncthreads();
      float m = row_m;
      for (int y = 0; y < Bc; y++) {
        float sum = 0;
        for (int x = 0; x < d; x++) sum += Qi[tx * d + x] * Kj[y * d + x];
        sum *= softmax_scale;
        if (j + y > row || j + y >= N) sum = -INFINITY;
        S[Bc * tx + y] = sum;
        m = fmaxf(m, sum);
      }
      const float correction = __expf(row_m - m);
      row_l *= correction;
      for (int x = 0; x < d; x++) acc[x] *= correction;
      for (int y = 0; y < Bc; y++) {
        const float p = __expf(S[Bc * tx + y] - m);
        row_l += p;
        for (int x = 0; x < d; x++) acc[x] += p * Vj[y * d + x];
      }
      row_m = m;
      __syncthreads();
    }
    if (row < N)
      for (int x = 0; x < d; x++) O[qkv_offset + (size_t)row * d + x] = acc[x] / row_l;
  }
}

std::vector<float> reference(const std::vector<float>& Q, const std::vector<float>& K, const std::vector<float>& V,
                             int heads, int N, int d) {
  std::vector<float> O(Q.size());
  for (int h = 0; h < heads; h++)
    for (int i = 0; i < N; i++) {
      std::vector<double> p(i + 1);
      double most = -std::numeric_limits<double>::infinity(), sum = 0;
      for (int j = 0; j <= i; j++) {
        for (int x = 0; x < d; x++) p[j] += double(Q[(h * N + i) * d + x]) * K[(h * N + j) * d + x];
        p[j] /= std::sqrt(double(d));
        most = std::max(most, p[j]);
      }
      for (double& v : p) sum += v = std::exp(v - most);
      for (int x = 0; x < d; x++) {
        double o = 0;
        for (int j = 0; j <= i; j++) o += p[j] / sum * V[(h * N + j) * d + x];
        O[(h * N + i) * d + x] = o;
      }
    }
  return O;
}

int main() {
  constexpr int B = 2, nh = 2, N = 45, d = 24, Br = 32, Bc = 16;
  std::mt19937 gen(3);
  std::normal_distribution<float> normal;
  std::vector<float> Q(B * nh * N * d), K(Q.size()), V(Q.size()), O(Q.size());
  for (auto* t : {&Q, &K, &V})
    for (float& v : *t) v = normal(gen);

  float *dQ, *dK, *dV, *dO;
  const size_t bytes = Q.size() * sizeof(float);
  for (float** p : {&dQ, &dK, &dV, &dO}) CUDA_CHECK(cudaMalloc(p, bytes));
  CUDA_CHECK(cudaMemcpy(dQ, Q.data(), bytes, cudaMemcpyHostToDevice));
  CUDA_CHECK(cudaMemcpy(dK, K.data(), bytes, cudaMemcpyHostToDevice));
  CUDA_CHECK(cudaMemcpy(dV, V.data(), bytes, cudaMemcpyHostToDevice));

  const int sram_size = ((2 * Bc + Br) * d + Bc * Br) * sizeof(float);
  int max_sram_size;
  CUDA_CHECK(cudaDeviceGetAttribute(&max_sram_size, cudaDevAttrMaxSharedMemoryPerBlock, 0));
  std::printf("Max shared memory: %d, requested shared memory: %d\n", max_sram_size, sram_size);
  CUDA_CHECK(cudaFuncSetAttribute(forward_kernel<Br, Bc>, cudaFuncAttributeMaxDynamicSharedMemorySize, sram_size));
  const dim3 grid_dim(B, nh);
  forward_kernel<Br, Bc><<<grid_dim, Br, sram_size>>>(dQ, dK, dV, N, d, 1.0f / sqrtf(d), dO);
  CUDA_CHECK(cudaGetLastError());
  CUDA_CHECK(cudaMemcpy(O.data(), dO, bytes, cudaMemcpyDeviceToHost));

  const auto want = reference(Q, K, V, B * nh, N, d);
  float worst = 0;
  for (size_t i = 0; i < O.size(); i++) worst = std::max(worst, std::fabs(O[i] - want[i]));
  std::printf("attention: largest difference %.2e\n", worst);
  for (float* p : {dQ, dK, dV, dO}) CUDA_CHECK(cudaFree(p));
  std::puts(worst < 1e-4f ? "PASS" : "FAIL");
  return worst < 1e-4f ? 0 : 1;
}
