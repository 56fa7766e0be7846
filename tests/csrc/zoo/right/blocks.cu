// Blocks that share global memory with atomics, fences, locks, or places of their own.

// run <<<5, 64>>> (rand(5), zeros(5), zeros(1, dtype=u32), zeros(1))
// gives out = 2 * x.sum(keepdims=True)
__global__ void last_block_adds_up(const float* x, float* parts, unsigned* tickets, float* out) {
  __shared__ bool last;
  if (threadIdx.x == 0) {
    parts[blockIdx.x] = 2 * x[blockIdx.x];
    __threadfence();
    last = atomicInc(tickets, gridDim.x) == gridDim.x - 1;
  }
  __syncthreads();
  if (last && threadIdx.x == 0) {
    float sum = 0;
    for (int b = 0; b < gridDim.x; ++b) sum += parts[b];
    *out = sum;
  }
}

// run <<<3, 64>>> (ints(192, high=8), zeros(8, dtype=i32))
// gives bins = bincount(x, minlength=8)
__global__ void histogram(const int* x, int* bins) {
  __shared__ int s[8];
  if (threadIdx.x < 8) s[threadIdx.x] = 0;
  __syncthreads();
  atomicAdd(&s[x[blockIdx.x * 64 + threadIdx.x]], 1);
  __syncthreads();
  if (threadIdx.x < 8) atomicAdd(&bins[threadIdx.x], s[threadIdx.x]);
}

// run <<<4, 32>>> (zeros(1, dtype=i32), zeros(1, dtype=i32))
// gives value = array([12])
__global__ void lock_with_fences(int* mutex, int* value) {
  if (threadIdx.x != 0) return;
  while (atomicCAS(mutex, 0, 1) != 0) {}
  __threadfence();
  *value += 3;
  __threadfence();
  atomicExch(mutex, 0);
}

// run <<<3, 32>>> (array([0, 0, 1, 0] * 24), zeros(1, dtype=i32))
// gives flag = array([1])
__global__ void everyone_raises_the_flag(const int* x, int* flag) {
  if (x[blockIdx.x * 32 + threadIdx.x]) *flag = 1;
}

// run <<<4, 32>>> (zeros(128, dtype=i32))
// gives y = arange(128) % 4
__global__ void interleaved_places(int* y) {
  y[threadIdx.x * 4 + blockIdx.x] = blockIdx.x;
}

// run <<<4, 32>>> (zeros(128, dtype=u8))
// gives y = arange(128) % 4
__global__ void neighbouring_bytes(unsigned char* y) {
  y[threadIdx.x * 4 + blockIdx.x] = (unsigned char)blockIdx.x;
}

// run <<<2, 64>>> (rand(128) - 0.5, array([-inf], f32))
// gives best = x.max(keepdims=True)
__device__ float atomicMaxFloat(float* address, float v) {
  int* bits = reinterpret_cast<int*>(address);
  int old = *reinterpret_cast<volatile int*>(bits);
  while (__int_as_float(old) < v) {
    const int seen = atomicCAS(bits, old, __float_as_int(v));
    if (seen == old) break;
    old = seen;
  }
  return __int_as_float(old);
}
__global__ void float_maximum_by_cas(const float* x, float* best) {
  atomicMaxFloat(best, x[blockIdx.x * 64 + threadIdx.x]);
}

// run <<<2, 64>>> (rand(128, dtype=f64), zeros(1, dtype=f64))
// gives total = x.sum(keepdims=True)
__device__ double add_by_cas(double* address, double v) {
  unsigned long long* word = reinterpret_cast<unsigned long long*>(address);
  unsigned long long old = *word, assumed;
  do {
    assumed = old;
    old = atomicCAS(word, assumed, __double_as_longlong(v + __longlong_as_double(assumed)));
  } while (assumed != old);
  return __longlong_as_double(old);
}
__global__ void double_sum_by_cas(const double* x, double* total) {
  add_by_cas(total, x[blockIdx.x * 64 + threadIdx.x]);
}

// run <<<2, 32>>> (rand(500), zeros(500), 500)
// gives y = 3 * x
__global__ void grid_stride(const float* x, float* y, int n) {
  for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < n; i += gridDim.x * blockDim.x) y[i] = 3 * x[i];
}

// run <<<2, 32>>> (zeros(1, dtype=i32), zeros(2, dtype=i32))
// gives count = array([64])
__global__ void read_by_atomic(int* count, int* seen) {
  atomicAdd(count, 1);
  __syncthreads();
  if (threadIdx.x == 0) seen[blockIdx.x] = atomicAdd(count, 0) >= 32;
}

// run <<<3, 32>>> (zeros(1, dtype=i32), rand(70), zeros(70), 70)
// gives y = x * x
__global__ void work_queue(int* next, const float* x, float* y, int n) {
  __shared__ int item;
  for (;;) {
    __syncthreads();
    if (threadIdx.x == 0) item = atomicAdd(next, 1);
    __syncthreads();
    if (item * 32 >= n) break;
    const int i = item * 32 + threadIdx.x;
    if (i < n) y[i] = x[i] * x[i];
  }
}

// run <<<2, 32>>> (ints(64, high=2), zeros(64, dtype=i32), zeros(1, dtype=i32))
// gives count = array([x.sum()])
__global__ void append_by_atomic(const int* x, int* list, int* count) {
  const int i = blockIdx.x * 32 + threadIdx.x;
  if (x[i]) list[atomicAdd(count, 1)] = i;
}

struct Sums {
  float even, odd;
};
// run <<<2, 32>>> (rand(64), zeros(2).view("V8"))
// gives sums.view(f32) = x.reshape(2, 32).sum(axis=1)
__global__ void fields_of_one_struct(const float* x, Sums* sums) {
  if (threadIdx.x != 0) return;
  float sum = 0;
  for (int k = 0; k < 32; ++k) sum += x[blockIdx.x * 32 + k];
  if (blockIdx.x == 0) sums->even = sum;
  else sums->odd = sum;
}

// run <<<1, 64>>> (zeros(1, dtype=i32))
// gives y = array([43])
__global__ void flag_between_warps(int* y) {
  __shared__ volatile int ready;
  __shared__ volatile int data;
  if (threadIdx.x == 0) ready = 0;
  __syncthreads();
  if (threadIdx.x == 32) {
    data = 42;
    __threadfence_block();
    ready = 1;
  }
  if (threadIdx.x == 0) {
    while (ready == 0) {}
    __threadfence_block();
    *y = data + 1;
  }
}

__device__ unsigned long long visits;
// run <<<3, 32>>> (zeros(3, dtype=u64))
// gives y = array([1, 1, 1])
__global__ void device_counter_by_atomic(unsigned long long* y) {
  if (threadIdx.x == 0) y[blockIdx.x] = atomicAdd(&visits, 1ull) < 1000000ull;
}

// run <<<(2, 2, 2), (4, 4, 4)>>> (rand(8, 8, 8), zeros(8, 8, 8), 8)
// gives v = concatenate([u[..., :1], (u[..., :-2] + 2 * u[..., 1:-1] + u[..., 2:]) / 4, u[..., -1:]], axis=-1)
__global__ void jacobi_into_second_array(const float* u, float* v, int n) {
  const int x = blockIdx.x * 4 + threadIdx.x, y = blockIdx.y * 4 + threadIdx.y, z = blockIdx.z * 4 + threadIdx.z;
  const int i = (z * n + y) * n + x;
  v[i] = x == 0 || x == n - 1 ? u[i] : 0.25f * (u[i - 1] + 2 * u[i] + u[i + 1]);
}

// run <<<4, 64>>> (rand(256, dtype=f64), rand(256, dtype=f64), zeros(1, dtype=f64))
// gives out = (a * b).sum(keepdims=True)
__global__ void dot_by_atomic(const double* a, const double* b, double* out) {
  const int i = blockIdx.x * 64 + threadIdx.x;
  double v = a[i] * b[i];
  for (int d = 16; d; d /= 2) v += __shfl_down_sync(0xffffffff, v, d);
  if (threadIdx.x % 32 == 0) atomicAdd(out, v);
}

// run <<<2, 32>>> (arange(64), zeros(64, dtype=i32))
// gives y = x[::-1]
__global__ void each_reads_everywhere(const int* x, int* y) {
  const int i = blockIdx.x * 32 + threadIdx.x;
  y[i] = x[gridDim.x * blockDim.x - 1 - i];
}

// run <<<2, 32>>> (ints(64, high=100), array([1 << 30]), array([-1]))
// gives low = array([x.min()])
// gives high = array([x.max()])
__global__ void integer_extremes(const int* x, int* low, int* high) {
  atomicMin(low, x[blockIdx.x * 32 + threadIdx.x]);
  atomicMax(high, x[blockIdx.x * 32 + threadIdx.x]);
}
