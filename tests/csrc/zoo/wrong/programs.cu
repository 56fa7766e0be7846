// Programs that hand a kernel the wrong memory.
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

#include <cuda_runtime.h>

// program use_after_free
__global__ void read_freed(const float* x, float* y) {
  y[threadIdx.x] = x[threadIdx.x];  // BUG: out_of_bounds (x was freed before the launch)
}
void use_after_free() {
  float *x, *y;
  cudaMalloc(&x, 32 * sizeof(float));
  cudaMalloc(&y, 32 * sizeof(float));
  cudaMemset(x, 0, 32 * sizeof(float));
  cudaFree(x);
  read_freed<<<1, 32>>>(x, y);
}

// program host_pointer
__global__ void read_host(const float* x, float* y) {
  y[threadIdx.x] = x[threadIdx.x];  // BUG: out_of_bounds (x lies in the host's memory)
}
void host_pointer() {
  float* x = static_cast<float*>(malloc(32 * sizeof(float)));
  float* y;
  for (int i = 0; i < 32; ++i) x[i] = i;
  cudaMalloc(&y, 32 * sizeof(float));
  read_host<<<1, 32>>>(x, y);
  cudaDeviceSynchronize();
  free(x);
}

// program copy_forgotten
__global__ void scale_unset(float* x, float a) {
  x[threadIdx.x] *= a;  // BUG: uninitialized_read (the data was never copied to the device)
}
void copy_forgotten() {
  std::vector<float> host(32, 1.0f);
  float* x;
  cudaMalloc(&x, 32 * sizeof(float));
  scale_unset<<<1, 32>>>(x, 2.0f);
  cudaMemcpy(host.data(), x, 32 * sizeof(float), cudaMemcpyDeviceToHost);
}

// program bytes_forgotten
__global__ void write_all(int* x) {
  x[threadIdx.x] = threadIdx.x;  // BUG: out_of_bounds (allocated 64 bytes instead of 64 ints)
}
void bytes_forgotten() {
  int* x;
  cudaMalloc(&x, 64);
  write_all<<<1, 64>>>(x);
}

// program half_copied
__global__ void add_halves(const double* x, double* y) {
  y[threadIdx.x] = x[threadIdx.x] + x[threadIdx.x + 16];  // BUG: uninitialized_read (only 16 doubles were copied)
}
void half_copied() {
  std::vector<double> host(32, 1.0);
  double *x, *y;
  cudaMalloc(&x, 32 * sizeof(double));
  cudaMalloc(&y, 16 * sizeof(double));
  cudaMemcpy(x, host.data(), 16 * sizeof(double), cudaMemcpyHostToDevice);
  add_halves<<<1, 16>>>(x, y);
}

// program one_block_too_many
__global__ void square(float* x) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  x[i] = x[i] * x[i];  // BUG: out_of_bounds (the grid is rounded up, and nothing guards the tail)
}
void one_block_too_many() {
  const int n = 100, threads = 32;
  float* x;
  cudaMalloc(&x, n * sizeof(float));
  cudaMemset(x, 0, n * sizeof(float));
  square<<<(n + threads - 1) / threads, threads>>>(x);
}

// program dynamic_size_in_elements
__global__ void reverse(int* x, int n) {
  extern __shared__ int s[];
  s[threadIdx.x] = x[threadIdx.x];  // BUG: out_of_bounds (the launch asks for n bytes of shared memory, not n ints)
  __syncthreads();
  x[threadIdx.x] = s[n - 1 - threadIdx.x];
}
void dynamic_size_in_elements() {
  int* x;
  cudaMallocManaged(&x, 64 * sizeof(int));
  for (int i = 0; i < 64; ++i) x[i] = i;
  reverse<<<1, 64, 64>>>(x, 64);
  cudaDeviceSynchronize();
}

// program sum_across_blocks
__device__ float grand_total;
__global__ void add_to_total(const float* x) {
  __shared__ float s[32];
  s[threadIdx.x] = x[blockIdx.x * 32 + threadIdx.x];
  __syncthreads();
  if (threadIdx.x == 0)
    for (int k = 0; k < 32; ++k) grand_total += s[k];  // BUG: race (all blocks add to one variable)
}
void sum_across_blocks() {
  float* x;
  cudaMallocManaged(&x, 128 * sizeof(float));
  for (int i = 0; i < 128; ++i) x[i] = 1;
  add_to_total<<<4, 32>>>(x);
  cudaDeviceSynchronize();
}

int main(int argc, char** argv) {
  const struct {
    const char* name;
    void (*run)();
  } programs[] = {
      {"use_after_free", use_after_free},
      {"host_pointer", host_pointer},
      {"copy_forgotten", copy_forgotten},
      {"bytes_forgotten", bytes_forgotten},
      {"half_copied", half_copied},
      {"one_block_too_many", one_block_too_many},
      {"dynamic_size_in_elements", dynamic_size_in_elements},
      {"sum_across_blocks", sum_across_blocks},
  };
  for (const auto& program : programs)
    if (argc == 2 && !strcmp(argv[1], program.name)) return program.run(), cudaDeviceSynchronize(), 0;
  return 2;
}
