// Producers, consumers and their barrier objects.
#include <cuda/barrier>
#include <pyneural/ptx/mbarrier.cuh>
namespace ptx = pyneural::ptx;
using barrier = cuda::barrier<cuda::thread_scope_block>;

// run <<<1, 64>>> (rand(64), zeros(64))
// gives y = x[::-1]
__global__ void everyone_arrives(const float* x, float* y) {
  __shared__ float s[64];
  __shared__ barrier full;
  if (threadIdx.x == 0) init(&full, blockDim.x);
  __syncthreads();
  s[threadIdx.x] = x[threadIdx.x];
  full.arrive_and_wait();
  y[threadIdx.x] = s[63 - threadIdx.x];
}

// run <<<1, 64>>> (rand(64), zeros(64))
// gives y = 2 * x[::-1]
__global__ void works_between_arrive_and_wait(const float* x, float* y) {
  __shared__ float s[64];
  __shared__ barrier full;
  if (threadIdx.x == 0) init(&full, 64);
  __syncthreads();
  s[threadIdx.x] = x[threadIdx.x];
  barrier::arrival_token token = full.arrive();
  const float own = x[63 - threadIdx.x];
  full.wait(static_cast<barrier::arrival_token&&>(token));
  y[threadIdx.x] = s[63 - threadIdx.x] + own;
}

// run <<<1, 64>>> (rand(64), zeros(32))
// gives y = x[31::-1]
__global__ void producers_do_not_wait(const float* x, float* y) {
  __shared__ float s[32];
  __shared__ ptx::mbarrier full;
  if (threadIdx.x == 0) ptx::mbarrier_init(&full, 32);
  __syncthreads();
  if (threadIdx.x < 32) {
    s[threadIdx.x] = x[threadIdx.x];
    ptx::mbarrier_arrive(&full);
  } else {
    ptx::mbarrier_wait(&full, 0);
    y[threadIdx.x - 32] = s[63 - threadIdx.x];
  }
}

// run <<<2, 64>>> (rand(2, 5, 32), zeros(2, 32), 5)
// gives y = x[:, :, ::-1].sum(axis=1)
__global__ void ring_of_two_stages(const float* x, float* y, int rounds) {
  __shared__ float s[2][32];
  __shared__ ptx::mbarrier full[2], empty[2];
  const int lane = threadIdx.x % 32;
  if (threadIdx.x < 2) {
    ptx::mbarrier_init(&full[threadIdx.x], 32);
    ptx::mbarrier_init(&empty[threadIdx.x], 32);
  }
  __syncthreads();
  float sum = 0;
  for (int k = 0; k < rounds; ++k) {
    const int stage = k % 2, turn = k / 2 & 1;
    if (threadIdx.x < 32) {
      if (k >= 2) ptx::mbarrier_wait(&empty[stage], turn ^ 1);
      s[stage][lane] = x[(blockIdx.x * rounds + k) * 32 + lane];
      ptx::mbarrier_arrive(&full[stage]);
    } else {
      ptx::mbarrier_wait(&full[stage], turn);
      sum += s[stage][31 - lane];
      ptx::mbarrier_arrive(&empty[stage]);
    }
  }
  if (threadIdx.x >= 32) y[blockIdx.x * 32 + lane] = sum;
}
