// Programs that use every kind of memory as they should.
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

#include <cuda_runtime.h>

// program allocated_again
// prints 496
__global__ void fill_with_index(int* x) { x[threadIdx.x] = threadIdx.x; }
void allocated_again() {
  int* x;
  cudaMalloc(&x, 8 * sizeof(int));
  fill_with_index<<<1, 8>>>(x);
  cudaFree(x);
  cudaMalloc(&x, 32 * sizeof(int));
  fill_with_index<<<1, 32>>>(x);
  int host[32], sum = 0;
  cudaMemcpy(host, x, sizeof host, cudaMemcpyDeviceToHost);
  for (int v : host) sum += v;
  printf("%d\n", sum);
  cudaFree(x);
}

// program managed
// prints 6 62
__global__ void twice(float* x, int n) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) x[i] *= 2;
}
void managed() {
  float* x;
  cudaMallocManaged(&x, 32 * sizeof(float));
  for (int i = 0; i < 32; ++i) x[i] = i;
  twice<<<1, 64>>>(x, 32);
  cudaDeviceSynchronize();
  printf("%g %g\n", x[3], x[31]);
  cudaFree(x);
}

// program launches_in_order
// prints 40
__global__ void prefix_of_block(int* x, int* sums) {
  if (threadIdx.x == 0) {
    int sum = 0;
    for (int k = 0; k < 10; ++k) sum += x[blockIdx.x * 10 + k];
    sums[blockIdx.x] = sum;
  }
}
__global__ void add_sums(const int* sums, int* total) {
  for (int k = 0; k < 4; ++k) *total += sums[k];
}
void launches_in_order() {
  int *x, *sums, *total, host = 0;
  cudaMalloc(&x, 40 * sizeof(int));
  cudaMalloc(&sums, 4 * sizeof(int));
  cudaMalloc(&total, sizeof(int));
  std::vector<int> ones(40, 1);
  cudaMemcpy(x, ones.data(), 40 * sizeof(int), cudaMemcpyHostToDevice);
  cudaMemset(total, 0, sizeof(int));
  prefix_of_block<<<4, 32>>>(x, sums);
  add_sums<<<1, 1>>>(sums, total);
  cudaMemcpy(&host, total, sizeof(int), cudaMemcpyDeviceToHost);
  printf("%d\n", host);
}

// program constants_and_symbols
// prints 10 4
__constant__ int table[4];
__device__ int calls;
__global__ void look_up(int* y) {
  y[threadIdx.x] = table[threadIdx.x];
  atomicAdd(&calls, 1);
}
void constants_and_symbols() {
  const int host[4] = {1, 2, 3, 4};
  int *y, out[4], count = 0;
  cudaMemcpyToSymbol(table, host, sizeof host);
  cudaMemcpyToSymbol(calls, &count, sizeof count);
  cudaMalloc(&y, sizeof out);
  look_up<<<1, 4>>>(y);
  cudaMemcpy(out, y, sizeof out, cudaMemcpyDeviceToHost);
  cudaMemcpyFromSymbol(&count, calls, sizeof count);
  printf("%d %d\n", out[0] + out[1] + out[2] + out[3], count);
}

// program pitched_rows
// prints 15
__global__ void fill_rows(float* x, size_t pitch, int width) {
  float* row = reinterpret_cast<float*>(reinterpret_cast<char*>(x) + blockIdx.x * pitch);
  if (threadIdx.x < width) row[threadIdx.x] = 1;
}
void pitched_rows() {
  float* x;
  size_t pitch;
  float host[3][5];
  cudaMallocPitch(&x, &pitch, 5 * sizeof(float), 3);
  fill_rows<<<3, 32>>>(x, pitch, 5);
  cudaMemcpy2D(host, sizeof host[0], x, pitch, 5 * sizeof(float), 3, cudaMemcpyDeviceToHost);
  float sum = 0;
  for (auto& row : host)
    for (float v : row) sum += v;
  printf("%g\n", sum);
}

// program two_streams
// prints 3 5
template <typename T>
__global__ void set(T* x, T v) { *x = v; }
void two_streams() {
  cudaStream_t first, second;
  cudaStreamCreate(&first);
  cudaStreamCreate(&second);
  int* x;
  double* y;
  cudaMallocManaged(&x, sizeof(int));
  cudaMallocManaged(&y, sizeof(double));
  set<<<1, 1, 0, first>>>(x, 3);
  set<<<1, 1, 0, second>>>(y, 5.0);
  cudaStreamSynchronize(first);
  cudaStreamSynchronize(second);
  printf("%d %g\n", *x, *y);
}

// program dynamic_size_in_bytes
// prints 63 0
__global__ void reverse(int* x, int n) {
  extern __shared__ int s[];
  s[threadIdx.x] = x[threadIdx.x];
  __syncthreads();
  x[threadIdx.x] = s[n - 1 - threadIdx.x];
}
void dynamic_size_in_bytes() {
  int* x;
  cudaMallocManaged(&x, 64 * sizeof(int));
  for (int i = 0; i < 64; ++i) x[i] = i;
  reverse<<<1, 64, 64 * sizeof(int)>>>(x, 64);
  cudaDeviceSynchronize();
  printf("%d %d\n", x[0], x[63]);
}

int main(int argc, char** argv) {
  const struct {
    const char* name;
    void (*run)();
  } programs[] = {
      {"allocated_again", allocated_again},
      {"managed", managed},
      {"launches_in_order", launches_in_order},
      {"constants_and_symbols", constants_and_symbols},
      {"pitched_rows", pitched_rows},
      {"two_streams", two_streams},
      {"dynamic_size_in_bytes", dynamic_size_in_bytes},
  };
  for (const auto& program : programs)
    if (argc == 2 && !strcmp(argv[1], program.name)) return program.run(), 0;
  return 2;
}
