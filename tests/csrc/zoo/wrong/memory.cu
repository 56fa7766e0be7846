// Memory that nothing has written, and vector accesses at addresses that do not suit them.
#include <cuda_fp16.h>

// run <<<1, 8>>> (rand(40), zeros(8))
__global__ void float4_off_by_one(const float* x, float* y) {
  const float4 v = *reinterpret_cast<const float4*>(x + 1 + 4 * threadIdx.x);  // BUG: misaligned (x + 1)
  y[threadIdx.x] = v.x + v.y + v.z + v.w;
}

// run <<<1, 8>>> (ints(64, high=99, dtype=u8), zeros(8, dtype=i32))
__global__ void int_from_bytes(const unsigned char* packet, int* y) {
  y[threadIdx.x] = *reinterpret_cast<const int*>(packet + 5 * threadIdx.x);  // BUG: misaligned (fields 5 bytes apart)
}

// run <<<1, 16, 256>>> (zeros(16, dtype=f64))
__global__ void doubles_after_floats(double* y) {
  extern __shared__ float pool[];
  float* weights = pool;
  double* sums = reinterpret_cast<double*>(pool + 17);
  weights[threadIdx.x] = 1;
  sums[threadIdx.x] = 2;  // BUG: misaligned (17 floats before them: no multiple of 8 bytes)
  y[threadIdx.x] = sums[threadIdx.x] + weights[threadIdx.x];
}

// run <<<1, 4>>> (rand(16, dtype=f16))
__global__ void half2_from_odd(half* x) {
  half2* p = reinterpret_cast<half2*>(x + 2 * threadIdx.x + 1);
  *p = make_half2(p->y, p->x);  // BUG: misaligned (a half2 starts at an even half)
}

// run <<<1, (4, 3)>>> (rand(3, 18), zeros(3, 16), 18)
__global__ void rows_of_odd_pitch(const float* x, float* y, int pitch) {
  const float2* row = reinterpret_cast<const float2*>(x + threadIdx.y * pitch);
  const float4* wide = reinterpret_cast<const float4*>(row);
  reinterpret_cast<float4*>(y)[threadIdx.y * 4 + threadIdx.x] = wide[threadIdx.x];  // BUG: misaligned (rows of 18 floats)
}

// run <<<1, 8>>> (zeros(8, dtype=i64), 1)
__global__ void long_in_shared_ints(long long* y, int header) {
  __shared__ int s[18];
  long long* p = reinterpret_cast<long long*>(s + header);
  p[threadIdx.x] = threadIdx.x;  // BUG: misaligned (one int of header is 4 past a multiple of 8)
  y[threadIdx.x] = p[threadIdx.x];
}

// run <<<1, 4>>> (ints(32, high=9), zeros(4, dtype=i32))
__global__ void int4_by_element(const int* x, int* y) {
  const int4 v = *(const int4*)&x[3 * threadIdx.x];  // BUG: misaligned (every third int)
  y[threadIdx.x] = v.x;
}

// run <<<1, 64>>> (ints(64, high=8), zeros(8, dtype=i32))
__global__ void bins_not_zeroed(const int* x, int* y) {
  __shared__ int bins[8];
  atomicAdd(&bins[x[threadIdx.x]], 1);  // BUG: uninitialized_read (nothing has set the bins to zero)
  __syncthreads();
  if (threadIdx.x < 8) y[threadIdx.x] = bins[threadIdx.x];
}

// run <<<2, 32>>> (rand(64), empty(64))
__global__ void accumulate_into_fresh(const float* x, float* y) {
  const int i = blockIdx.x * 32 + threadIdx.x;
  y[i] += x[i];  // BUG: uninitialized_read (y is fresh from cudaMalloc)
}

// run <<<1, 32>>> (rand(32), empty(1))
__global__ void atomic_into_fresh(const float* x, float* total) {
  atomicAdd(total, x[threadIdx.x]);  // BUG: uninitialized_read (the total was never set to zero)
}

// run <<<2, 32>>> (rand(64), zeros(64))
__global__ void halo_not_filled(const float* x, float* y) {
  __shared__ float s[34];
  const int i = blockIdx.x * 32 + threadIdx.x;
  s[threadIdx.x + 1] = x[i];
  if (threadIdx.x == 0) s[0] = i > 0 ? x[i - 1] : 0;
  __syncthreads();
  y[i] = s[threadIdx.x] + s[threadIdx.x + 1] + s[threadIdx.x + 2];  // BUG: uninitialized_read (s[33] is missing)
}

// run <<<2, 64>>> (rand(100), zeros(2), 100)
__global__ void tail_of_tile_unset(const float* x, float* y, int n) {
  __shared__ float s[64];
  const int i = blockIdx.x * 64 + threadIdx.x;
  if (i < n) s[threadIdx.x] = x[i];
  __syncthreads();
  for (int step = 32; step > 0; step /= 2) {
    if (threadIdx.x < step) s[threadIdx.x] += s[threadIdx.x + step];  // BUG: uninitialized_read (past n nothing is set)
    __syncthreads();
  }
  if (threadIdx.x == 0) y[blockIdx.x] = s[0];
}

// run <<<1, 32, 128>>> (zeros(32, dtype=i32))
__global__ void dynamic_never_written(int* y) {
  extern __shared__ int flags[];
  if (threadIdx.x % 2) flags[threadIdx.x] = 1;
  __syncthreads();
  y[threadIdx.x] = flags[threadIdx.x];  // BUG: uninitialized_read (only odd places are written)
}

// run <<<1, (16, 16)>>> (rand(16, 16), zeros(16))
__global__ void padding_column_read(const float* x, float* y) {
  __shared__ float tile[16][17];
  tile[threadIdx.y][threadIdx.x] = x[threadIdx.y * 16 + threadIdx.x];
  __syncthreads();
  if (threadIdx.y) return;
  float sum = 0;
  for (int k = 0; k <= 16; ++k) sum += tile[threadIdx.x][k];  // BUG: uninitialized_read (the padding is no data)
  y[threadIdx.x] = sum;
}

// run <<<3, 1>>> (zeros(3, dtype=i32))
__global__ void kept_from_last_block(int* y) {
  __shared__ int base;
  if (blockIdx.x == 0) base = 40;
  y[blockIdx.x] = base + blockIdx.x;  // BUG: uninitialized_read (shared memory does not outlive a block)
}

// run <<<1, 32>>> (empty(64, dtype=f64), zeros(32, dtype=f64))
__global__ void only_half_filled(double* scratch, double* y) {
  scratch[threadIdx.x] = 1;
  __syncthreads();
  y[threadIdx.x] = scratch[2 * threadIdx.x];  // BUG: uninitialized_read (entries from 32 on)
}

// run <<<1, 16>>> (empty(16, 2, dtype=f32).view('c8'), zeros(16))
__global__ void imaginary_part_unset(float2* z, float* y) {
  z[threadIdx.x].x = 3;
  y[threadIdx.x] = z[threadIdx.x].x * z[threadIdx.x].y;  // BUG: uninitialized_read (only .x was written)
}

// run <<<1, 32>>> (rand(32), zeros(1))
__global__ void maximum_of_unset(const float* x, float* y) {
  __shared__ int best;
  atomicMax(&best, __float_as_int(x[threadIdx.x]));  // BUG: uninitialized_read (a maximum of something from before)
  __syncthreads();
  if (threadIdx.x == 0) y[0] = __int_as_float(best);
}
