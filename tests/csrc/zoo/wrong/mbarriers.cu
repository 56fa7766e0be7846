// Barrier objects whose phase never ends, or that say less than the kernel believes.
#include <cuda/barrier>
#include <pyneural/ptx/mbarrier.cuh>
namespace ptx = pyneural::ptx;
using barrier = cuda::barrier<cuda::thread_scope_block>;

// run <<<1, 64>>> (rand(64), zeros(64))
__global__ void arrival_missing(const float* x, float* y) {
  __shared__ float s[64];
  __shared__ barrier full;
  if (threadIdx.x == 0) init(&full, 64);
  __syncthreads();
  s[threadIdx.x] = x[threadIdx.x];
  if (threadIdx.x == 13) return;
  full.arrive_and_wait();  // BUG: divergent_barrier (thread 13 never arrives)
  y[threadIdx.x] = s[63 - threadIdx.x];
}

// run <<<1, 64>>> (rand(64), zeros(64))
__global__ void expects_too_many(const float* x, float* y) {
  __shared__ float s[64];
  __shared__ barrier full;
  if (threadIdx.x == 0) init(&full, 65);
  __syncthreads();
  s[threadIdx.x] = x[threadIdx.x];
  full.wait(full.arrive());  // BUG: divergent_barrier (initialised for 65 arrivals, there are 64 threads)
  y[threadIdx.x] = s[63 - threadIdx.x];
}

// run <<<1, 64>>> (rand(64), zeros(64))
__global__ void arrives_before_writing(const float* x, float* y) {
  __shared__ float s[64];
  __shared__ ptx::mbarrier full;
  if (threadIdx.x == 0) ptx::mbarrier_init(&full, 32);
  __syncthreads();
  if (threadIdx.x < 32) {
    ptx::mbarrier_arrive(&full);
    s[threadIdx.x] = x[threadIdx.x];
  } else {
    ptx::mbarrier_wait(&full, 0);
    y[threadIdx.x] = s[threadIdx.x - 32];  // BUG: race (the producers arrive first and write afterwards)
  }
}

// run <<<1, 64>>> (rand(64), zeros(64))
__global__ void arrives_and_does_not_wait(const float* x, float* y) {
  __shared__ float s[64];
  __shared__ barrier full;
  if (threadIdx.x == 0) init(&full, 64);
  __syncthreads();
  s[threadIdx.x] = x[threadIdx.x];
  full.arrive();
  y[threadIdx.x] = s[63 - threadIdx.x];  // BUG: race (arriving is not waiting)
}

// run <<<1, 64>>> (rand(4, 32), zeros(32), 4)
__global__ void buffer_refilled_too_early(const float* x, float* y, int rounds) {
  __shared__ float s[32];
  __shared__ barrier full;
  const int lane = threadIdx.x % 32;
  if (threadIdx.x == 0) init(&full, 64);
  __syncthreads();
  float sum = 0;
  for (int k = 0; k < rounds; ++k) {
    if (threadIdx.x < 32) s[lane] = x[k * 32 + lane];  // BUG: race (no second barrier says that the buffer was emptied)
    full.arrive_and_wait();
    if (threadIdx.x >= 32) sum += s[31 - lane];
  }
  if (threadIdx.x >= 32) y[lane] = sum;
}

// run <<<1, 64>>> (rand(64), zeros(64))
__global__ void half_the_arrivals(const float* x, float* y) {
  __shared__ float s[64];
  __shared__ ptx::mbarrier full;
  if (threadIdx.x == 0) ptx::mbarrier_init(&full, 32);
  __syncthreads();
  s[threadIdx.x] = x[threadIdx.x];
  if (threadIdx.x < 32) ptx::mbarrier_arrive(&full);
  ptx::mbarrier_wait(&full, 0);
  y[threadIdx.x] = s[63 - threadIdx.x];  // BUG: race (the upper half has written, but does not arrive)
}
