// TMA and wgmma as they are meant: looks like the wrong ones, and is right.
#include <pyneural/ptx/tma.cuh>
#include <pyneural/ptx/warpgroup.cuh>
#include <pyneural/ptx/wgmma.cuh>
namespace ptx = pyneural::ptx;

// run <<<1, 64>>> (tensor_map(rand(8, 32), (8, 32)), zeros(8, 32))
// gives y = x.array
__global__ void all_wait_for_the_load(const __grid_constant__ CUtensorMap x, float* y) {
  __shared__ alignas(128) float s[8 * 32];
  __shared__ ptx::mbarrier full;
  if (threadIdx.x == 0) {
    ptx::mbarrier_init(&full, 1);
    ptx::fence_mbarrier_init();
  }
  __syncthreads();
  if (threadIdx.x == 0) {
    const int at[2] = {0, 0};
    ptx::mbarrier_arrive_expect_tx(&full, sizeof s);
    ptx::tma_load(s, &x, &full, at);
  }
  ptx::mbarrier_wait(&full, 0);
  for (int i = threadIdx.x; i < 256; i += 64) y[i] = s[i];
}

// run <<<1, 64>>> (tensor_map(rand(8, 32), (8, 32)), zeros(8, 32))
// gives y = x.array
__global__ void one_waits_and_tells(const __grid_constant__ CUtensorMap x, float* y) {
  __shared__ alignas(128) float s[8 * 32];
  __shared__ ptx::mbarrier full;
  if (threadIdx.x == 0) {
    const int at[2] = {0, 0};
    ptx::mbarrier_init(&full, 1);
    ptx::tma_load(s, &x, &full, at);
    ptx::mbarrier_arrive_expect_tx(&full, sizeof s);
    ptx::mbarrier_wait(&full, 0);
  }
  __syncthreads();
  for (int i = threadIdx.x; i < 256; i += 64) y[i] = s[i];
}

// run <<<1, 64>>> (tensor_map(rand(3, 20), (4, 32)), zeros(4, 32))
// gives y = pad(x.array, ((0, 1), (0, 12)))
__global__ void box_beyond_the_edge(const __grid_constant__ CUtensorMap x, float* y) {
  __shared__ alignas(128) float s[4 * 32];
  __shared__ ptx::mbarrier full;
  if (threadIdx.x == 0) ptx::mbarrier_init(&full, 1);
  __syncthreads();
  if (threadIdx.x == 0) {
    const int at[2] = {0, 0};
    ptx::mbarrier_arrive_expect_tx(&full, sizeof s);
    ptx::tma_load(s, &x, &full, at);
  }
  ptx::mbarrier_wait(&full, 0);
  for (int i = threadIdx.x; i < 128; i += 64) y[i] = s[i];
}

// run <<<1, 96>>> (rand(7, 64), zeros(64), 7)
// gives y = x.sum(0)[::-1]
__global__ void ring_of_two_bulk_loads(const float* x, float* y, int rounds) {
  __shared__ alignas(16) float s[2][64];
  __shared__ ptx::mbarrier full[2], empty[2];
  if (threadIdx.x == 0)
    for (int i = 0; i < 2; ++i) {
      ptx::mbarrier_init(&full[i], 1);
      ptx::mbarrier_init(&empty[i], 64);
    }
  __syncthreads();
  if (threadIdx.x >= 64) {
    if (threadIdx.x != 64) return;  // one thread of the producing warp is enough
    for (int r = 0; r < rounds; ++r) {
      if (r >= 2) ptx::mbarrier_wait(&empty[r % 2], (r / 2 - 1) % 2);
      ptx::mbarrier_arrive_expect_tx(&full[r % 2], sizeof s[0]);
      ptx::bulk_load(s[r % 2], x + 64 * r, sizeof s[0], &full[r % 2]);
    }
  } else {
    float sum = 0;
    for (int r = 0; r < rounds; ++r) {
      ptx::mbarrier_wait(&full[r % 2], r / 2 % 2);
      sum += s[r % 2][63 - threadIdx.x];
      ptx::mbarrier_arrive(&empty[r % 2]);
    }
    y[threadIdx.x] = sum;
  }
}

// run <<<1, 64>>> (tensor_map(zeros(8, 32), (8, 32)))
// gives y.array = arange(256.0).reshape(8, 32)
__global__ void fence_of_the_writers(const __grid_constant__ CUtensorMap y) {
  __shared__ alignas(128) float s[8 * 32];
  for (int i = threadIdx.x; i < 256; i += 64) s[i] = i;
  ptx::fence_proxy_async();
  __syncthreads();
  if (threadIdx.x == 0) {
    const int at[2] = {0, 0};
    ptx::tma_store(&y, s, at);
    ptx::bulk_commit();
    ptx::bulk_wait<0>();
  }
}

// run <<<1, 64>>> (tensor_map(zeros(8, 32), (8, 32)))
// gives y.array = arange(256.0).reshape(8, 32)
__global__ void fence_of_the_issuing_thread(const __grid_constant__ CUtensorMap y) {
  __shared__ alignas(128) float s[8 * 32];
  for (int i = threadIdx.x; i < 256; i += 64) s[i] = i;
  __syncthreads();
  if (threadIdx.x == 0) {
    const int at[2] = {0, 0};
    ptx::fence_proxy_async();
    ptx::tma_store(&y, s, at);
    ptx::bulk_commit();
    ptx::bulk_wait<0>();
  }
}

// run <<<1, 64>>> (tensor_map(zeros(8, 32), (8, 32)))
// gives y.array = arange(256.0).reshape(8, 32)
__global__ void fence_of_a_third_thread(const __grid_constant__ CUtensorMap y) {
  __shared__ alignas(128) float s[8 * 32];
  for (int i = threadIdx.x; i < 256; i += 64) s[i] = i;
  __syncthreads();
  if (threadIdx.x == 40) ptx::fence_proxy_async();
  __syncthreads();
  if (threadIdx.x == 0) {
    const int at[2] = {0, 0};
    ptx::tma_store(&y, s, at);
    ptx::bulk_commit();
    ptx::bulk_wait<0>();
  }
}

// run <<<1, 64>>> (zeros(6, 64))
// gives y = repeat(arange(6.0), 64).reshape(6, 64)
__global__ void two_buffers_of_stores(float* y) {
  __shared__ alignas(16) float s[2][64];
  for (int r = 0; r < 6; ++r) {
    if (threadIdx.x == 0) ptx::bulk_wait_read<1>();  // that of two rounds ago
    __syncthreads();
    s[r % 2][threadIdx.x] = r;
    ptx::fence_proxy_async();
    __syncthreads();
    if (threadIdx.x == 0) {
      ptx::bulk_store(y + 64 * r, s[r % 2], sizeof s[0]);
      ptx::bulk_commit();
    }
  }
  if (threadIdx.x == 0) ptx::bulk_wait<0>();
}

// run <<<1, 128, 24576>>> (tensor_map(rand(64, 128, dtype=f16), (64, 64), swizzle=128), tensor_map(rand(32, 128, dtype=f16), (32, 64), swizzle=128), zeros(64, 32))
// gives c = a.array.astype(f32) @ b.array.astype(f32).T
__global__ void tiles_by_tma_to_wgmma(const __grid_constant__ CUtensorMap a, const __grid_constant__ CUtensorMap b, float* c) {
  extern __shared__ __align__(1024) char tiles[];  // a of 8 KB and b of 4 KB, twice
  __shared__ ptx::mbarrier full[2];
  if (threadIdx.x == 0) {
    ptx::mbarrier_init(&full[0], 1);
    ptx::mbarrier_init(&full[1], 1);
    ptx::fence_mbarrier_init();
  }
  __syncthreads();
  if (threadIdx.x == 0)
    for (int k = 0; k < 2; ++k) {
      const int at[2] = {64 * k, 0};
      ptx::mbarrier_arrive_expect_tx(&full[k], 12288);
      ptx::tma_load(tiles + 12288 * k, &a, &full[k], at);
      ptx::tma_load(tiles + 12288 * k + 8192, &b, &full[k], at);
    }
  float d[16];
  for (int k = 0; k < 2; ++k) {
    ptx::mbarrier_wait(&full[k], 0);
    const unsigned long long left = ptx::wgmma_descriptor(tiles + 12288 * k, 16, 1024, ptx::Swizzle::B128);
    const unsigned long long right = ptx::wgmma_descriptor(tiles + 12288 * k + 8192, 16, 1024, ptx::Swizzle::B128);
    ptx::wgmma_fence();
    for (int i = 0; i < 4; ++i) ptx::wgmma<32, half>(d, left + 2 * i, right + 2 * i, k || i);  // 32 bytes further
    ptx::wgmma_commit();
  }
  ptx::wgmma_wait<0>();
  for (int i = 0; i < 16; ++i)
    c[(threadIdx.x / 32 * 16 + threadIdx.x % 32 / 4 + i / 2 % 2 * 8) * 32 + i / 4 * 8 + threadIdx.x % 4 * 2 + i % 2] = d[i];
}

// run <<<1, 128>>> (rand(4, 64), zeros(64))
// gives y = (x.sum(0))[::-1]
__global__ void named_barriers_of_two_groups(const float* x, float* y) {
  __shared__ float s[64];
  const int half = threadIdx.x / 64, i = threadIdx.x % 64;
  float sum = 0;
  for (int r = 0; r < 4; ++r) {  // one half fills the tile, the other one adds it up
    if (half == 0) {
      if (r) ptx::named_barrier_sync(2, 128);
      s[i] = x[64 * r + i];
      ptx::named_barrier_arrive(1, 128);
    } else {
      ptx::named_barrier_sync(1, 128);
      sum += s[63 - i];
      if (r < 3) ptx::named_barrier_arrive(2, 128);
    }
  }
  if (half) y[i] = sum;
}
