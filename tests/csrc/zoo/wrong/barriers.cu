// Threads of a block that do not wait for each other, or wait where not all of them come.

// run <<<1, 64>>> (rand(64))
__global__ void reverse_in_place(float* x) {
  __shared__ float s[64];
  s[threadIdx.x] = x[threadIdx.x];
  x[threadIdx.x] = s[63 - threadIdx.x];  // BUG: race (no barrier between filling the tile and reading it)
}

// run <<<1, 64>>> (rand(64), zeros(64))
__global__ void barrier_for_some(const float* x, float* y) {
  __shared__ float s[64];
  s[threadIdx.x] = x[threadIdx.x];
  if (threadIdx.x < 40) __syncthreads();  // BUG: divergent_barrier (threads 40 to 63 pass by the barrier)
  y[threadIdx.x] = s[threadIdx.x];
}

// run <<<1, 64>>> (rand(64), zeros(64))
__global__ void barrier_in_each_branch(const float* x, float* y) {
  __shared__ float s[64];
  if (threadIdx.x % 2) {
    s[threadIdx.x] = x[threadIdx.x];
    __syncthreads();
  } else {
    s[threadIdx.x] = -x[threadIdx.x];
    __syncthreads();  // BUG: divergent_barrier (odd threads wait at the barrier of the other branch)
  }
  y[threadIdx.x] = s[threadIdx.x];
}

// run <<<2, 64>>> (rand(100), zeros(100), 100)
__global__ void return_before_barrier(const float* x, float* y, int n) {
  __shared__ float s[64];
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= n) return;
  s[threadIdx.x] = x[i];
  __syncthreads();  // BUG: divergent_barrier (threads past n have returned)
  y[i] = s[threadIdx.x ^ 1];
}

// run <<<1, 64>>> (rand(100), zeros(1), 100)
__global__ void barrier_in_uneven_loop(const float* x, float* y, int n) {
  __shared__ float s;
  for (int i = threadIdx.x; i < n; i += blockDim.x) {
    if (i % 64 == 0) s = x[i];
    __syncthreads();  // BUG: divergent_barrier (36 threads go round twice, the others once)
  }
  if (threadIdx.x == 0) y[0] = s;
}

// run <<<1, 32>>> (zeros(32, dtype=i32), array([1, 2, 3, 1] * 8))
__global__ void loop_of_own_length(int* y, const int* lengths) {
  __shared__ int turns[32];
  turns[threadIdx.x] = 0;
  for (int k = 0; k < lengths[threadIdx.x]; ++k) {
    turns[threadIdx.x] += 1;
    __syncthreads();
  }
  __syncthreads();  // BUG: divergent_barrier (threads with short loops wait here while others are in the loop)
  y[threadIdx.x] = turns[threadIdx.x];
}

// run <<<1, 32>>> (rand(96), zeros(32), 3)
__global__ void tile_overwritten(const float* x, float* y, int tiles) {
  __shared__ float s[32];
  float sum = 0;
  for (int t = 0; t < tiles; ++t) {
    s[threadIdx.x] = x[t * 32 + threadIdx.x];  // BUG: race (the tile is filled again while others still read it)
    __syncthreads();
    for (int k = 0; k < 32; ++k) sum += s[k];
  }
  y[threadIdx.x] = sum;
}

// run <<<1, 128>>> (rand(128), zeros(1))
__global__ void tree_with_barrier_inside(const float* x, float* y) {
  __shared__ float s[128];
  s[threadIdx.x] = x[threadIdx.x];
  __syncthreads();
  for (int step = 64; step > 0; step >>= 1) {
    if (threadIdx.x < step) {
      s[threadIdx.x] += s[threadIdx.x + step];
      __syncthreads();  // BUG: divergent_barrier (only the lower half of the tree comes to the barrier)
    }
  }
  if (threadIdx.x == 0) y[0] = s[0];
}

// run <<<2, 128>>> (rand(256), zeros(2))
__global__ void tree_without_barrier(const float* x, float* y) {
  __shared__ float s[128];
  s[threadIdx.x] = x[blockIdx.x * 128 + threadIdx.x];
  __syncthreads();
  for (int step = 64; step > 0; step >>= 1)
    if (threadIdx.x < step) s[threadIdx.x] += s[threadIdx.x + step];  // BUG: race (no barrier between the steps)
  if (threadIdx.x == 0) y[blockIdx.x] = s[0];
}

// run <<<1, 64>>> (rand(64), zeros(64))
__global__ void fence_is_no_barrier(const float* x, float* y) {
  __shared__ float s[64];
  s[threadIdx.x] = x[threadIdx.x];
  __threadfence_block();
  y[threadIdx.x] = s[(threadIdx.x + 33) % 64];  // BUG: race (a fence orders one's own accesses, it waits for nobody)
}

// run <<<1, 64>>> (rand(64, dtype=f64), zeros(64, dtype=f64))
__global__ void normalise_too_early(const double* x, double* y) {
  __shared__ double total;
  if (threadIdx.x == 0) {
    double sum = 0;
    for (int i = 0; i < 64; ++i) sum += x[i];
    total = sum;
  }
  y[threadIdx.x] = x[threadIdx.x] / total;  // BUG: race (the others do not wait for thread 0)
}

// run <<<1, 64>>> (ints(64, high=2), zeros(1, dtype=i32))
__global__ void count_in_branch(const int* x, int* y) {
  int n = 0;
  if (x[threadIdx.x]) n = __syncthreads_count(x[threadIdx.x] > 0);  // BUG: divergent_barrier (a vote of some)
  if (n && threadIdx.x == 0) y[0] = n;
}

// run <<<1, 64>>> (zeros(64, dtype=i32))
template <typename T>
__device__ T neighbour(T* s, T v) {
  s[threadIdx.x] = v;
  __syncthreads();  // BUG: divergent_barrier (called below by half of the threads)
  return s[threadIdx.x ^ 1];
}
__global__ void barrier_in_called_function(int* y) {
  __shared__ int s[64];
  y[threadIdx.x] = threadIdx.x < 32 ? neighbour(s, int(threadIdx.x)) : 0;
}

// run <<<1, 96>>> (zeros(96, dtype=i16))
__global__ void barrier_in_one_case(short* y) {
  __shared__ short s[96];
  s[threadIdx.x] = short(threadIdx.x);
  switch (threadIdx.x / 32) {
    case 0:
      break;
    case 1:
      __syncthreads();  // BUG: divergent_barrier (the warps of the other cases never come)
      break;
    default:
      s[threadIdx.x] = 7;
  }
  y[threadIdx.x] = s[threadIdx.x];
}

// run <<<(2, 2), (16, 16)>>> (rand(32, 32), zeros(32, 32), 32)
__global__ void transpose_without_barrier(const float* x, float* y, int n) {
  __shared__ float tile[16][17];
  const int tx = threadIdx.x, ty = threadIdx.y;
  tile[ty][tx] = x[(blockIdx.y * 16 + ty) * n + blockIdx.x * 16 + tx];
  y[(blockIdx.x * 16 + ty) * n + blockIdx.y * 16 + tx] = tile[tx][ty];  // BUG: race (columns are read unfinished)
}

// run <<<1, (8, 4, 4)>>> (rand(4, 4, 8), zeros(4, 8))
__global__ void sum_over_z(const float* x, float* y) {
  __shared__ float s[4][4][8];
  const int i = threadIdx.x, j = threadIdx.y, k = threadIdx.z;
  s[k][j][i] = x[(k * 4 + j) * 8 + i];
  if (k == 0) y[j * 8 + i] = s[0][j][i] + s[1][j][i] + s[2][j][i] + s[3][j][i];  // BUG: race (other layers not awaited)
}

// run <<<1, 64>>> (rand(64), 3)
__global__ void stale_double_buffer(float* x, int rounds) {
  __shared__ float s[2][64];
  int now = 0;
  s[0][threadIdx.x] = x[threadIdx.x];
  s[1][threadIdx.x] = 0;
  __syncthreads();
  for (int k = 0; k < rounds; ++k) {
    s[now][threadIdx.x] = 0.5f * s[now][threadIdx.x ^ 32];  // BUG: race (writes the buffer being read, not the other)
    now ^= 1;
    __syncthreads();
  }
  x[threadIdx.x] = s[now][threadIdx.x];
}

// run <<<3, 64>>> (ints(192, high=2), zeros(3, dtype=i32))
__global__ void counter_reset_late(const int* x, int* y) {
  __shared__ int count;
  if (threadIdx.x == 0) count = 0;  // BUG: race (others may add before the counter is reset)
  if (x[blockIdx.x * 64 + threadIdx.x]) atomicAdd(&count, 1);
  __syncthreads();
  if (threadIdx.x == 0) y[blockIdx.x] = count;
}

// run <<<1, 64>>> (ints(64, high=50), zeros(64, dtype=i32))
__global__ void scan_in_place(const int* x, int* y) {
  __shared__ int s[64];
  s[threadIdx.x] = x[threadIdx.x];
  for (int step = 1; step < 64; step *= 2) {
    __syncthreads();
    if (threadIdx.x >= step) s[threadIdx.x] += s[threadIdx.x - step];  // BUG: race (a barrier before, none after reading)
  }
  y[threadIdx.x] = s[threadIdx.x];
}

// run <<<1, 64>>> (rand(64), zeros(1))
__global__ void result_read_too_early(const float* x, float* y) {
  __shared__ float partial[2];
  float v = x[threadIdx.x];
  for (int step = 16; step > 0; step /= 2) v += __shfl_down_sync(0xffffffff, v, step);
  if (threadIdx.x % 32 == 0) partial[threadIdx.x / 32] = v;
  if (threadIdx.x == 0) y[0] = partial[0] + partial[1];  // BUG: race (the second warp may not have written yet)
}
