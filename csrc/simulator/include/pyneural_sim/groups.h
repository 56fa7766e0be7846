// Cooperative groups of a block: the block, tiles, coalesced lanes; and of a grid of one block.
#pragma once
#include "warp.h"

namespace cooperative_groups {

namespace details {
PNSIM_INLINE unsigned rank_in_block() { return pnsim::linear(); }
PNSIM_INLINE unsigned block_threads() {
  const dim3 b = blockDim;
  return b.x * b.y * b.z;
}
}  // namespace details

class thread_group {
 public:
  unsigned size() const { return size_; }
  unsigned num_threads() const { return size_; }
  unsigned thread_rank() const { return rank_; }
  bool is_valid() const { return true; }
  void sync(PNSIM_HERE) const {
    if (mask_) pnsim_warp(PNSIM_SYNC, mask_, 0, 0, 32, file, line);
    else if (size_ == details::block_threads()) pnsim_barrier(file, line);
    else pnsim_group_barrier(nullptr, first_ << 11 | size_, size_, file, line);
  }
  unsigned mask() const { return mask_; }
  unsigned first() const { return first_; }

 protected:
  friend thread_group tiled_partition(const thread_group& parent, unsigned size);
  thread_group(unsigned size, unsigned rank, unsigned first, unsigned mask) : size_(size), rank_(rank), first_(first), mask_(mask) {}
  unsigned size_, rank_, first_;
  unsigned mask_;  // lanes, for a group within one warp; 0 for a larger one
};

class thread_block : public thread_group {
 public:
  thread_block() : thread_group(details::block_threads(), details::rank_in_block(), 0, 0) {}
  static void sync(PNSIM_HERE) { pnsim_barrier(file, line); }
  static unsigned size() { return details::block_threads(); }
  static unsigned num_threads() { return details::block_threads(); }
  static unsigned thread_rank() { return details::rank_in_block(); }
  static dim3 group_index() { return blockIdx; }
  static dim3 thread_index() { return threadIdx; }
  static dim3 group_dim() { return blockDim; }
  static dim3 dim_threads() { return blockDim; }
  struct arrival_token {};
  arrival_token barrier_arrive() const { return {}; }
  void barrier_wait(arrival_token&&, PNSIM_HERE) const { pnsim_barrier(file, line); }
};
PNSIM_INLINE thread_block this_thread_block() { return thread_block(); }

// All blocks at once: a grid of one block can be synchronised, a larger one would need every block resident.
class grid_group : public thread_group {
 public:
  grid_group() : thread_group(0, 0, 0, 0) {}
  static bool is_valid() { return gridDim.x * gridDim.y * gridDim.z == 1; }
  static void sync(PNSIM_HERE) {
    if (!is_valid()) pnsim_trap("grid.sync() of more than one block cannot be simulated", file, line);
    pnsim_barrier(file, line);
  }
  static unsigned long long size() { return num_threads(); }
  static unsigned long long num_threads() {
    return (unsigned long long)gridDim.x * gridDim.y * gridDim.z * details::block_threads();
  }
  static unsigned long long num_blocks() { return (unsigned long long)gridDim.x * gridDim.y * gridDim.z; }
  static unsigned long long block_rank() { return (blockIdx.z * gridDim.y + blockIdx.y) * (unsigned long long)gridDim.x + blockIdx.x; }
  static unsigned long long thread_rank() { return block_rank() * details::block_threads() + details::rank_in_block(); }
  static dim3 group_dim() { return gridDim; }
  static dim3 block_index() { return blockIdx; }
};
PNSIM_INLINE grid_group this_grid() { return grid_group(); }

// The blocks of a cluster, which run together.
class cluster_group : public thread_group {
 public:
  cluster_group() : thread_group(0, 0, 0, 0) {}
  struct arrival_token {};
  static bool is_valid() { return true; }
  static void sync(PNSIM_HERE) {
    pnsim_cluster_arrive(file, line);
    pnsim_cluster_wait(file, line);
  }
  static arrival_token barrier_arrive(PNSIM_HERE) {
    pnsim_cluster_arrive(file, line);
    return {};
  }
  static void barrier_wait(arrival_token&&, PNSIM_HERE) { pnsim_cluster_wait(file, line); }
  static void barrier_wait(PNSIM_HERE) { pnsim_cluster_wait(file, line); }
  static dim3 dim_blocks() { return pnsim::cluster_size(); }
  static unsigned num_blocks() { return dim_blocks().x * dim_blocks().y * dim_blocks().z; }
  static unsigned num_threads() { return num_blocks() * details::block_threads(); }
  static unsigned size() { return num_threads(); }
  static unsigned block_rank() { return pnsim::cluster_rank(); }
  static dim3 block_index() {
    const dim3 n = dim_blocks();
    return {blockIdx.x % n.x, blockIdx.y % n.y, blockIdx.z % n.z};
  }
  static unsigned thread_rank() { return block_rank() * details::block_threads() + details::rank_in_block(); }
  static dim3 dim_threads() { return {dim_blocks().x * blockDim.x, dim_blocks().y * blockDim.y, dim_blocks().z * blockDim.z}; }
  template <typename T> static T* map_shared_rank(T* p, int rank, PNSIM_HERE) {
    return static_cast<T*>(pnsim_map_shared(p, unsigned(rank), file, line));
  }
  static unsigned query_shared_rank(const void* p) { return pnsim::shared_rank(p); }
};
PNSIM_INLINE cluster_group this_cluster() { return cluster_group(); }

// Lanes of one warp, with the warp's operations. Ranks count the lanes of the mask.
class lane_group : public thread_group {
 public:
  template <typename T> T shfl(T v, int rank, PNSIM_HERE) const {
    return pnsim::shuffle(PNSIM_SHFL_IDX, mask_, v, int(lane_of(unsigned(rank) % size_)), 32, file, line);
  }
  template <typename T> T shfl_down(T v, unsigned delta, PNSIM_HERE) const {
    const unsigned to = rank_ + delta;
    return pnsim::shuffle(PNSIM_SHFL_IDX, mask_, v, int(to < size_ ? lane_of(to) : pnsim::lane()), 32, file, line);
  }
  template <typename T> T shfl_up(T v, unsigned delta, PNSIM_HERE) const {
    return pnsim::shuffle(PNSIM_SHFL_IDX, mask_, v, int(delta <= rank_ ? lane_of(rank_ - delta) : pnsim::lane()), 32, file, line);
  }
  template <typename T> T shfl_xor(T v, unsigned lanes, PNSIM_HERE) const {
    const unsigned to = rank_ ^ lanes;
    return pnsim::shuffle(PNSIM_SHFL_IDX, mask_, v, int(to < size_ ? lane_of(to) : pnsim::lane()), 32, file, line);
  }
  int any(int predicate, PNSIM_HERE) const { return __any_sync(mask_, predicate, file, line); }
  int all(int predicate, PNSIM_HERE) const { return __all_sync(mask_, predicate, file, line); }
  unsigned ballot(int predicate, PNSIM_HERE) const { return pack(__ballot_sync(mask_, predicate, file, line)); }
  template <typename T> unsigned match_any(T v, PNSIM_HERE) const { return pack(__match_any_sync(mask_, v, file, line)); }
  template <typename T> unsigned match_all(T v, int& predicate, PNSIM_HERE) const {
    return pack(__match_all_sync(mask_, v, &predicate, file, line));
  }
  void sync(PNSIM_HERE) const { pnsim_warp(PNSIM_SYNC, mask_, 0, 0, 32, file, line); }

 protected:
  lane_group(unsigned mask)
      : thread_group(unsigned(__popc(mask)), unsigned(__popc(mask & ((1u << pnsim::lane()) - 1))), pnsim::warp() * 32, mask) {}
  unsigned lane_of(unsigned rank) const {
    unsigned m = mask_;
    for (; rank; --rank) m &= m - 1;
    return unsigned(__ffs(int(m)) - 1);
  }
  unsigned pack(unsigned lanes) const {  // lane numbers to ranks
    unsigned out = 0, rank = 0;
    for (unsigned m = mask_; m; m &= m - 1, ++rank) out |= (lanes >> (__ffs(int(m)) - 1) & 1) << rank;
    return out;
  }
};

class coalesced_group : public lane_group {
 public:
  explicit coalesced_group(unsigned mask) : lane_group(mask) {}
  unsigned meta_group_size() const { return 1; }
  unsigned meta_group_rank() const { return 0; }
};
PNSIM_INLINE coalesced_group coalesced_threads(PNSIM_HERE) { return coalesced_group(pnsim_active_mask(file, line)); }

template <unsigned Size, typename Parent = void, bool Small = (Size <= 32)>
class thread_block_tile : public lane_group {
 public:
  static_assert(Size && !(Size & (Size - 1)), "the size of a tile must be a power of two");
  template <typename P> explicit thread_block_tile(const P&) : lane_group(tile_mask()) {}
  template <typename P> thread_block_tile(const thread_block_tile<Size, P, true>&) : lane_group(tile_mask()) {}
  static constexpr unsigned size() { return Size; }
  static constexpr unsigned num_threads() { return Size; }
  static unsigned thread_rank() { return pnsim::linear() % Size; }
  static unsigned meta_group_size() { return (details::block_threads() + Size - 1) / Size; }
  static unsigned meta_group_rank() { return pnsim::linear() / Size; }
  template <typename T> T shfl(T v, int rank, PNSIM_HERE) const { return pnsim::shuffle(PNSIM_SHFL_IDX, mask_, v, rank, int(Size), file, line); }
  template <typename T> T shfl_down(T v, unsigned d, PNSIM_HERE) const { return pnsim::shuffle(PNSIM_SHFL_DOWN, mask_, v, int(d), int(Size), file, line); }
  template <typename T> T shfl_up(T v, unsigned d, PNSIM_HERE) const { return pnsim::shuffle(PNSIM_SHFL_UP, mask_, v, int(d), int(Size), file, line); }
  template <typename T> T shfl_xor(T v, unsigned d, PNSIM_HERE) const { return pnsim::shuffle(PNSIM_SHFL_XOR, mask_, v, int(d), int(Size), file, line); }

 private:
  static unsigned tile_mask() {
    if (Size == 32) return 0xffffffffu;
    return ((1u << (Size % 32)) - 1) << (pnsim::lane() & ~(Size - 1) & 31);
  }
};

template <unsigned Size, typename Parent>
class thread_block_tile<Size, Parent, false> : public thread_group {
 public:
  template <typename P> explicit thread_block_tile(const P&)
      : thread_group(Size, pnsim::linear() % Size, pnsim::linear() / Size * Size, 0) {}
  template <typename P> thread_block_tile(const thread_block_tile<Size, P, false>& other) : thread_group(other) {}
  static unsigned meta_group_size() { return (details::block_threads() + Size - 1) / Size; }
  static unsigned meta_group_rank() { return pnsim::linear() / Size; }
};

template <unsigned Size, typename Parent>
PNSIM_INLINE thread_block_tile<Size, Parent> tiled_partition(const Parent& parent) {
  return thread_block_tile<Size, Parent>(parent);
}
inline thread_group tiled_partition(const thread_group& parent, unsigned size) {
  const unsigned linear = pnsim::linear(), lane = pnsim::lane();
  if (size > 32) return thread_group(size, linear % size, linear / size * size, 0);
  const unsigned mask = size == 32 ? 0xffffffffu : ((1u << size) - 1) << (lane & ~(size - 1));
  return thread_group(size, lane % size, linear / size * size, parent.mask() ? mask & parent.mask() : mask);
}
template <typename Group>
PNSIM_INLINE coalesced_group binary_partition(const Group& g, bool predicate, PNSIM_HERE) {
  const unsigned yes = __ballot_sync(g.mask(), predicate, file, line);
  return coalesced_group(predicate ? yes : g.mask() & ~yes);
}
template <typename Group, typename T>
PNSIM_INLINE coalesced_group labeled_partition(const Group& g, T label, PNSIM_HERE) {
  return coalesced_group(__match_any_sync(g.mask(), label, file, line));
}

template <typename Group> PNSIM_INLINE void sync(const Group& g, PNSIM_HERE) { g.sync(file, line); }

template <typename T> struct plus { T operator()(T a, T b) const { return a + b; } };
template <typename T> struct less { T operator()(T a, T b) const { return b < a ? b : a; } };
template <typename T> struct greater { T operator()(T a, T b) const { return a < b ? b : a; } };
template <typename T> struct bit_and { T operator()(T a, T b) const { return a & b; } };
template <typename T> struct bit_or { T operator()(T a, T b) const { return a | b; } };
template <typename T> struct bit_xor { T operator()(T a, T b) const { return a ^ b; } };

// Any group of up to a warp and any operation: a tree of shuffles, as on hardware.
template <typename Group, typename T, typename Op>
PNSIM_INLINE T reduce(const Group& g, T v, Op op, PNSIM_HERE) {
  const unsigned size = g.size(), rank = g.thread_rank();
  for (unsigned step = 1; step < size; step *= 2) {
    const T other = g.shfl(v, int(rank + step < size ? rank + step : rank), file, line);
    if (rank % (2 * step) == 0 && rank + step < size) v = op(v, other);
  }
  return g.shfl(v, 0, file, line);
}
template <typename Group, typename T, typename Op>
PNSIM_INLINE T inclusive_scan(const Group& g, T v, Op op, PNSIM_HERE) {
  for (unsigned step = 1; step < g.size(); step *= 2) {
    const T other = g.shfl_up(v, step, file, line);
    if (g.thread_rank() >= step) v = op(other, v);
  }
  return v;
}
template <typename Group, typename T>
PNSIM_INLINE T inclusive_scan(const Group& g, T v, PNSIM_HERE) { return inclusive_scan(g, v, plus<T>(), file, line); }
template <typename Group, typename T, typename Op>
PNSIM_INLINE T exclusive_scan(const Group& g, T v, Op op, PNSIM_HERE) {
  const T before = g.shfl_up(inclusive_scan(g, v, op, file, line), 1, file, line);
  return g.thread_rank() ? before : T();
}
template <typename Group, typename T>
PNSIM_INLINE T exclusive_scan(const Group& g, T v, PNSIM_HERE) { return exclusive_scan(g, v, plus<T>(), file, line); }
template <typename Group, typename F>
PNSIM_INLINE void invoke_one(const Group& g, F f) { if (g.thread_rank() == 0) f(); }

// Asynchronous copies: every thread of a group takes its share of words, which are as large as cp.async and the
// alignment allow, or bytes.
namespace details {
PNSIM_INLINE void copy_share(void* to, const void* from, size_t bytes, size_t rank, size_t threads, const char* file, int line) {
  const size_t together = (size_t)to | (size_t)from | bytes;
  const size_t word = together & 3 ? 1 : together & 15 ? 4 : 16;
  for (size_t i = rank * word; i < bytes; i += threads * word) pnsim_copy_async((char*)to + i, (const char*)from + i, word, word, file, line);
}
}  // namespace details
template <typename Group>
PNSIM_INLINE void memcpy_async(const Group& g, void* to, const void* from, size_t bytes, PNSIM_HERE) {
  details::copy_share(to, from, bytes, g.thread_rank(), g.size(), file, line);
  pnsim_copy_commit();
}
template <typename Group> PNSIM_INLINE void wait(const Group& g, PNSIM_HERE) {
  pnsim_copy_wait(0);
  g.sync(file, line);
}
template <unsigned Newest, typename Group> PNSIM_INLINE void wait_prior(const Group& g, PNSIM_HERE) {
  pnsim_copy_wait(Newest);
  g.sync(file, line);
}

}  // namespace cooperative_groups
