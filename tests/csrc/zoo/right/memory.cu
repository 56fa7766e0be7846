// Vector accesses, parts of a pool, and arrays that are written before they are read.
#include <cuda_fp16.h>

// run <<<1, 8>>> (rand(40), zeros(8))
// gives y = x[4:36].reshape(8, 4).sum(axis=1)
__global__ void float4_from_multiple_of_four(const float* x, float* y) {
  const float4 v = *reinterpret_cast<const float4*>(x + 4 + 4 * threadIdx.x);
  y[threadIdx.x] = v.x + v.y + v.z + v.w;
}

// run <<<1, 8>>> (ints(48, high=200, dtype=u8), zeros(8, dtype=i32))
// gives y = packet[:40].reshape(8, 5)[:, :2].astype(i32) @ array([1, 256])
__global__ void fields_by_bytes(const unsigned char* packet, int* y) {
  const unsigned char* field = packet + 5 * threadIdx.x;
  y[threadIdx.x] = field[0] | field[1] << 8;
}

// run <<<1, 8>>> (ints(48, high=200, dtype=u8), zeros(8, dtype=i32))
// gives y = packet[1:41].reshape(8, 5)[:, :4].copy().view(i32)[:, 0]
__global__ void fields_by_memcpy(const unsigned char* packet, int* y) {
  int v;
  memcpy(&v, packet + 5 * threadIdx.x + 1, sizeof v);
  y[threadIdx.x] = v;
}

// run <<<1, 16, 256>>> (zeros(16, dtype=f64))
// gives y = full(16, 3.0)
__global__ void doubles_before_floats(double* y) {
  extern __shared__ double pool[];
  float* weights = reinterpret_cast<float*>(pool + 16);
  pool[threadIdx.x] = 2;
  weights[threadIdx.x] = 1;
  y[threadIdx.x] = pool[threadIdx.x] + weights[threadIdx.x];
}

// run <<<1, (4, 3)>>> (rand(3, 20), zeros(3, 16), 20)
// gives y = x[:, :16]
__global__ void rows_of_pitch_twenty(const float* x, float* y, int pitch) {
  const float4* row = reinterpret_cast<const float4*>(x + threadIdx.y * pitch);
  reinterpret_cast<float4*>(y)[threadIdx.y * 4 + threadIdx.x] = row[threadIdx.x];
}

// run <<<1, 64>>> (ints(64, high=8), empty(8, dtype=i32))
// gives y = bincount(x, minlength=8)
__global__ void bins_zeroed_by_a_loop(const int* x, int* y) {
  __shared__ int bins[8];
  for (int i = threadIdx.x; i < 8; i += blockDim.x) bins[i] = 0;
  __syncthreads();
  atomicAdd(&bins[x[threadIdx.x]], 1);
  __syncthreads();
  if (threadIdx.x < 8) y[threadIdx.x] = bins[threadIdx.x];
}

// run <<<2, 32>>> (rand(64), empty(64))
// gives y = 3 * x
__global__ void fresh_but_written_first(const float* x, float* y) {
  const int i = blockIdx.x * 32 + threadIdx.x;
  y[i] = x[i];
  y[i] += 2 * x[i];
}

// run <<<1, (16, 16)>>> (rand(16, 16), zeros(16))
// gives y = x.sum(axis=0)
__global__ void padding_column_left_alone(const float* x, float* y) {
  __shared__ float tile[16][17];
  tile[threadIdx.x][threadIdx.y] = x[threadIdx.y * 16 + threadIdx.x];
  __syncthreads();
  if (threadIdx.y) return;
  float sum = 0;
  for (int k = 0; k < 16; ++k) sum += tile[threadIdx.x][k];
  y[threadIdx.x] = sum;
}

// run <<<2, 64>>> (rand(100), zeros(2), 100)
// gives y = array([x[:64].sum(), x[64:].sum()], f32)
__global__ void tail_filled_with_zeros(const float* x, float* y, int n) {
  __shared__ float s[64];
  const int i = blockIdx.x * 64 + threadIdx.x;
  s[threadIdx.x] = i < n ? x[i] : 0.0f;
  __syncthreads();
  for (int step = 32; step > 0; step /= 2) {
    if (threadIdx.x < step) s[threadIdx.x] += s[threadIdx.x + step];
    __syncthreads();
  }
  if (threadIdx.x == 0) y[blockIdx.x] = s[0];
}

// run <<<1, 32, 128>>> (zeros(32, dtype=i32))
// gives y = arange(32) % 2
__global__ void unwritten_places_unread(int* y) {
  extern __shared__ int flags[];
  if (threadIdx.x % 2) flags[threadIdx.x] = 1;
  __syncthreads();
  y[threadIdx.x] = threadIdx.x % 2 ? flags[threadIdx.x] : 0;
}

// run <<<3, 1>>> (zeros(3, dtype=i32))
// gives y = 40 + arange(3)
__global__ void set_by_every_block(int* y) {
  __shared__ int base;
  base = 40;
  y[blockIdx.x] = base + blockIdx.x;
}

// run <<<1, 16>>> (empty(16, 2).view('c8'), zeros(16))
// gives y = full(16, 13)
__global__ void both_parts_set(float2* z, float* y) {
  z[threadIdx.x].x = 3;
  z[threadIdx.x].y = 2;
  const float2 v = z[threadIdx.x];
  y[threadIdx.x] = v.x * v.x + v.y * v.y;
}

// run <<<1, 32>>> (empty(32, dtype=u8), zeros(8, dtype=u32))
// gives words = full(8, 0x03020100)
__global__ void word_of_four_written_bytes(unsigned char* bytes, unsigned* words) {
  bytes[threadIdx.x] = (unsigned char)(threadIdx.x % 4);
  __syncwarp();
  if (threadIdx.x < 8) words[threadIdx.x] = reinterpret_cast<unsigned*>(bytes)[threadIdx.x];
}

union Pun {
  float f;
  unsigned bits;
};
// run <<<1, 32>>> (rand(32), zeros(32, dtype=u32))
// gives y = x.view(u32) >> 23
__global__ void union_in_shared(const float* x, unsigned* y) {
  __shared__ Pun s[32];
  s[threadIdx.x].f = x[threadIdx.x];
  y[threadIdx.x] = s[threadIdx.x].bits >> 23;
}

// run <<<1, 4>>> (rand(16, dtype=f16), zeros(16, dtype=f16))
// gives y = x.reshape(4, 2, 2)[:, :, ::-1].reshape(16)
__global__ void half2_swapped(const half* x, half* y) {
  for (int k = 0; k < 2; ++k) {
    const half2 v = reinterpret_cast<const half2*>(x)[2 * threadIdx.x + k];
    reinterpret_cast<half2*>(y)[2 * threadIdx.x + k] = __lowhigh2highlow(v);
  }
}
