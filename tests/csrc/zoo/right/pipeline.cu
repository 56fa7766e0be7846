// Asynchronous copies, waited for in time.
#include <cooperative_groups.h>
#include <cooperative_groups/memcpy_async.h>
#include <cuda_pipeline.h>
namespace cg = cooperative_groups;

// run <<<1, 32>>> (rand(32), zeros(32))
// gives y = x
__global__ void own_copy_needs_no_barrier(const float* x, float* y) {
  __shared__ float s[32];
  __pipeline_memcpy_async(&s[threadIdx.x], &x[threadIdx.x], sizeof(float));
  __pipeline_commit();
  __pipeline_wait_prior(0);
  y[threadIdx.x] = s[threadIdx.x];
}

// run <<<1, 64>>> (rand(64), zeros(64))
// gives y = x[::-1]
__global__ void waits_then_barrier(const float* x, float* y) {
  __shared__ float s[64];
  __pipeline_memcpy_async(&s[threadIdx.x], &x[threadIdx.x], 4);
  __pipeline_commit();
  __pipeline_wait_prior(0);
  __syncthreads();
  y[threadIdx.x] = s[63 - threadIdx.x];
}

// run <<<1, 64>>> (rand(128), zeros(64))
// gives y = x[:64] * x[64:]
__global__ void first_of_two_groups(const float* x, float* y) {
  __shared__ float s[2][64];
  for (int k = 0; k < 2; ++k) {
    __pipeline_memcpy_async(&s[k][threadIdx.x], &x[k * 64 + threadIdx.x], 4);
    __pipeline_commit();
  }
  __pipeline_wait_prior(1);
  const float a = s[0][threadIdx.x];
  __pipeline_wait_prior(0);
  y[threadIdx.x] = a * s[1][threadIdx.x];
}

// run <<<1, 64>>> (rand(256), zeros(64), 4)
// gives y = x.reshape(4, 64)[:, arange(64) ^ 32].sum(axis=0)
__global__ void double_buffer(const float* x, float* y, int n) {
  __shared__ float s[2][64];
  float sum = 0;
  __pipeline_memcpy_async(&s[0][threadIdx.x], &x[threadIdx.x], 4);
  __pipeline_commit();
  for (int k = 0; k < n; ++k) {
    if (k + 1 < n) __pipeline_memcpy_async(&s[(k + 1) & 1][threadIdx.x], &x[(k + 1) * 64 + threadIdx.x], 4);
    __pipeline_commit();
    __pipeline_wait_prior(1);
    __syncthreads();
    sum += s[k & 1][threadIdx.x ^ 32];
    __syncthreads();
  }
  y[threadIdx.x] = sum;
}

// run staged<3> <<<2, 32>>> (rand(2, 6, 32), zeros(2, 32), 6)
// gives y = x[:, :, ::-1].sum(axis=1)
template <int Stages>
__global__ void staged(const float* x, float* y, int n) {
  __shared__ float s[Stages][32];
  x += blockIdx.x * n * 32;
  float sum = 0;
  for (int k = 0; k < Stages - 1; ++k) {
    __pipeline_memcpy_async(&s[k][threadIdx.x], &x[k * 32 + threadIdx.x], 4);
    __pipeline_commit();
  }
  for (int k = 0; k < n; ++k) {
    __pipeline_wait_prior(Stages - 2);
    __syncthreads();
    const int ahead = k + Stages - 1;
    if (ahead < n) __pipeline_memcpy_async(&s[ahead % Stages][threadIdx.x], &x[ahead * 32 + threadIdx.x], 4);
    __pipeline_commit();
    sum += s[k % Stages][31 - threadIdx.x];
  }
  y[blockIdx.x * 32 + threadIdx.x] = sum;
}

// run <<<1, 32>>> (rand(128), zeros(128))
// gives y = x
__global__ void group_copy(const float* x, float* y) {
  __shared__ float s[128];
  auto block = cg::this_thread_block();
  cg::memcpy_async(block, s, x, sizeof s);
  cg::wait(block);
  for (int i = block.thread_rank(); i < 128; i += block.size()) y[i] = s[i];
}

// run <<<1, 8>>> (rand(36), zeros(32))
// gives y = x[4:]
__global__ void copies_of_16_bytes(const float* x, float* y) {
  __shared__ __align__(16) float s[32];
  __pipeline_memcpy_async(&s[4 * threadIdx.x], &x[4 * threadIdx.x + 4], 16);
  __pipeline_commit();
  __pipeline_wait_prior(0);
  __syncthreads();
  for (int i = threadIdx.x; i < 32; i += 8) y[i] = s[i];
}

// run <<<2, 32>>> (rand(50), zeros(64), 50)
// gives y = append(x, full(14, 0))
__global__ void tail_filled_with_zeros(const float* x, float* y, int n) {
  __shared__ float s[32];
  const int i = blockIdx.x * 32 + threadIdx.x;
  __pipeline_memcpy_async(&s[threadIdx.x], &x[min(i, n - 1)], 4, i < n ? 0 : 4);
  __pipeline_commit();
  __pipeline_wait_prior(0);
  y[i] = s[threadIdx.x];
}

// run <<<1, 64>>> (rand(64), zeros(64))
// gives y = append(x[:32], full(32, 5))
__global__ void other_half_by_hand(const float* x, float* y) {
  __shared__ float s[64];
  if (threadIdx.x < 32) __pipeline_memcpy_async(&s[threadIdx.x], &x[threadIdx.x], 4);
  else s[threadIdx.x] = 5;
  __pipeline_commit();
  __pipeline_wait_prior(0);
  __syncthreads();
  y[threadIdx.x] = s[threadIdx.x];
}
