// Indices that look as if they left their arrays, and do not.
#include <cuda_fp16.h>

// run <<<2, 64>>> (rand(100), zeros(100), 100)
// gives y = 2 * x
__global__ void guarded(const float* x, float* y, int n) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) y[i] = 2 * x[i];
}

// run <<<2, 64>>> (rand(100), zeros(100), 99)
// gives y = 2 * x
__global__ void inclusive_guard(const float* x, float* y, int last) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i <= last) y[i] = 2 * x[i];
}

// run <<<1, 128>>> (ints(100, high=9), zeros(100, dtype=i32), 100)
// gives y = diff(x, prepend=0)
__global__ void predecessor_not_evaluated(const int* x, int* y, int n) {
  const int i = threadIdx.x;
  if (i < n) y[i] = x[i] - (i > 0 ? x[i - 1] : 0);
}

// run <<<1, 64>>> (rand(64))
// gives x = x[::-1]
__global__ void countdown_index(float* x) {
  __shared__ float s[64];
  s[63 - threadIdx.x] = x[threadIdx.x];
  __syncthreads();
  x[threadIdx.x] = s[threadIdx.x];
}

// run <<<1, 32>>> (rand(96), zeros(32))
// gives y = x[:32] + x[64:]
__global__ void negative_offset_from_the_middle(const float* x, float* y) {
  const float* middle = x + 64;
  y[threadIdx.x] = middle[int(threadIdx.x) - 64] + middle[threadIdx.x];
}

// run <<<1, 32>>> (rand(32), zeros(32))
// gives y = where(arange(32) == 0, 0, roll(x, 1))
__global__ void unsigned_wraps_but_is_tested(const float* x, float* y) {
  const unsigned before = threadIdx.x - 1u;
  y[threadIdx.x] = before < 32u ? x[before] : 0;
}

// run <<<1, 32>>> (zeros(32))
// gives y = arange(32)
__global__ void flat_walk_through_rows(float* y) {
  __shared__ float s[4][8];
  s[0][threadIdx.x] = threadIdx.x;
  __syncthreads();
  y[threadIdx.x] = s[threadIdx.x / 8][threadIdx.x % 8];
}

// run <<<1, 128, 1024>>> (rand(128), zeros(128))
// gives y = x + x[::-1]
__global__ void dynamic_shared_in_two_parts(const float* x, float* y) {
  extern __shared__ float pool[];
  float* first = pool;
  float* second = pool + blockDim.x;
  first[threadIdx.x] = x[threadIdx.x];
  second[127 - threadIdx.x] = x[threadIdx.x];
  __syncthreads();
  y[threadIdx.x] = first[threadIdx.x] + second[threadIdx.x];
}

// run <<<1, 32>>> (rand(32, 6), zeros(32), 6)
// gives y = sort(x, axis=1)[:, -4:].sum(axis=1)
__global__ void four_largest(const float* x, float* y, int k) {
  float top[4] = {-1, -1, -1, -1};
  for (int j = 0; j < k; ++j) {
    float v = x[threadIdx.x * k + j];
    for (int at = 0; at < 4; ++at)
      if (v > top[at]) {
        const float t = top[at];
        top[at] = v;
        v = t;
      }
  }
  y[threadIdx.x] = top[0] + top[1] + top[2] + top[3];
}

// run <<<1, 32>>> (zeros(64), 60000)
// gives x = where(arange(64) % 2 == 0, 1, 0)
__global__ void large_product_in_64_bits(float* x, int pitch) {
  const long long row = 60000ll + threadIdx.x;
  x[row * pitch - 60000ll * pitch - threadIdx.x * (pitch - 2ll)] = 1;
}

// run <<<1, 32>>> (None, zeros(32))
// gives y = ones(32)
__global__ void null_is_tested(const float* bias, float* y) {
  y[threadIdx.x] = 1 + (bias ? bias[threadIdx.x] : 0);
}

// run <<<2, 32>>> (rand(64), zeros(64), 64)
// gives y = append(x[1:], 0) + append(0, x[:-1])
__global__ void halo_with_ends(const float* x, float* y, int n) {
  __shared__ float s[34];
  const int i = blockIdx.x * 32 + threadIdx.x, t = threadIdx.x + 1;
  s[t] = x[i];
  if (threadIdx.x == 0) s[0] = i > 0 ? x[i - 1] : 0;
  if (threadIdx.x == 31) s[33] = i + 1 < n ? x[i + 1] : 0;
  __syncthreads();
  y[i] = s[t - 1] + s[t + 1];
}

// run <<<1, 32>>> (rand(103), zeros(103), 103)
// gives y = 2 * x
__global__ void vectors_and_a_tail(const float* x, float* y, int n) {
  for (int i = threadIdx.x; i < n / 4; i += blockDim.x) {
    const float4 v = reinterpret_cast<const float4*>(x)[i];
    reinterpret_cast<float4*>(y)[i] = make_float4(2 * v.x, 2 * v.y, 2 * v.z, 2 * v.w);
  }
  for (int i = n / 4 * 4 + threadIdx.x; i < n; i += blockDim.x) y[i] = 2 * x[i];
}

// run <<<1, 32>>> (rand(63, dtype=f16), zeros(63, dtype=f16), 63)
// gives y = x + x
__global__ void half2_and_one_half(const half* x, half* y, int n) {
  const int i = threadIdx.x;
  if (2 * i + 1 < n) {
    const half2 v = reinterpret_cast<const half2*>(x)[i];
    reinterpret_cast<half2*>(y)[i] = __hadd2(v, v);
  } else if (2 * i < n) {
    y[2 * i] = __hadd(x[2 * i], x[2 * i]);
  }
}

// run <<<1, 32>>> (rand(8), array([0, 3, 7, -1] * 8), zeros(32))
// gives y = where(index < 0, 0, table[index])
__global__ void gather_with_sentinel(const float* __restrict__ table, const int* __restrict__ index, float* y) {
  const int at = __ldg(index + threadIdx.x);
  y[threadIdx.x] = at < 0 ? 0.0f : __ldg(table + at);
}

__constant__ float weights[5] = {0.1f, 0.2f, 0.4f, 0.2f, 0.1f};
// run <<<1, 32>>> (rand(32), zeros(32))
// gives y = convolve(pad(x, 2, mode='edge'), array([0.1, 0.2, 0.4, 0.2, 0.1], f32), mode='valid')
__global__ void filter_clamped_at_edges(const float* x, float* y) {
  float sum = 0;
  for (int k = -2; k <= 2; ++k) sum += weights[k + 2] * x[min(31, max(0, int(threadIdx.x) + k))];
  y[threadIdx.x] = sum;
}

// run <<<1, (16, 12)>>> (rand(12, 16), zeros(16, 12), 16, 12)
// gives y = x.T
__global__ void rows_become_columns(const float* x, float* y, int width, int height) {
  y[threadIdx.x * height + threadIdx.y] = x[threadIdx.y * width + threadIdx.x];
}

// run <<<(2, 2, 2), (4, 4, 2)>>> (rand(3, 7, 5), 5, 7, 3)
// gives v = v + 1
__global__ void volume_with_odd_extents(float* v, int nx, int ny, int nz) {
  const int x = blockIdx.x * blockDim.x + threadIdx.x, y = blockIdx.y * blockDim.y + threadIdx.y;
  const int z = blockIdx.z * blockDim.z + threadIdx.z;
  if (x < nx && y < ny && z < nz) v[(z * ny + y) * nx + x] += 1;
}

// run <<<1, 32>>> (array([0, 2, 2, 5, 9]), rand(9), zeros(4), 4)
// gives y = array([values[starts[k]:starts[k + 1]].sum() for k in range(4)], f32)
__global__ void csr_rows(const int* starts, const float* values, float* y, int rows) {
  if (threadIdx.x >= rows) return;
  float sum = 0;
  for (int k = starts[threadIdx.x]; k < starts[threadIdx.x + 1]; ++k) sum += values[k];
  y[threadIdx.x] = sum;
}

// run <<<1, (8, 8)>>> (rand(8, 8), zeros(8, 8), 8)
// gives y = sum([pad(x, 1)[r : r + 8, c : c + 8] for r in range(3) for c in range(3)], axis=0)
__global__ void convolution_with_padding(const float* x, float* y, int n) {
  const int row = threadIdx.y, col = threadIdx.x;
  float sum = 0;
  for (int r = row - 1; r <= row + 1; ++r)
    for (int c = col - 1; c <= col + 1; ++c)
      if (unsigned(r) < unsigned(n) && unsigned(c) < unsigned(n)) sum += x[r * n + c];
  y[row * n + col] = sum;
}

struct Particle {
  float3 position, velocity;
};
// run <<<1, 64>>> (rand(31 * 6).view('V24'), rand(31), 31)
// gives speed = p.view(f32).reshape(31, 6)[:, 4] - 9.81
__global__ void particles(Particle* p, float* speed, int n) {
  const int i = threadIdx.x;
  if (i >= n) return;
  p[i].velocity.y -= 9.81f;
  speed[i] = p[i].velocity.y;
}

// run fill<double, 3> <<<2, 32>>> (zeros(70, dtype=f64), 70)
// gives x = full(70, 3.0)
template <typename T, int Value>
__global__ void fill(T* x, int n) {
  for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < n; i += gridDim.x * blockDim.x) x[i] = T(Value);
}

// run <<<1, 1>>> (rand(4), zeros(0), zeros(1))
// gives out = x.sum(keepdims=True)
__global__ void empty_array(const float* x, const float* nothing, float* out) {
  const float* end = x + 4;
  float sum = 0;
  for (const float* p = x; p != end; ++p) sum += *p;
  for (int i = 0; i < 0; ++i) sum += nothing[i];
  *out = sum;
}

// run <<<2, 32>>> (rand(64), zeros(64), zeros(64, dtype=i32))
// gives largest = x.reshape(2, 32).max(axis=1).repeat(32)
// gives place = x.reshape(2, 32).argmax(axis=1).repeat(32)
template <typename A, typename B>
struct Pair {
  A value;
  B place;
};
__global__ void largest_and_its_place(const float* x, float* largest, int* place) {
  __shared__ Pair<float, int> half[2], best;  // a comma that parts no variables, and one that does
  const int i = blockIdx.x * 32 + threadIdx.x;
  if (threadIdx.x % 16 == 0) {
    Pair<float, int> found{x[i], int(threadIdx.x)};
    for (int k = 1; k < 16; ++k)
      if (x[i + k] > found.value) found = {x[i + k], int(threadIdx.x) + k};
    half[threadIdx.x / 16] = found;
  }
  __syncthreads();
  if (threadIdx.x == 0) best = half[half[1].value > half[0].value];
  __syncthreads();
  largest[i] = best.value;
  place[i] = best.place;
}
