// Thread block clusters (PTX ISA, sm_90): blocks that run together, each of which can reach the others' shared memory.
// A kernel has them by __cluster_dims__. None of its blocks may end while another one still uses its shared memory.
#pragma once
#include "mbarrier.cuh"

namespace pyneural::ptx {

#if defined(__PYNEURAL_SIMULATOR__)
__device__ __forceinline__ unsigned cluster_rank() { return pnsim::cluster_rank(); }
__device__ __forceinline__ unsigned cluster_blocks() {
  const dim3 n = pnsim::cluster_size();
  return n.x * n.y * n.z;
}
// The barrier of all threads of the cluster, in two halves: what was written before the one is seen after the other.
__device__ __forceinline__ void cluster_arrive(PNSIM_HERE) { pnsim_cluster_arrive(file, line); }
__device__ __forceinline__ void cluster_wait(PNSIM_HERE) { pnsim_cluster_wait(file, line); }
// Where what lies at `p` in this block's shared memory lies in that of another one (mapa).
template <typename T> __device__ __forceinline__ T* map_shared(T* p, unsigned rank, PNSIM_HERE) {
  return static_cast<T*>(pnsim_map_shared(p, rank, file, line));
}
// An arrival at the mbarrier that lies at the same place as `b` in another block.
__device__ __forceinline__ void mbarrier_arrive_cluster(mbarrier* b, unsigned rank, PNSIM_HERE) {
  pnsim::mbarrier_arrive(pnsim_map_shared(b, rank, file, line), 1, 0, file, line);
}
#else
__device__ __forceinline__ unsigned cluster_rank() {
  unsigned rank;
  asm volatile("mov.u32 %0, %%cluster_ctarank;" : "=r"(rank));
  return rank;
}
__device__ __forceinline__ unsigned cluster_blocks() {
  unsigned count;
  asm volatile("mov.u32 %0, %%cluster_nctarank;" : "=r"(count));
  return count;
}
__device__ __forceinline__ void cluster_arrive() { asm volatile("barrier.cluster.arrive.release;" ::: "memory"); }
__device__ __forceinline__ void cluster_wait() { asm volatile("barrier.cluster.wait.acquire;" ::: "memory"); }
template <typename T> __device__ __forceinline__ T* map_shared(T* p, unsigned rank) {
  unsigned long long address;
  asm volatile("mapa.u64 %0, %1, %2;" : "=l"(address) : "l"(p), "r"(rank));
  return reinterpret_cast<T*>(address);
}
__device__ __forceinline__ void mbarrier_arrive_cluster(mbarrier* b, unsigned rank) {
  asm volatile("{ .reg .b32 remote; mapa.shared::cluster.u32 remote, %0, %1;"
               " mbarrier.arrive.release.cluster.shared::cluster.b64 _, [remote]; }" ::"r"(mbarrier_address(b)), "r"(rank) : "memory");
}
#endif

}  // namespace pyneural::ptx
