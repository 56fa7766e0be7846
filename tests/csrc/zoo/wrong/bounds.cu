// Accesses outside an array: global, shared, local and constant.

// run <<<2, 64>>> (rand(100), zeros(100), 100)
__global__ void guard_off_by_one(const float* x, float* y, int n) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i <= n) y[i] = 2 * x[i];  // BUG: out_of_bounds (the last index is n - 1)
}

// run <<<2, 64>>> (rand(100, dtype=f64))
__global__ void no_guard(double* x) {
  x[blockIdx.x * blockDim.x + threadIdx.x] *= 2;  // BUG: out_of_bounds (more threads than elements)
}

// run <<<2, 32>>> (rand(100), zeros(100), 100)
__global__ void difference_without_end(const float* x, float* y, int n) {
  for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < n; i += gridDim.x * blockDim.x)
    y[i] = x[i + 1] - x[i];  // BUG: out_of_bounds (the last element has no successor)
}

// run <<<1, 32>>> (ints(32, high=9), zeros(32, dtype=i32))
__global__ void before_the_first(const int* x, int* y) {
  const int i = threadIdx.x;
  y[i] = x[i] - x[i - 1];  // BUG: out_of_bounds (the first element has no predecessor)
}

// run <<<1, 32>>> (rand(32), zeros(32))
__global__ void unsigned_wraps(const float* x, float* y) {
  const unsigned i = threadIdx.x;
  y[i] = x[i - 1u];  // BUG: out_of_bounds (0u - 1u is four thousand million)
}

// run <<<1, 64>>> (rand(64), zeros(64))
__global__ void shared_too_small(const float* x, float* y) {
  __shared__ float s[48];
  float* p = s;
  p[threadIdx.x] = x[threadIdx.x];  // BUG: out_of_bounds (48 places for 64 threads)
  __syncthreads();
  y[threadIdx.x] = p[0];
}

// run <<<1, 128, 256>>> (rand(128))
__global__ void dynamic_shared_too_small(float* x) {
  extern __shared__ float buffer[];
  buffer[threadIdx.x] = x[threadIdx.x];  // BUG: out_of_bounds (launched with 256 bytes, which are 64 floats)
  __syncthreads();
  x[threadIdx.x] = buffer[threadIdx.x ^ 1];
}

// run <<<1, 32>>> (zeros(32))
__global__ void dynamic_shared_forgotten(float* y) {
  extern __shared__ float scratch[];
  scratch[threadIdx.x] = 1;  // BUG: out_of_bounds (launched without dynamic shared memory)
  y[threadIdx.x] = scratch[threadIdx.x];
}

// run <<<1, 32>>> (rand(32, 6), zeros(32), 6)
__global__ void local_array_too_short(const float* x, float* y, int k) {
  float top[4] = {0, 0, 0, 0};
  for (int j = 0; j < k; ++j) top[j] = x[threadIdx.x * k + j];  // BUG: out_of_bounds (room for four of the k values)
  y[threadIdx.x] = top[0] + top[1] + top[2] + top[3];
}

// run <<<1, 1>>> (zeros(4))
__global__ void constant_index_past_end(float* y) {
  __shared__ float s[4];
  for (int i = 0; i < 4; ++i) s[i] = i;
  y[0] = s[4];  // BUG: out_of_bounds (s[4] is the fifth of four)
}

// run <<<1, 32>>> (zeros(4096), 70000)
__global__ void index_overflows(float* x, int pitch) {
  const int row = 60000 + threadIdx.x;
  x[row * pitch] = 1;  // BUG: out_of_bounds (the product does not fit an int)
}

// run <<<1, 32>>> (None)
__global__ void null_pointer(float* x) {
  x[threadIdx.x] = 0;  // BUG: out_of_bounds (the pointer is null)
}

// run <<<2, 32>>> (rand(64), zeros(64))
__global__ void halo_past_the_end(const float* x, float* y) {
  __shared__ float s[34];
  const int i = blockIdx.x * 32 + threadIdx.x;
  s[threadIdx.x + 1] = x[i];
  if (threadIdx.x == 0) s[0] = i > 0 ? x[i - 1] : 0;
  if (threadIdx.x == 31) s[33] = x[i + 1];  // BUG: out_of_bounds (the last block has no right neighbour)
  __syncthreads();
  y[i] = s[threadIdx.x] + s[threadIdx.x + 2];
}

// run <<<(2, 2), (16, 16)>>> (rand(20, 20), rand(20, 20), zeros(20, 20), 20)
__global__ void matmul_without_edges(const float* a, const float* b, float* c, int n) {
  __shared__ float sa[16][16], sb[16][16];
  const int row = blockIdx.y * 16 + threadIdx.y, col = blockIdx.x * 16 + threadIdx.x;
  float sum = 0;
  for (int k = 0; k < n; k += 16) {
    sa[threadIdx.y][threadIdx.x] = a[row * n + k + threadIdx.x];    // BUG: out_of_bounds (the last tile hangs over)
    sb[threadIdx.y][threadIdx.x] = b[(k + threadIdx.y) * n + col];  // BUG: out_of_bounds (here as well)
    __syncthreads();
    for (int j = 0; j < 16; ++j) sum += sa[threadIdx.y][j] * sb[j][threadIdx.x];
    __syncthreads();
  }
  if (row < n && col < n) c[row * n + col] = sum;
}

// run <<<1, 32>>> (rand(103), zeros(103), 103)
__global__ void vector_tail(const float* x, float* y, int n) {
  const int i = 4 * threadIdx.x;
  if (i < n) {
    const float4 v = *reinterpret_cast<const float4*>(x + i);  // BUG: out_of_bounds (103 is no multiple of four)
    *reinterpret_cast<float4*>(y + i) = make_float4(v.w, v.z, v.y, v.x);
  }
}

// run <<<1, 64>>> (rand(63, dtype=f16), zeros(63, dtype=f16))
#include <cuda_fp16.h>
__global__ void half2_tail(const half* x, half* y) {
  const half2* x2 = reinterpret_cast<const half2*>(x);
  if (threadIdx.x < 32) reinterpret_cast<half2*>(y)[threadIdx.x] = x2[threadIdx.x];  // BUG: out_of_bounds (an odd count)
}

// run <<<1, 32>>> (rand(8), array([0, 3, 7, 8] * 8), zeros(32))
__global__ void gather_bad_index(const float* table, const int* index, float* y) {
  y[threadIdx.x] = __ldg(&table[index[threadIdx.x]]);  // BUG: out_of_bounds (the data names entry 8 of 8)
}

__constant__ float weights[5];
// run <<<1, 32>>> (rand(32), zeros(32), 3)
__global__ void constant_table_overrun(const float* x, float* y, int radius) {
  float sum = 0;
  for (int k = -radius; k <= radius; ++k) {
    const int i = min(31, max(0, int(threadIdx.x) + k));
    sum += weights[k + radius] * x[i];  // BUG: out_of_bounds (five weights, seven taps)
  }
  y[threadIdx.x] = sum;
}

__device__ int ring[16];
// run <<<1, 17>>> ()
__global__ void device_array_overrun() {
  ring[threadIdx.x] = threadIdx.x;  // BUG: out_of_bounds (a device array of sixteen, seventeen threads)
}

// run <<<1, (16, 12)>>> (rand(12, 16), zeros(16, 12), 16, 12)
__global__ void rows_and_columns_swapped(const float* x, float* y, int width, int height) {
  const int i = threadIdx.y, j = threadIdx.x;
  y[j * width + i] = x[i * width + j];  // BUG: out_of_bounds (the transposed matrix has rows of `height`)
}

// run <<<(2, 2, 2), (4, 4, 2)>>> (rand(4, 8, 8), 8, 8, 4)
__global__ void volume_of_wrong_depth(float* v, int nx, int ny, int nz) {
  const int x = blockIdx.x * blockDim.x + threadIdx.x, y = blockIdx.y * blockDim.y + threadIdx.y;
  const int z = blockIdx.z * blockDim.z + threadIdx.z;
  if (x < nx && y < ny && z < nz) v[(z * nx + y) * ny + x + nz] += 1;  // BUG: out_of_bounds (nz does not belong there)
}

// run <<<1, 32>>> (arange(9), rand(16), zeros(9), 9)
__global__ void csr_one_row_more(const int* starts, const float* values, float* y, int starts_count) {
  const int row = threadIdx.x;
  if (row >= starts_count) return;
  float sum = 0;
  for (int k = starts[row]; k < starts[row + 1]; ++k) sum += values[k];  // BUG: out_of_bounds (n + 1 starts are n rows)
  y[row] = sum;
}

// run <<<1, (8, 8)>>> (rand(8, 8), zeros(8, 8), 8)
__global__ void convolution_without_padding(const float* x, float* y, int n) {
  float sum = 0;
  for (int r = -1; r <= 1; ++r)
    for (int c = -1; c <= 1; ++c) sum += x[(int(threadIdx.y) + r) * n + threadIdx.x + c];  // BUG: out_of_bounds (edges)
  y[threadIdx.y * n + threadIdx.x] = sum;
}

// run <<<1, 16>>> (zeros(16, dtype=u8), 16)
__global__ void bytes_for_elements(unsigned char* flags, int n) {
  int* words = reinterpret_cast<int*>(flags);
  if (threadIdx.x < n) words[threadIdx.x] = 1;  // BUG: out_of_bounds (n counts bytes, not words)
}

struct Particle {
  float3 position, velocity;
};
// run <<<1, 32>>> (rand(31 * 6).view('V24'), 32)
__global__ void one_particle_too_many(Particle* p, int n) {
  if (threadIdx.x < n) p[threadIdx.x].velocity.y -= 9.81f;  // BUG: out_of_bounds (31 particles, n says 32)
}

// run <<<1, 64>>> (rand(64), zeros(4, 16))
__global__ void shared_tile_of_wrong_pitch(const float* x, float* y) {
  __shared__ float tile[4 * 16];
  const int row = threadIdx.x / 16, col = threadIdx.x % 16;
  float* p = tile;
  p[row * 17 + col] = x[threadIdx.x];  // BUG: out_of_bounds (indexed with a padding that was not allocated)
  __syncthreads();
  y[threadIdx.x] = p[row * 17 + col];
}

// run fill<double> <<<1, 64>>> (zeros(32, dtype=f64), 64)
template <typename T>
__global__ void fill(T* x, int n) {
  for (int i = threadIdx.x; i < n; i += blockDim.x) x[i] = T(1);  // BUG: out_of_bounds (n is twice the count)
}

// run <<<1, 32>>> (zeros(32, dtype=i32))
__global__ void histogram_bin_too_high(int* y) {
  __shared__ int bins[8];
  if (threadIdx.x < 8) bins[threadIdx.x] = 0;
  __syncthreads();
  atomicAdd(&bins[threadIdx.x / 2], 1);  // BUG: out_of_bounds (values up to 15 in eight bins)
  __syncthreads();
  y[threadIdx.x] = bins[threadIdx.x % 8];
}
