// Rows that the threads of a warp or of a block hold in registers: each element is read once, 16 bytes an access.
#pragma once
#include "combine.cuh"
#include "map.cuh"
#include "reduce.cuh"

namespace pyneural {

// Threads that take one row after another together.
template <typename Real, int Sums> struct WarpTeam {
  __device__ __forceinline__ Index first() const { return thread_of_grid() / kWarp; }
  __device__ __forceinline__ Index step() const { return threads_of_grid() / kWarp; }
  __device__ __forceinline__ int rank() const { return threadIdx.x % kWarp; }
  __device__ __forceinline__ int size() const { return kWarp; }
  template <typename Combine> __device__ __forceinline__ Real combine(Real value, Real, const Combine& with) {
    return warp_reduce(value, with);
  }
  template <int Count> __device__ __forceinline__ void sum(Real (&value)[Count]) {
#pragma unroll
    for (int k = 0; k < Count; ++k) value[k] = warp_reduce(value[k], Plus{});
  }
};

// `shared` is used in turns: who writes to one half has passed the barrier after the last read of it.
template <typename Real, int Sums> struct BlockTeam {
  Real (*shared)[Sums][kWarp];
  int turn;

  __device__ __forceinline__ explicit BlockTeam(Real (*shared)[Sums][kWarp]) : shared(shared), turn(0) {}
  __device__ __forceinline__ Index first() const { return blockIdx.x; }
  __device__ __forceinline__ Index step() const { return gridDim.x; }
  __device__ __forceinline__ int rank() const { return threadIdx.x; }
  __device__ __forceinline__ int size() const { return blockDim.x; }
  template <typename Combine> __device__ __forceinline__ Real combine(Real value, Real identity, const Combine& with) {
    turn ^= 1;
    return block_reduce(value, identity, shared[turn][0], with);
  }
  template <int Count> __device__ __forceinline__ void sum(Real (&value)[Count]) {
    static_assert(Count <= Sums, "the shared memory holds fewer sums");
    const int lane = threadIdx.x % kWarp, warp = threadIdx.x / kWarp, warps = blockDim.x / kWarp;
    turn ^= 1;
#pragma unroll
    for (int k = 0; k < Count; ++k) {
      value[k] = warp_reduce(value[k], Plus{});
      if (lane == 0) shared[turn][k][warp] = value[k];
    }
    __syncthreads();
#pragma unroll
    for (int k = 0; k < Count; ++k) value[k] = warp_reduce(lane < warps ? shared[turn][k][lane] : Real(0), Plus{});
  }
};

// `Items` elements of a row a thread, `Width` an access; n is a multiple of Width.
template <typename T, int Items, int Width> struct Held {
  static constexpr int kParts = Items / Width;
  Vector<T, Width> part[kParts];

  __device__ __forceinline__ Computed<T> at(int part_index, int k) const { return widen(part[part_index].item[k]); }
  template <typename Team> __device__ __forceinline__ void load(const Team& team, const T* row, int n) {
    for_parts(team, n, [&](int j, int i) { part[j] = *reinterpret_cast<const Vector<T, Width>*>(row + i); });
  }
  // use(j, i): part j begins at element i of the row.
  template <typename Team, typename Use>
  static __device__ __forceinline__ void for_parts(const Team& team, int n, const Use& use) {
#pragma unroll
    for (int j = 0; j < kParts; ++j) {
      const int i = (j * team.size() + team.rank()) * Width;
      if (i < n) use(j, i);
    }
  }
};

// make(k) for Width elements from `to`, in one access.
template <typename T, int Width, typename Make>
__device__ __forceinline__ void store_part(T* to, const Make& make) {
  Vector<T, Width> result;
#pragma unroll
  for (int k = 0; k < Width; ++k) result.item[k] = narrow<T>(make(k));
  *reinterpret_cast<Vector<T, Width>*>(to) = result;
}

// The same for a type of which Width elements may need several accesses.
template <int Width, typename T> __device__ __forceinline__ void store_wide(T* to, const T (&value)[Width]) {
  constexpr int each = Width * sizeof(T) > 16 ? 16 / int(sizeof(T)) : Width;
#pragma unroll
  for (int part = 0; part < Width; part += each) {
    store_part<T, each>(to + part, [&](int k) { return value[part + k]; });
  }
}

}  // namespace pyneural
