// Blocks that share global memory: no atomics, no fences, no order between them.

// run <<<4, 32>>> (zeros(1, dtype=i32))
__global__ void count_blocks(int* count) {
  if (threadIdx.x == 0) *count += 1;  // BUG: race (blocks lose each other's increments)
}

// run <<<2, 64>>> (ints(128, high=8), zeros(8, dtype=i32))
__global__ void histogram_without_atomics(const int* x, int* bins) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  bins[x[i]]++;  // BUG: race (threads with the same value overwrite each other)
}

// run <<<1, 128>>> (ints(128, high=16, dtype=u8), zeros(16, dtype=i32))
__global__ void shared_histogram_without_atomics(const unsigned char* x, int* bins) {
  __shared__ int s[16];
  if (threadIdx.x < 16) s[threadIdx.x] = 0;
  __syncthreads();
  s[x[threadIdx.x]] += 1;  // BUG: race (atomicAdd is needed in shared memory as well)
  __syncthreads();
  if (threadIdx.x < 16) atomicAdd(bins + threadIdx.x, s[threadIdx.x]);
}

// run <<<4, 32>>> (rand(4), zeros(4), zeros(1, dtype=u32), zeros(1))
__global__ void last_block_without_fence(const float* x, float* parts, unsigned* tickets, float* out) {
  __shared__ bool last;
  if (threadIdx.x == 0) {
    parts[blockIdx.x] = 2 * x[blockIdx.x];
    last = atomicAdd(tickets, 1u) == gridDim.x - 1;
  }
  __syncthreads();
  if (last && threadIdx.x == 0) {
    float sum = 0;
    for (int b = 0; b < gridDim.x; ++b) sum += parts[b];  // BUG: race (no __threadfence() before the ticket is taken)
    *out = sum;
  }
}

// run <<<3, 32>>> (rand(3), zeros(3), zeros(1, dtype=u32), zeros(1))
__global__ void fence_after_ticket(const float* x, float* parts, unsigned* tickets, float* out) {
  if (threadIdx.x != 0) return;
  parts[blockIdx.x] = x[blockIdx.x];
  const unsigned ticket = atomicInc(tickets, gridDim.x);
  __threadfence();
  if (ticket == gridDim.x - 1) *out = parts[0] + parts[1] + parts[2];  // BUG: race (the fence comes after the ticket)
}

// run <<<2, 32>>> (zeros(1, dtype=i32), zeros(2, dtype=i32))
__global__ void atomic_read_plainly(int* count, int* seen) {
  atomicAdd(count, 1);
  __syncthreads();
  if (threadIdx.x == 0) seen[blockIdx.x] = *count;  // BUG: race (the other block's atomics are not finished)
}

// run <<<1, 64>>> (zeros(1, dtype=i32), zeros(64, dtype=i32))
__global__ void swap_of_another_place(int* counters, int* y) {
  const int seen = counters[0];  // BUG: race (the compare-and-swap below is not of this counter)
  atomicCAS(&y[threadIdx.x], 0, seen);
  atomicAdd(&counters[0], 1);
}

// run <<<1, 96>>> (zeros(1, dtype=i32), zeros(96, dtype=i32))
__global__ void one_of_the_readers_is_plain(int* count, int* y) {
  int seen;
  if (threadIdx.x < 95) seen = *(volatile int*)count;
  else seen = *count;  // BUG: race (others read it as volatile, the last thread plainly)
  atomicAdd(count, 1);
  y[threadIdx.x] = seen;
}

// run <<<1, 64>>> (rand(64), zeros(1))
__global__ void atomic_beside_store(const float* x, float* total) {
  if (threadIdx.x == 40) *total = 1.5f;  // BUG: race (a plain store between other threads' atomics)
  else atomicAdd(total, x[threadIdx.x]);
}

// run <<<4, 32>>> (rand(128), 128)
__global__ void blur_in_place(float* x, int n) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i > 0 && i < n - 1) {
    const float v = (x[i - 1] + x[i] + x[i + 1]) / 3;  // BUG: race (neighbours in another block may be written already)
    x[i] = v;
  }
}

// run <<<3, 32>>> (zeros(80, dtype=i32))
__global__ void overlapping_output(int* y) {
  y[blockIdx.x * 24 + threadIdx.x] = blockIdx.x + 1;  // BUG: race (blocks of 32 are placed 24 apart)
}

// run <<<2, 64>>> (rand(128), zeros(1))
__global__ void maximum_by_comparison(const float* x, float* best) {
  const float v = x[blockIdx.x * 64 + threadIdx.x];
  if (v > *best) *best = v;  // BUG: race (another thread may store a greater value between test and store)
}

// run <<<4, 32>>> (zeros(1, dtype=i32), zeros(1, dtype=i32))
__global__ void lock_without_fence(int* mutex, int* value) {
  if (threadIdx.x == 0) {
    while (atomicCAS(mutex, 0, 1) != 0) {}
    *value += 3;  // BUG: race (the lock is released without a fence, so the value may come after it)
    atomicExch(mutex, 0);
  }
}

// run <<<2, 32>>> (ints(64, high=2), zeros(64, dtype=i32), zeros(1, dtype=i32))
__global__ void append_without_atomics(const int* x, int* list, int* count) {
  const int i = blockIdx.x * 32 + threadIdx.x;
  if (x[i]) {
    const int at = *count;
    list[at] = i;
    *count = at + 1;  // BUG: race (two threads take the same place)
  }
}

__device__ unsigned long long visits;
// run <<<3, 33>>> ()
__global__ void device_counter() {
  if (threadIdx.x == 32) visits = visits + 1;  // BUG: race (one variable of the whole device, no atomics)
}

// run <<<4, 32>>> (ints(128, high=5), zeros(128, dtype=i32), zeros(4, dtype=i32))
__global__ void chained_prefix(const int* x, int* y, int* carry) {
  if (threadIdx.x == 0) {
    int sum = blockIdx.x ? carry[blockIdx.x - 1] : 0;  // BUG: race (the block before may not have run yet)
    for (int k = 0; k < 32; ++k) y[blockIdx.x * 32 + k] = sum += x[blockIdx.x * 32 + k];
    carry[blockIdx.x] = sum;
  }
}

// run <<<(2, 2, 2), (4, 4, 4)>>> (rand(8, 8, 8), 8)
__global__ void relax_in_place(float* u, int n) {
  const int x = blockIdx.x * 4 + threadIdx.x, y = blockIdx.y * 4 + threadIdx.y, z = blockIdx.z * 4 + threadIdx.z;
  if (x == 0 || x == n - 1) return;
  const int i = (z * n + y) * n + x;
  u[i] = 0.25f * (u[i - 1] + 2 * u[i] + u[i + 1]);  // BUG: race (Jacobi needs a second array)
}

// run <<<2, 32>>> (rand(64), rand(64), zeros(1))
__global__ void dot_without_atomics(const float* a, const float* b, float* out) {
  const int i = blockIdx.x * 32 + threadIdx.x;
  float v = a[i] * b[i];
  for (int d = 16; d; d /= 2) v += __shfl_down_sync(0xffffffff, v, d);
  if (threadIdx.x == 0) out[0] = out[0] + v;  // BUG: race (partial sums of two blocks meet)
}

// run <<<1, 32>>> (zeros(1, dtype=i32))
__global__ void volatile_counter(volatile int* count) {
  *count = *count + 1;  // BUG: race (volatile makes no addition atomic)
}

// run <<<(2, 3), 16>>> (rand(6, 16), zeros(3))
__global__ void row_sums_by_two_blocks(const float* x, float* y) {
  float sum = 0;
  for (int k = 0; k < 16; ++k) sum += x[(blockIdx.y * 2 + blockIdx.x) * 16 + k];
  if (threadIdx.x == 0) y[blockIdx.y] += sum;  // BUG: race (two blocks add to the same row)
}

// run <<<2, 32>>> (zeros(1, dtype=i32))
__global__ void lock_never_released(int* mutex) {
  if (threadIdx.x == 0)
    while (atomicCAS(mutex, 0, 1) != 0) {}  // BUG: hang (the first block keeps the lock)
}

// run <<<1, 64>>> (zeros(1, dtype=i32))
__global__ void flag_never_raised(volatile int* flag) {
  if (threadIdx.x == 1 && threadIdx.y == 1) *flag = 1;
  while (*flag == 0) {}  // BUG: hang (no thread has threadIdx.y == 1)
}
