// TMA and wgmma: what nobody waits for, what the asynchronous proxy cannot see, what is overwritten under it.
#include <pyneural/ptx/tma.cuh>
#include <pyneural/ptx/warpgroup.cuh>
#include <pyneural/ptx/wgmma.cuh>
namespace ptx = pyneural::ptx;

// run <<<1, 64>>> (tensor_map(rand(8, 32), (8, 32)), zeros(256))
__global__ void load_not_waited_for(const __grid_constant__ CUtensorMap x, float* y) {
  __shared__ alignas(128) float s[8 * 32];
  __shared__ ptx::mbarrier full;
  if (threadIdx.x == 0) ptx::mbarrier_init(&full, 1);
  __syncthreads();
  if (threadIdx.x == 0) {
    const int at[2] = {0, 0};
    ptx::mbarrier_arrive_expect_tx(&full, sizeof s);
    ptx::tma_load(s, &x, &full, at);
  }
  __syncthreads();
  for (int i = threadIdx.x; i < 256; i += 64) y[i] = s[i];  // BUG: race (a block barrier does not wait for TMA)
}

// run <<<1, 64>>> (tensor_map(rand(8, 32), (8, 32)), zeros(256))
__global__ void only_one_thread_waits(const __grid_constant__ CUtensorMap x, float* y) {
  __shared__ alignas(128) float s[8 * 32];
  __shared__ ptx::mbarrier full;
  if (threadIdx.x == 0) ptx::mbarrier_init(&full, 1);
  __syncthreads();
  if (threadIdx.x == 0) {
    const int at[2] = {0, 0};
    ptx::mbarrier_arrive_expect_tx(&full, sizeof s);
    ptx::tma_load(s, &x, &full, at);
    ptx::mbarrier_wait(&full, 0);
  }
  for (int i = threadIdx.x; i < 256; i += 64) y[i] = s[i];  // BUG: race (the others neither wait for it nor for thread 0)
}

// run <<<1, 32>>> (tensor_map(rand(8, 32), (8, 32)), zeros(256))
__global__ void expects_too_few_bytes(const __grid_constant__ CUtensorMap x, float* y) {
  __shared__ alignas(128) float s[8 * 32];
  __shared__ ptx::mbarrier full;
  if (threadIdx.x == 0) ptx::mbarrier_init(&full, 1);
  __syncthreads();
  if (threadIdx.x == 0) {
    const int at[2] = {0, 0};
    ptx::mbarrier_arrive_expect_tx(&full, sizeof s / 2);
    ptx::tma_load(s, &x, &full, at);
  }
  ptx::mbarrier_wait(&full, 0);  // BUG: divergent_barrier (more bytes come than the barrier expects)
  for (int i = threadIdx.x; i < 256; i += 32) y[i] = s[i];
}

// run <<<1, 32>>> (rand(64), zeros(64))
__global__ void nobody_arrives(const float* x, float* y) {
  __shared__ alignas(16) float s[64];
  __shared__ ptx::mbarrier full;
  if (threadIdx.x == 0) {
    ptx::mbarrier_init(&full, 1);
    ptx::mbarrier_expect_tx(&full, sizeof s);
    ptx::bulk_load(s, x, sizeof s, &full);
  }
  __syncthreads();
  ptx::mbarrier_wait(&full, 0);  // BUG: divergent_barrier (the bytes have come, but the one arrival has not)
  y[threadIdx.x] = s[threadIdx.x];
}

// run <<<1, 64>>> (rand(4, 64), zeros(64), 4)
__global__ void stage_refilled_too_early(const float* x, float* y, int rounds) {
  __shared__ alignas(16) float s[64];
  __shared__ ptx::mbarrier full;
  if (threadIdx.x == 0) ptx::mbarrier_init(&full, 1);
  __syncthreads();
  float sum = 0;
  for (int r = 0; r < rounds; ++r) {
    if (threadIdx.x == 0) {
      ptx::mbarrier_arrive_expect_tx(&full, sizeof s);
      ptx::bulk_load(s, x + 64 * r, sizeof s, &full);  // BUG: race (the other threads may still read the last round)
    }
    ptx::mbarrier_wait(&full, r % 2);
    __syncthreads();
    sum += s[63 - threadIdx.x];
  }
  y[threadIdx.x] = sum;
}

// run <<<1, 64>>> (tensor_map(zeros(8, 32), (8, 32)))
__global__ void store_without_proxy_fence(const __grid_constant__ CUtensorMap y) {
  __shared__ alignas(128) float s[8 * 32];
  for (int i = threadIdx.x; i < 256; i += 64) s[i] = i;  // BUG: race (TMA does not see it without a fence)
  __syncthreads();
  if (threadIdx.x == 0) {
    const int at[2] = {0, 0};
    ptx::tma_store(&y, s, at);
    ptx::bulk_commit();
    ptx::bulk_wait<0>();
  }
}

// run <<<1, 64>>> (tensor_map(zeros(8, 32), (8, 32)))
__global__ void fence_before_the_writes(const __grid_constant__ CUtensorMap y) {
  __shared__ alignas(128) float s[8 * 32];
  ptx::fence_proxy_async();
  for (int i = threadIdx.x; i < 256; i += 64) s[i] = i;  // BUG: race (the fence stands before what it is for)
  __syncthreads();
  if (threadIdx.x == 32) {
    const int at[2] = {0, 0};
    ptx::tma_store(&y, s, at);
    ptx::bulk_commit();
    ptx::bulk_wait<0>();
  }
}

// run <<<1, 64>>> (zeros(2, 64))
__global__ void buffer_of_a_store_reused(float* y) {
  __shared__ alignas(16) float s[64];
  for (int r = 0; r < 2; ++r) {
    s[threadIdx.x] = r;  // BUG: race (the store may not have read the last round)
    ptx::fence_proxy_async();
    __syncthreads();
    if (threadIdx.x == 0) {
      ptx::bulk_store(y + 64 * r, s, sizeof s);
      ptx::bulk_commit();
    }
    __syncthreads();
  }
}

// run <<<1, 64>>> (zeros(2, 64))
__global__ void waits_for_the_wrong_group(float* y) {
  __shared__ alignas(16) float s[64];
  for (int r = 0; r < 2; ++r) {
    s[threadIdx.x] = r;  // BUG: race (one group may be under way, and it is this one)
    ptx::fence_proxy_async();
    __syncthreads();
    if (threadIdx.x == 0) {
      ptx::bulk_store(y + 64 * r, s, sizeof s);
      ptx::bulk_commit();
      ptx::bulk_wait_read<1>();
    }
    __syncthreads();
  }
}

// run <<<1, 32>>> (rand(60), zeros(64))
__global__ void bulk_past_the_end(const float* x, float* y) {
  __shared__ alignas(16) float s[64];
  __shared__ ptx::mbarrier full;
  if (threadIdx.x == 0) {
    ptx::mbarrier_init(&full, 1);
    ptx::mbarrier_arrive_expect_tx(&full, sizeof s);
    ptx::bulk_load(s, x, sizeof s, &full);  // BUG: out_of_bounds (x has 60 elements)
  }
  __syncthreads();
  ptx::mbarrier_wait(&full, 0);
  y[threadIdx.x] = s[threadIdx.x];
}

// run <<<1, 32>>> (rand(64), zeros(64))
__global__ void bulk_of_12_bytes(const float* x, float* y) {
  __shared__ alignas(16) float s[64];
  __shared__ ptx::mbarrier full;
  if (threadIdx.x == 0) {
    ptx::mbarrier_init(&full, 1);
    ptx::mbarrier_arrive_expect_tx(&full, 12);
    ptx::bulk_load(s, x, 12, &full);  // BUG: assertion_failed (sizes are multiples of 16)
  }
  __syncthreads();
  ptx::mbarrier_wait(&full, 0);
  y[threadIdx.x] = s[0];
}

// run <<<1, 128>>> (rand(64, 16, dtype=f16), rand(16, 16, dtype=f16), zeros(64, 16))
__global__ void accumulators_not_waited_for(const half* a, const half* b, float* c) {
  __shared__ alignas(128) half sa[64 * 16], sb[16 * 16];
  // Cores of 8 rows by 16 bytes, the two of a row of 16 elements side by side.
  for (int i = threadIdx.x; i < 64 * 16; i += 128) sa[i / 128 * 128 + i % 16 / 8 * 64 + i / 16 % 8 * 8 + i % 8] = a[i];
  for (int i = threadIdx.x; i < 16 * 16; i += 128) sb[i / 128 * 128 + i % 16 / 8 * 64 + i / 16 % 8 * 8 + i % 8] = b[i];
  ptx::fence_proxy_async();
  __syncthreads();
  float d[8];
  ptx::wgmma_fence();
  ptx::wgmma<16, half>(d, ptx::wgmma_descriptor(sa, 128, 256, ptx::Swizzle::None), ptx::wgmma_descriptor(sb, 128, 256, ptx::Swizzle::None), false);
  ptx::wgmma_commit();
  for (int i = 0; i < 8; ++i)
    c[(threadIdx.x / 32 * 16 + threadIdx.x % 32 / 4 + i / 2 % 2 * 8) * 16 + i / 4 * 8 + threadIdx.x % 4 * 2 + i % 2] = d[i];  // BUG: race (the product may not be done)
}

// run <<<1, 128>>> (rand(64, 16, dtype=f16), rand(16, 16, dtype=f16), zeros(64, 16))
__global__ void operands_overwritten(const half* a, const half* b, float* c) {
  __shared__ alignas(128) half sa[64 * 16], sb[16 * 16];
  for (int i = threadIdx.x; i < 64 * 16; i += 128) sa[i / 128 * 128 + i % 16 / 8 * 64 + i / 16 % 8 * 8 + i % 8] = a[i];
  for (int i = threadIdx.x; i < 16 * 16; i += 128) sb[i / 128 * 128 + i % 16 / 8 * 64 + i / 16 % 8 * 8 + i % 8] = b[i];
  ptx::fence_proxy_async();
  __syncthreads();
  float d[8];
  ptx::wgmma_fence();
  ptx::wgmma<16, half>(d, ptx::wgmma_descriptor(sa, 128, 256, ptx::Swizzle::None), ptx::wgmma_descriptor(sb, 128, 256, ptx::Swizzle::None), false);
  ptx::wgmma_commit();
  __syncthreads();
  sb[threadIdx.x] = __float2half(0);  // BUG: race (a barrier does not wait for the product)
  ptx::wgmma_wait<0>();
  for (int i = 0; i < 8; ++i)
    c[(threadIdx.x / 32 * 16 + threadIdx.x % 32 / 4 + i / 2 % 2 * 8) * 16 + i / 4 * 8 + threadIdx.x % 4 * 2 + i % 2] = d[i];
}

// run <<<1, 128>>> (rand(64, 16, dtype=f16), rand(16, 16, dtype=f16), zeros(64, 16))
__global__ void operands_without_proxy_fence(const half* a, const half* b, float* c) {
  __shared__ alignas(128) half sa[64 * 16], sb[16 * 16];
  for (int i = threadIdx.x; i < 64 * 16; i += 128) sa[i / 128 * 128 + i % 16 / 8 * 64 + i / 16 % 8 * 8 + i % 8] = a[i];
  for (int i = threadIdx.x; i < 16 * 16; i += 128) sb[i / 128 * 128 + i % 16 / 8 * 64 + i / 16 % 8 * 8 + i % 8] = b[i];
  __syncthreads();
  float d[8];
  ptx::wgmma_fence();
  ptx::wgmma<16, half>(d, ptx::wgmma_descriptor(sa, 128, 256, ptx::Swizzle::None), ptx::wgmma_descriptor(sb, 128, 256, ptx::Swizzle::None), false);  // BUG: race (threads wrote the tiles, and no fence.proxy.async follows)
  ptx::wgmma_commit();
  ptx::wgmma_wait<0>();
  for (int i = 0; i < 8; ++i)
    c[(threadIdx.x / 32 * 16 + threadIdx.x % 32 / 4 + i / 2 % 2 * 8) * 16 + i / 4 * 8 + threadIdx.x % 4 * 2 + i % 2] = d[i];
}

// run <<<1, 128>>> (rand(64, 16, dtype=f16), zeros(64, 8))
__global__ void product_without_fence(const half* a, float* c) {
  __shared__ alignas(128) half sa[64 * 16];
  for (int i = threadIdx.x; i < 64 * 16; i += 128) sa[i / 128 * 128 + i % 16 / 8 * 64 + i / 16 % 8 * 8 + i % 8] = a[i];
  ptx::fence_proxy_async();
  __syncthreads();
  float d[4];
  const unsigned long long tile = ptx::wgmma_descriptor(sa, 128, 256, ptx::Swizzle::None);
  ptx::wgmma<8, half>(d, tile, tile, false);  // BUG: race (no wgmma.fence before the first product)
  ptx::wgmma_commit();
  ptx::wgmma_wait<0>();
  for (int i = 0; i < 4; ++i)
    c[(threadIdx.x / 32 * 16 + threadIdx.x % 32 / 4 + i / 2 * 8) * 8 + threadIdx.x % 4 * 2 + i % 2] = d[i];
}

// run <<<1, 64>>> (rand(64), zeros(64))
__global__ void half_a_warpgroup(const float* x, float* y) {
  __shared__ alignas(128) half s[64 * 16];
  for (int i = threadIdx.x; i < 64 * 16; i += 64) s[i] = __float2half(x[i % 64]);
  ptx::fence_proxy_async();
  __syncthreads();
  float d[4];
  const unsigned long long tile = ptx::wgmma_descriptor(s, 128, 256, ptx::Swizzle::None);
  ptx::wgmma_fence();
  ptx::wgmma<8, half>(d, tile, tile, false);  // BUG: assertion_failed (two warps are no warpgroup)
  ptx::wgmma_commit();
  ptx::wgmma_wait<0>();
  y[threadIdx.x] = d[0];
}

// run <<<1, 128>>> (rand(64), zeros(64))
__global__ void named_barrier_of_too_many(const float* x, float* y) {
  __shared__ float s[64];
  if (threadIdx.x >= 96) return;
  if (threadIdx.x < 64) s[threadIdx.x] = x[threadIdx.x];
  ptx::named_barrier_sync(1, 128);  // BUG: divergent_barrier (the last warp has returned)
  if (threadIdx.x < 64) y[threadIdx.x] = s[63 - threadIdx.x];
}

// run <<<1, 96>>> (rand(64), zeros(64))
__global__ void only_arrives(const float* x, float* y) {
  __shared__ float s[64];
  if (threadIdx.x < 64) {
    s[threadIdx.x] = x[threadIdx.x];
    ptx::named_barrier_arrive(1, 96);
    y[threadIdx.x] = s[63 - threadIdx.x];  // BUG: race (to arrive is not to wait)
  } else {
    ptx::named_barrier_sync(1, 96);
  }
}
