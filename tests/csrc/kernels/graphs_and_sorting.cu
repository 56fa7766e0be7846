// Irregular work: graphs, hash tables, counting, sorting of small arrays.
#include <cstdint>

constexpr uint32_t kEmpty = 0xffffffff;

struct KeyValue {
  uint32_t key;
  uint32_t value;
};

__device__ uint32_t murmur3(uint32_t k, uint32_t capacity) {
  k ^= k >> 16;
  k *= 0x85ebca6b;
  k ^= k >> 13;
  k *= 0xc2b2ae35;
  k ^= k >> 16;
  return k & (capacity - 1);
}

// Open addressing with linear probing: a slot is claimed by compare-and-swap.
__global__ void gpu_hashtable_insert(KeyValue* hashtable, uint32_t capacity, const KeyValue* kvs, unsigned int numkvs) {
  unsigned int threadid = blockIdx.x * blockDim.x + threadIdx.x;
  if (threadid < numkvs) {
    uint32_t key = kvs[threadid].key;
    uint32_t value = kvs[threadid].value;
    uint32_t slot = murmur3(key, capacity);
    while (true) {
      uint32_t prev = atomicCAS(&hashtable[slot].key, kEmpty, key);
      if (prev == kEmpty || prev == key) {
        atomicAdd(&hashtable[slot].value, value);
        return;
      }
      slot = (slot + 1) & (capacity - 1);
    }
  }
}

__global__ void pagerank_push(const int* __restrict__ offsets, const int* __restrict__ neighbours, const double* __restrict__ rank,
                              double* __restrict__ next, int n, double damping) {
  for (int u = blockIdx.x; u < n; u += gridDim.x) {  // a block for each vertex
    const int begin = offsets[u], degree = offsets[u + 1] - begin;
    const double share = damping * rank[u] / (degree ? degree : n);
    if (degree)
      for (int e = threadIdx.x; e < degree; e += blockDim.x) atomicAdd(&next[neighbours[begin + e]], share);
    else
      for (int v = threadIdx.x; v < n; v += blockDim.x) atomicAdd(&next[v], share);
  }
}

// Blocked Floyd-Warshall, first phase: the diagonal tile, alone.
template <int B>
__global__ void floyd_warshall_tile(int* dist, int n) {
  __shared__ int tile[B][B];
  const int i = threadIdx.y, j = threadIdx.x;
  tile[i][j] = (i < n && j < n) ? dist[i * n + j] : 1 << 29;
  __syncthreads();
  for (int k = 0; k < B; ++k) {
    const int through = tile[i][k] + tile[k][j];
    __syncthreads();
    if (through < tile[i][j]) tile[i][j] = through;
    __syncthreads();
  }
  if (i < n && j < n) dist[i * n + j] = tile[i][j];
}

// A stable radix sort of one block's keys, bit after bit: split by a scan of the zeros.
__global__ void radix_sort_block(unsigned* keys, int n) {
  __shared__ unsigned shared_keys[256];
  __shared__ int warp_ones[8];
  const int t = threadIdx.x, lane = t & 31, warp = t >> 5;
  shared_keys[t] = t < n ? keys[t] : 0xffffffffu;
  for (int bit = 0; bit < 32; ++bit) {
    __syncthreads();
    const unsigned key = shared_keys[t];
    const int one = key >> bit & 1;
    const unsigned ballot = __ballot_sync(0xffffffffu, one);
    if (lane == 0) warp_ones[warp] = __popc(ballot);
    __syncthreads();
    int ones_before = __popc(ballot & ((1u << lane) - 1)), ones = 0;
    for (int w = 0; w < 8; ++w) {
      if (w < warp) ones_before += warp_ones[w];
      ones += warp_ones[w];
    }
    const int place = one ? 256 - ones + ones_before : t - ones_before;
    shared_keys[place] = key;
  }
  __syncthreads();
  if (t < n) keys[t] = shared_keys[t];
}

// Odd-even transposition in global memory, one block.
template <class Key, class Less>
__device__ void exchange(Key* a, Key* b, Less less) {
  if (less(*b, *a)) {
    Key t = *a;
    *a = *b;
    *b = t;
  }
}
__global__ void odd_even_sort(short* data, int n) {
  auto less = [](short a, short b) { return a < b; };
  for (int round = 0; round < n; ++round) {
    const int i = 2 * threadIdx.x + (round & 1);
    if (i + 1 < n) exchange(&data[i], &data[i + 1], less);
    __syncthreads();
  }
}
