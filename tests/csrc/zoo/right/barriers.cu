// Barriers in branches, loops and functions, and shared memory without them, all of it correct.

// run <<<4, 64>>> (rand(256), zeros(256))
// gives y = x.reshape(4, 64)[:, ::-1].ravel() * array([1, 0, 1, 0]).repeat(64)
__global__ void barrier_in_uniform_branch(const float* x, float* y) {
  __shared__ float s[64];
  if (blockIdx.x % 2 == 0) {
    s[threadIdx.x] = x[blockIdx.x * 64 + threadIdx.x];
    __syncthreads();
    y[blockIdx.x * 64 + threadIdx.x] = s[63 - threadIdx.x];
  }
}

// run <<<5, 32>>> (rand(96), zeros(96), 3)
// gives y = roll(x.reshape(3, 32), -1, axis=1).ravel()
__global__ void whole_block_returns(const float* x, float* y, int blocks) {
  __shared__ float s[32];
  if (blockIdx.x >= blocks) return;
  s[threadIdx.x] = x[blockIdx.x * 32 + threadIdx.x];
  __syncthreads();
  y[blockIdx.x * 32 + threadIdx.x] = s[(threadIdx.x + 1) % 32];
}

// run <<<1, 64>>> (rand(100), zeros(1), 100)
// gives y = x.sum(keepdims=True)
__global__ void guard_inside_even_loop(const float* x, float* y, int n) {
  __shared__ float s[64];
  float total = 0;
  for (int first = 0; first < n; first += 64) {
    s[threadIdx.x] = first + threadIdx.x < n ? x[first + threadIdx.x] : 0;
    __syncthreads();
    if (threadIdx.x == 0)
      for (int k = 0; k < 64; ++k) total += s[k];
    __syncthreads();
  }
  if (threadIdx.x == 0) *y = total;
}

// run <<<1, 64>>> (ints(64, high=40), zeros(1, dtype=i32))
// gives y = array([(x == 7).any()])
__global__ void all_write_the_same(const int* x, int* y) {
  __shared__ int found;
  found = 0;
  __syncthreads();
  if (x[threadIdx.x] == 7) found = 1;
  __syncthreads();
  if (threadIdx.x == 0) *y = found;
}

// run <<<2, 64>>> (rand(100), zeros(100), 100)
// gives y = where(arange(100) % 64 == 0, 0, append(0, x[:-1]))
__global__ void guarded_on_both_sides(const float* x, float* y, int n) {
  __shared__ float s[64];
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) s[threadIdx.x] = x[i];
  __syncthreads();
  if (i < n) y[i] = threadIdx.x > 0 ? s[threadIdx.x - 1] : 0;
}

// run <<<1, 64>>> (ints(64, high=1000))
// gives x = sort(x)
__global__ void odd_even_sort(int* x) {
  __shared__ int s[64];
  s[threadIdx.x] = x[threadIdx.x];
  __syncthreads();
  bool again = true;
  while (again) {
    int swapped = 0;
    for (int odd = 0; odd < 2; ++odd) {
      const int i = threadIdx.x;
      if (i % 2 == odd && i + 1 < 64 && s[i] > s[i + 1]) {
        const int t = s[i];
        s[i] = s[i + 1];
        s[i + 1] = t;
        swapped = 1;
      }
      __syncthreads();
    }
    again = __syncthreads_or(swapped);
  }
  x[threadIdx.x] = s[threadIdx.x];
}

// run <<<1, 48>>> (rand(48, 5), zeros(48))
// gives y = x.max(axis=1)
__global__ void private_slots(const float* x, float* y) {
  __shared__ float best[48];
  best[threadIdx.x] = x[threadIdx.x * 5];
  for (int k = 1; k < 5; ++k) best[threadIdx.x] = fmaxf(best[threadIdx.x], x[threadIdx.x * 5 + k]);
  y[threadIdx.x] = best[threadIdx.x];
}

// run <<<1, 64>>> (rand(64, dtype=f64), 3)
// gives x = (x + 3 * roll(x, 1) + 3 * roll(x, 2) + roll(x, 3)) / 8
__global__ void ping_pong(double* x, int rounds) {
  __shared__ double s[2][64];
  int now = 0;
  s[0][threadIdx.x] = x[threadIdx.x];
  for (int k = 0; k < rounds; ++k) {
    __syncthreads();
    s[now ^ 1][threadIdx.x] = 0.5 * (s[now][threadIdx.x] + s[now][(threadIdx.x + 63) % 64]);
    now ^= 1;
  }
  x[threadIdx.x] = s[now][threadIdx.x];
}

// run <<<2, 32>>> (rand(64), zeros(64))
// gives y = concatenate([x[31::-1], roll(x[32:], -1)])
__global__ void two_lines_of_barriers(const float* x, float* y) {
  __shared__ float s[32];
  const int i = blockIdx.x * 32 + threadIdx.x;
  if (blockIdx.x & 1) {
    s[threadIdx.x] = x[i];
    __syncthreads();
    y[i] = s[(threadIdx.x + 1) & 31];
  } else {
    s[31 - threadIdx.x] = x[i];
    __syncthreads();
    y[i] = s[threadIdx.x];
  }
}

// run <<<2, 128>>> (rand(256), zeros(2))
// gives y = x.reshape(2, 128).sum(axis=1)
__global__ void tree(const float* x, float* y) {
  __shared__ float s[128];
  s[threadIdx.x] = x[blockIdx.x * 128 + threadIdx.x];
  for (int step = 64; step > 0; step >>= 1) {
    __syncthreads();
    if (threadIdx.x < step) s[threadIdx.x] += s[threadIdx.x + step];
  }
  if (threadIdx.x == 0) y[blockIdx.x] = s[0];
}

// run <<<1, 64>>> (rand(128), zeros(64))
// gives y = x[:64] + x[64:]
__global__ void warps_finish_at_their_own_time(const float* x, float* y) {
  __shared__ float s[128];
  for (int i = threadIdx.x; i < 128; i += 64) s[i] = x[i];
  __syncthreads();
  y[threadIdx.x] = s[threadIdx.x] + s[threadIdx.x + 64];
  if (threadIdx.x < 32) return;
  y[threadIdx.x] += 0;
}

// run <<<1, 32>>> (array([5, 9, 2, 0, 7, 7, 1, 3] * 4), zeros(1, dtype=i32))
// gives y = array([4])
__global__ void uniform_break(const int* x, int* y) {
  __shared__ bool done;
  int rounds = 0;
  for (int k = 0; k < 8; ++k) {
    if (threadIdx.x == 0) done = x[k] == 0;
    __syncthreads();
    ++rounds;
    if (done) break;
    __syncthreads();
  }
  if (threadIdx.x == 0) *y = rounds;
}

// run <<<(2, 2), (16, 16)>>> (rand(30, 20), zeros(20, 30), 30, 20)
// gives y = x.T
__global__ void transpose_with_edges(const float* x, float* y, int rows, int cols) {
  __shared__ float tile[16][17];
  int r = blockIdx.y * 16 + threadIdx.y, c = blockIdx.x * 16 + threadIdx.x;
  if (r < rows && c < cols) tile[threadIdx.y][threadIdx.x] = x[r * cols + c];
  __syncthreads();
  r = blockIdx.x * 16 + threadIdx.y;
  c = blockIdx.y * 16 + threadIdx.x;
  if (r < cols && c < rows) y[r * rows + c] = tile[threadIdx.x][threadIdx.y];
}

// run <<<1, (8, 4, 4)>>> (rand(4, 4, 8), zeros(4, 8))
// gives y = x.sum(axis=0)
template <int Depth>
__device__ float sum_layers(float (*s)[4][8], float v) {
  s[threadIdx.z][threadIdx.y][threadIdx.x] = v;
  __syncthreads();
  float sum = 0;
#pragma unroll
  for (int k = 0; k < Depth; ++k) sum += s[k][threadIdx.y][threadIdx.x];
  return sum;
}
__global__ void barrier_in_function_of_all(const float* x, float* y) {
  __shared__ float s[4][4][8];
  const float sum = sum_layers<4>(s, x[(threadIdx.z * 4 + threadIdx.y) * 8 + threadIdx.x]);
  if (threadIdx.z == 0) y[threadIdx.y * 8 + threadIdx.x] = sum;
}

// run <<<3, 32>>> (zeros(96, dtype=i16))
// gives y = concatenate([arange(32), 31 - arange(32), full(32, 9)])
__global__ void switch_by_block(short* y) {
  __shared__ short s[32];
  s[threadIdx.x] = threadIdx.x;
  short v = 9;
  switch (blockIdx.x) {
    case 0:
      v = s[threadIdx.x];
      break;
    case 1:
      __syncthreads();
      v = s[31 - threadIdx.x];
      break;
  }
  y[blockIdx.x * 32 + threadIdx.x] = v;
}

// run <<<1, 64>>> (rand(96), zeros(64), 3)
// gives y = tile(x.reshape(3, 32).sum(axis=1).sum(), 64)
__global__ void tile_used_again(const float* x, float* y, int tiles) {
  __shared__ float s[32];
  float sum = 0;
  for (int t = 0; t < tiles; ++t) {
    if (threadIdx.x < 32) s[threadIdx.x] = x[t * 32 + threadIdx.x];
    __syncthreads();
    for (int k = 0; k < 32; ++k) sum += s[k];
    __syncthreads();
  }
  y[threadIdx.x] = sum;
}

// run <<<1, 64>>> (ints(64, high=50), zeros(64, dtype=i32))
// gives y = cumsum(x)
__global__ void scan_with_both_barriers(const int* x, int* y) {
  __shared__ int s[64];
  s[threadIdx.x] = x[threadIdx.x];
  for (int step = 1; step < 64; step *= 2) {
    __syncthreads();
    const int before = threadIdx.x >= step ? s[threadIdx.x - step] : 0;
    __syncthreads();
    s[threadIdx.x] += before;
  }
  y[threadIdx.x] = s[threadIdx.x];
}

// run <<<(2, 2), (16, 16)>>> (rand(20, 28), rand(28, 20), zeros(20, 20), 20, 28)
// gives c = a @ b
__global__ void matmul_tiles(const float* a, const float* b, float* c, int n, int inner) {
  __shared__ float sa[16][16], sb[16][16];
  const int row = blockIdx.y * 16 + threadIdx.y, col = blockIdx.x * 16 + threadIdx.x;
  float sum = 0;
  for (int k = 0; k < inner; k += 16) {
    sa[threadIdx.y][threadIdx.x] = row < n && k + threadIdx.x < inner ? a[row * inner + k + threadIdx.x] : 0;
    sb[threadIdx.y][threadIdx.x] = k + threadIdx.y < inner && col < n ? b[(k + threadIdx.y) * n + col] : 0;
    __syncthreads();
    for (int j = 0; j < 16; ++j) sum += sa[threadIdx.y][j] * sb[j][threadIdx.x];
    __syncthreads();
  }
  if (row < n && col < n) c[row * n + col] = sum;
}
