// Asynchronous copies that are not waited for, or whose buffer is used again too early.
#include <cooperative_groups.h>
#include <cooperative_groups/memcpy_async.h>
#include <cuda_pipeline.h>
namespace cg = cooperative_groups;

// run <<<1, 32>>> (rand(32), zeros(32))
__global__ void copy_never_waited(const float* x, float* y) {
  __shared__ float s[32];
  __pipeline_memcpy_async(&s[threadIdx.x], &x[threadIdx.x], sizeof(float));
  __pipeline_commit();
  __syncthreads();
  y[threadIdx.x] = s[threadIdx.x];  // BUG: race (__pipeline_wait_prior(0) is missing)
}

// run <<<1, 64>>> (rand(128), zeros(64))
__global__ void waits_for_one_too_few(const float* x, float* y) {
  __shared__ float s[2][64];
  for (int k = 0; k < 2; ++k) {
    __pipeline_memcpy_async(&s[k][threadIdx.x], &x[k * 64 + threadIdx.x], 4);
    __pipeline_commit();
  }
  __pipeline_wait_prior(1);
  __syncthreads();
  y[threadIdx.x] = s[0][threadIdx.x] + s[1][threadIdx.x];  // BUG: race (the second copy may still be under way)
}

// run <<<1, 64>>> (rand(64), zeros(64))
__global__ void waits_for_own_copy_only(const float* x, float* y) {
  __shared__ float s[64];
  __pipeline_memcpy_async(&s[threadIdx.x], &x[threadIdx.x], 4);
  __pipeline_commit();
  __pipeline_wait_prior(0);
  y[threadIdx.x] = s[63 - threadIdx.x];  // BUG: race (the wait is for one's own copies; a barrier must follow)
}

// run <<<1, 64>>> (rand(256), zeros(64), 4)
__global__ void stage_filled_too_early(const float* x, float* y, int n) {
  __shared__ float s[2][64];
  float sum = 0;
  __pipeline_memcpy_async(&s[0][threadIdx.x], &x[threadIdx.x], 4);
  __pipeline_commit();
  for (int k = 0; k < n; ++k) {
    if (k + 1 < n) __pipeline_memcpy_async(&s[(k + 1) & 1][threadIdx.x], &x[(k + 1) * 64 + threadIdx.x], 4);  // BUG: race (no barrier after the stage was read)
    __pipeline_commit();
    __pipeline_wait_prior(1);
    __syncthreads();
    sum += s[k & 1][threadIdx.x ^ 32];
  }
  y[threadIdx.x] = sum;
}

// run <<<1, 64>>> (rand(256), zeros(64), 4)
__global__ void reads_stage_in_flight(const float* x, float* y, int n) {
  __shared__ float s[2][64];
  float sum = 0;
  __pipeline_memcpy_async(&s[0][threadIdx.x], &x[threadIdx.x], 4);
  __pipeline_commit();
  for (int k = 0; k < n; ++k) {
    if (k + 1 < n) __pipeline_memcpy_async(&s[(k + 1) & 1][threadIdx.x], &x[(k + 1) * 64 + threadIdx.x], 4);
    __pipeline_commit();
    __pipeline_wait_prior(1);
    __syncthreads();
    const int stage = k + 1 < n ? (k + 1) & 1 : k & 1;
    sum += s[stage][threadIdx.x];  // BUG: race (the stage of the next tile, whose copy is under way)
    __syncthreads();
  }
  y[threadIdx.x] = sum;
}

// run <<<1, 32>>> (rand(128), zeros(128))
__global__ void group_copy_not_waited(const float* x, float* y) {
  __shared__ float s[128];
  auto block = cg::this_thread_block();
  cg::memcpy_async(block, s, x, sizeof s);
  block.sync();
  for (int i = block.thread_rank(); i < 128; i += block.size()) y[i] = s[i];  // BUG: race (cg::wait is missing)
}

// run <<<1, 32>>> (rand(32), zeros(32))
__global__ void written_while_copied(const float* x, float* y) {
  __shared__ float s[32];
  __pipeline_memcpy_async(&s[threadIdx.x], &x[threadIdx.x], 4);
  s[threadIdx.x] = 0;  // BUG: race (the store and the copy arrive in either order)
  __pipeline_commit();
  __pipeline_wait_prior(0);
  __syncthreads();
  y[threadIdx.x] = s[threadIdx.x];
}

// run <<<1, 8>>> (rand(40), zeros(8))
__global__ void copy_of_16_misaligned(const float* x, float* y) {
  __shared__ __align__(16) float s[32];
  __pipeline_memcpy_async(&s[4 * threadIdx.x], &x[4 * threadIdx.x + 2], 16);  // BUG: misaligned (16 bytes from x + 2)
  __pipeline_commit();
  __pipeline_wait_prior(0);
  __syncthreads();
  y[threadIdx.x] = s[4 * threadIdx.x];
}

// run <<<2, 32>>> (rand(50), zeros(64))
__global__ void copy_past_the_end(const float* x, float* y) {
  __shared__ float s[32];
  const int i = blockIdx.x * 32 + threadIdx.x;
  __pipeline_memcpy_async(&s[threadIdx.x], &x[i], 4);  // BUG: out_of_bounds (the tail needs a guard, or zero fill)
  __pipeline_commit();
  __pipeline_wait_prior(0);
  __syncthreads();
  y[i] = s[threadIdx.x ^ 1];
}

// run <<<1, 64>>> (rand(32), zeros(64))
__global__ void half_the_copies(const float* x, float* y) {
  __shared__ float s[64];
  if (threadIdx.x < 32) __pipeline_memcpy_async(&s[threadIdx.x], &x[threadIdx.x], 4);
  __pipeline_commit();
  __pipeline_wait_prior(0);
  __syncthreads();
  y[threadIdx.x] = s[threadIdx.x];  // BUG: uninitialized_read (the upper half was never copied)
}

// run <<<1, 32>>> (rand(32), zeros(32))
__global__ void committed_too_early(const float* x, float* y) {
  __shared__ float s[32];
  __pipeline_commit();
  __pipeline_memcpy_async(&s[threadIdx.x], &x[threadIdx.x], 4);
  __pipeline_wait_prior(0);
  __syncthreads();
  y[threadIdx.x] = s[threadIdx.x];  // BUG: race (the copy belongs to no group that was waited for)
}
