// Bulk copies between global and shared memory (PTX ISA, cp.async.bulk and cp.async.bulk.tensor, sm_90): TMA.
//
// One thread issues a copy. A load counts its bytes in an mbarrier, which has to expect them; a store joins a bulk
// group, which has to be committed and waited for. Shared memory that threads wrote is handed to a store, or to
// wgmma, with fence_proxy_async().
#pragma once
#if defined(__CUDACC_RTC__)  // which has no cuda.h; the driver fills a map in, kernels pass its address on
struct alignas(64) CUtensorMap {
  unsigned long long opaque[16];
};
#else
#include <cuda.h>
#endif

#include "mbarrier.cuh"
#if defined(__PYNEURAL_SIMULATOR__)
#include "pyneural_sim/bulk.h"
#endif

namespace pyneural::ptx {

#if defined(__PYNEURAL_SIMULATOR__)
// A box of the tensor, whose first element stands at these coordinates (innermost first), to shared memory.
template <int Rank>
__device__ __forceinline__ void tma_load(void* to, const CUtensorMap* map, mbarrier* full, const int (&at)[Rank], PNSIM_HERE) {
  pnsim::tensor_load(to, map, at, full, file, line);
}
// A load for several blocks of a cluster: to the same place in each whose bit is set in `blocks`, counted in the mbarrier at
// the same place as `full` there.
template <int Rank>
__device__ __forceinline__ void tma_load_multicast(
    void* to, const CUtensorMap* map, mbarrier* full, const int (&at)[Rank], unsigned short blocks, PNSIM_HERE) {
  pnsim::tensor_load_multicast(to, map, at, full, blocks, file, line);
}
// Of a map in im2col mode, a tensor of (N, D, H, W, C) with 1 to 3 of D, H, W: a column of pixels from the one at these
// coordinates (innermost first: c, w, ..., n) on, along W, H, D and N within the map's bounding box; each is taken `offsets`
// (w, ...) further, where it has the map's number of channels from c on.
template <int Rank>
__device__ __forceinline__ void tma_load_im2col(
    void* to, const CUtensorMap* map, mbarrier* full, const int (&at)[Rank], const unsigned short (&offsets)[Rank - 2], PNSIM_HERE) {
  pnsim::tensor_load_im2col(to, map, at, offsets, full, file, line);
}
template <int Rank>
__device__ __forceinline__ void tma_store(const CUtensorMap* map, const void* from, const int (&at)[Rank], PNSIM_HERE) {
  pnsim::tensor_store(map, from, at, file, line);
}
// Bytes that lie side by side: addresses and size are multiples of 16.
__device__ __forceinline__ void bulk_load(void* to, const void* from, unsigned bytes, mbarrier* full, PNSIM_HERE) {
  pnsim::bulk_load(to, from, bytes, full, file, line);
}
__device__ __forceinline__ void bulk_store(void* to, const void* from, unsigned bytes, PNSIM_HERE) {
  pnsim::bulk_store(to, from, bytes, file, line);
}
__device__ __forceinline__ void bulk_commit() { pnsim_bulk_commit(); }
// Until at most Newest groups are under way: their shared memory has been read, or all is written too.
template <int Newest>
__device__ __forceinline__ void bulk_wait_read() {
  pnsim_bulk_wait(Newest, 1);
}
template <int Newest>
__device__ __forceinline__ void bulk_wait() {
  pnsim_bulk_wait(Newest, 0);
}
__device__ __forceinline__ void fence_proxy_async() { pnsim_proxy_fence(); }
__device__ __forceinline__ void fence_mbarrier_init() {}
__device__ __forceinline__ void prefetch_tensor_map(const CUtensorMap*) {}
#else
__device__ __forceinline__ unsigned shared_address(const void* p) { return static_cast<unsigned>(__cvta_generic_to_shared(p)); }
template <int Rank>
__device__ __forceinline__ void tma_load(void* to, const CUtensorMap* map, mbarrier* full, const int (&at)[Rank]) {
  static_assert(Rank >= 1 && Rank <= 5, "a tensor has 1 to 5 dimensions");
  const unsigned s = shared_address(to), b = shared_address(full);
  const unsigned long long m = reinterpret_cast<unsigned long long>(map);
  if constexpr (Rank == 1)
    asm volatile("cp.async.bulk.tensor.1d.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1, {%3}], [%2];" ::"r"(s),
                 "l"(m), "r"(b), "r"(at[0]) : "memory");
  else if constexpr (Rank == 2)
    asm volatile("cp.async.bulk.tensor.2d.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1, {%3, %4}], [%2];" ::"r"(s),
                 "l"(m), "r"(b), "r"(at[0]), "r"(at[1]) : "memory");
  else if constexpr (Rank == 3)
    asm volatile("cp.async.bulk.tensor.3d.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1, {%3, %4, %5}], [%2];" ::"r"(s),
                 "l"(m), "r"(b), "r"(at[0]), "r"(at[1]), "r"(at[2]) : "memory");
  else if constexpr (Rank == 4)
    asm volatile("cp.async.bulk.tensor.4d.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1, {%3, %4, %5, %6}], [%2];" ::"r"(s),
                 "l"(m), "r"(b), "r"(at[0]), "r"(at[1]), "r"(at[2]), "r"(at[3]) : "memory");
  else
    asm volatile("cp.async.bulk.tensor.5d.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1, {%3, %4, %5, %6, %7}], [%2];" ::"r"(s),
                 "l"(m), "r"(b), "r"(at[0]), "r"(at[1]), "r"(at[2]), "r"(at[3]), "r"(at[4]) : "memory");
}
template <int Rank>
__device__ __forceinline__ void tma_load_multicast(
    void* to, const CUtensorMap* map, mbarrier* full, const int (&at)[Rank], unsigned short blocks) {
  static_assert(Rank >= 1 && Rank <= 5, "a tensor has 1 to 5 dimensions");
  const unsigned s = shared_address(to), b = shared_address(full);
  const unsigned long long m = reinterpret_cast<unsigned long long>(map);
  if constexpr (Rank == 1)
    asm volatile("cp.async.bulk.tensor.1d.shared::cluster.global.mbarrier::complete_tx::bytes.multicast::cluster [%0], [%1, {%4}], [%2], %3;"
                 ::"r"(s), "l"(m), "r"(b), "h"(blocks), "r"(at[0]) : "memory");
  else if constexpr (Rank == 2)
    asm volatile("cp.async.bulk.tensor.2d.shared::cluster.global.mbarrier::complete_tx::bytes.multicast::cluster [%0], [%1, {%4, %5}], [%2], %3;"
                 ::"r"(s), "l"(m), "r"(b), "h"(blocks), "r"(at[0]), "r"(at[1]) : "memory");
  else if constexpr (Rank == 3)
    asm volatile("cp.async.bulk.tensor.3d.shared::cluster.global.mbarrier::complete_tx::bytes.multicast::cluster [%0], [%1, {%4, %5, %6}], [%2], %3;"
                 ::"r"(s), "l"(m), "r"(b), "h"(blocks), "r"(at[0]), "r"(at[1]), "r"(at[2]) : "memory");
  else if constexpr (Rank == 4)
    asm volatile("cp.async.bulk.tensor.4d.shared::cluster.global.mbarrier::complete_tx::bytes.multicast::cluster [%0], [%1, {%4, %5, %6, %7}], [%2], %3;"
                 ::"r"(s), "l"(m), "r"(b), "h"(blocks), "r"(at[0]), "r"(at[1]), "r"(at[2]), "r"(at[3]) : "memory");
  else
    asm volatile("cp.async.bulk.tensor.5d.shared::cluster.global.mbarrier::complete_tx::bytes.multicast::cluster [%0], [%1, {%4, %5, %6, %7, %8}], [%2], %3;"
                 ::"r"(s), "l"(m), "r"(b), "h"(blocks), "r"(at[0]), "r"(at[1]), "r"(at[2]), "r"(at[3]), "r"(at[4]) : "memory");
}
template <int Rank>
__device__ __forceinline__ void tma_load_im2col(
    void* to, const CUtensorMap* map, mbarrier* full, const int (&at)[Rank], const unsigned short (&offsets)[Rank - 2]) {
  static_assert(Rank >= 3 && Rank <= 5, "a tensor of images has 3 to 5 dimensions");
  const unsigned s = shared_address(to), b = shared_address(full);
  const unsigned long long m = reinterpret_cast<unsigned long long>(map);
  if constexpr (Rank == 3)
    asm volatile("cp.async.bulk.tensor.3d.shared::cluster.global.im2col.mbarrier::complete_tx::bytes [%0], [%1, {%3, %4, %5}], [%2], {%6};"
                 ::"r"(s), "l"(m), "r"(b), "r"(at[0]), "r"(at[1]), "r"(at[2]), "h"(offsets[0]) : "memory");
  else if constexpr (Rank == 4)
    asm volatile("cp.async.bulk.tensor.4d.shared::cluster.global.im2col.mbarrier::complete_tx::bytes [%0], [%1, {%3, %4, %5, %6}], [%2], {%7, %8};"
                 ::"r"(s), "l"(m), "r"(b), "r"(at[0]), "r"(at[1]), "r"(at[2]), "r"(at[3]), "h"(offsets[0]), "h"(offsets[1]) : "memory");
  else
    asm volatile("cp.async.bulk.tensor.5d.shared::cluster.global.im2col.mbarrier::complete_tx::bytes [%0], [%1, {%3, %4, %5, %6, %7}], [%2], {%8, %9, %10};"
                 ::"r"(s), "l"(m), "r"(b), "r"(at[0]), "r"(at[1]), "r"(at[2]), "r"(at[3]), "r"(at[4]), "h"(offsets[0]), "h"(offsets[1]),
                 "h"(offsets[2]) : "memory");
}
template <int Rank>
__device__ __forceinline__ void tma_store(const CUtensorMap* map, const void* from, const int (&at)[Rank]) {
  static_assert(Rank >= 1 && Rank <= 5, "a tensor has 1 to 5 dimensions");
  const unsigned s = shared_address(from);
  const unsigned long long m = reinterpret_cast<unsigned long long>(map);
  if constexpr (Rank == 1)
    asm volatile("cp.async.bulk.tensor.1d.global.shared::cta.bulk_group [%0, {%2}], [%1];" ::"l"(m), "r"(s), "r"(at[0]) : "memory");
  else if constexpr (Rank == 2)
    asm volatile("cp.async.bulk.tensor.2d.global.shared::cta.bulk_group [%0, {%2, %3}], [%1];" ::"l"(m), "r"(s), "r"(at[0]),
                 "r"(at[1]) : "memory");
  else if constexpr (Rank == 3)
    asm volatile("cp.async.bulk.tensor.3d.global.shared::cta.bulk_group [%0, {%2, %3, %4}], [%1];" ::"l"(m), "r"(s), "r"(at[0]),
                 "r"(at[1]), "r"(at[2]) : "memory");
  else if constexpr (Rank == 4)
    asm volatile("cp.async.bulk.tensor.4d.global.shared::cta.bulk_group [%0, {%2, %3, %4, %5}], [%1];" ::"l"(m), "r"(s), "r"(at[0]),
                 "r"(at[1]), "r"(at[2]), "r"(at[3]) : "memory");
  else
    asm volatile("cp.async.bulk.tensor.5d.global.shared::cta.bulk_group [%0, {%2, %3, %4, %5, %6}], [%1];" ::"l"(m), "r"(s), "r"(at[0]),
                 "r"(at[1]), "r"(at[2]), "r"(at[3]), "r"(at[4]) : "memory");
}
__device__ __forceinline__ void bulk_load(void* to, const void* from, unsigned bytes, mbarrier* full) {
  asm volatile("cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1], %2, [%3];" ::"r"(shared_address(to)),
               "l"(from), "r"(bytes), "r"(shared_address(full)) : "memory");
}
__device__ __forceinline__ void bulk_store(void* to, const void* from, unsigned bytes) {
  asm volatile("cp.async.bulk.global.shared::cta.bulk_group [%0], [%1], %2;" ::"l"(to), "r"(shared_address(from)), "r"(bytes) : "memory");
}
__device__ __forceinline__ void bulk_commit() { asm volatile("cp.async.bulk.commit_group;" ::: "memory"); }
template <int Newest>
__device__ __forceinline__ void bulk_wait_read() {
  asm volatile("cp.async.bulk.wait_group.read %0;" ::"n"(Newest) : "memory");
}
template <int Newest>
__device__ __forceinline__ void bulk_wait() {
  asm volatile("cp.async.bulk.wait_group %0;" ::"n"(Newest) : "memory");
}
__device__ __forceinline__ void fence_proxy_async() { asm volatile("fence.proxy.async.shared::cta;" ::: "memory"); }
__device__ __forceinline__ void fence_mbarrier_init() { asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory"); }
__device__ __forceinline__ void prefetch_tensor_map(const CUtensorMap* map) {
  asm volatile("prefetch.tensormap [%0];" ::"l"(map) : "memory");
}
#endif

}  // namespace pyneural::ptx
