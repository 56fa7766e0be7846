// Pi by throwing darts: a generator per thread, cooperative groups for the sum, one atomic per warp.
#include <cooperative_groups.h>
#include <cooperative_groups/reduce.h>
#include <cstdint>
#include <cstdio>

namespace cg = cooperative_groups;

#define CUDA_SAFE_CALL(x)                                                                   \
  {                                                                                         \
    auto result = (x);                                                                      \
    if (result != cudaSuccess) {                                                            \
      fprintf(stderr, "%s failed at %s:%d: %s\n", #x, __FILE__, __LINE__, cudaGetErrorString(result)); \
      return 1;                                                                             \
    }                                                                                       \
  }

// O'Neill's PCG-XSH-RR.
struct Pcg32 {
  uint64_t state, inc;
  __device__ explicit Pcg32(uint64_t sequence, uint64_t seed) : state(0), inc((sequence << 1u) | 1u) {
    next();
    state += seed;
    next();
  }
  __device__ uint32_t next() {
    const uint64_t old = state;
    state = old * 6364136223846793005ULL + inc;
    const uint32_t xorshifted = static_cast<uint32_t>(((old >> 18u) ^ old) >> 27u);
    const uint32_t rot = static_cast<uint32_t>(old >> 59u);
    return (xorshifted >> rot) | (xorshifted << ((-rot) & 31));
  }
  __device__ float uniform() { return (next() >> 8) * 0x1p-24f; }
};

__global__ void throw_darts(unsigned long long* hits, int darts, uint64_t seed) {
  auto grid = cg::this_grid();
  auto block = cg::this_thread_block();
  auto warp = cg::tiled_partition<32>(block);
  Pcg32 random(grid.thread_rank(), seed);
  unsigned inside = 0;
  for (int i = 0; i < darts; ++i) {
    const float x = random.uniform();
    const float y = random.uniform();
    inside += x * x + y * y < 1.0f;
  }
  const unsigned sum = cg::reduce(warp, inside, cg::plus<unsigned>());
  if (warp.thread_rank() == 0) atomicAdd(hits, static_cast<unsigned long long>(sum));
}

__global__ void leaders(int* groups, int* members) {
  if (threadIdx.x % 3 == 1) {
    cg::coalesced_group active = cg::coalesced_threads();
    if (active.thread_rank() == 0) {
      atomicAdd(groups, 1);
      atomicAdd(members, active.size());
    }
  }
}

int main() {
  constexpr int blocks = 12, threads = 128, darts = 200;
  unsigned long long *d_hits, h_hits = 0;
  CUDA_SAFE_CALL(cudaMalloc(&d_hits, sizeof(*d_hits)));
  CUDA_SAFE_CALL(cudaMemset(d_hits, 0, sizeof(*d_hits)));
  throw_darts<<<blocks, threads>>>(d_hits, darts, 42ULL);
  CUDA_SAFE_CALL(cudaGetLastError());
  CUDA_SAFE_CALL(cudaMemcpy(&h_hits, d_hits, sizeof(h_hits), cudaMemcpyDeviceToHost));
  CUDA_SAFE_CALL(cudaFree(d_hits));
  const double total = double(blocks) * threads * darts;
  const double pi = 4.0 * h_hits / total;

  int* counts;
  CUDA_SAFE_CALL(cudaMallocManaged(&counts, 2 * sizeof(int)));
  counts[0] = counts[1] = 0;
  leaders<<<2, 64>>>(counts, counts + 1);
  CUDA_SAFE_CALL(cudaDeviceSynchronize());
  printf("%.0f darts: pi is about %.3f; %d groups of %d threads in all\n", total, pi, counts[0], counts[1]);
  const bool ok = pi > 3.10 && pi < 3.18 && counts[1] == 2 * 21;
  CUDA_SAFE_CALL(cudaFree(counts));
  printf("%s\n", ok ? "PASS" : "FAIL");
  return ok ? 0 : 1;
}
