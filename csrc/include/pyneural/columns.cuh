// Columns of an array (outer, n, inner): neighbouring threads along x take neighbouring columns, the others of a block
// share the rows of those, and keep them in registers where they are not too many. Each element is then read once.
#pragma once
#include "combine.cuh"
#include "map.cuh"
#include "reduce.cuh"

namespace pyneural {

// A block of (lanes, rows) threads, rows a power of two; made by kernels/columns_launch.py.
struct Columns {
  Index outer, n, inner;

  __device__ __forceinline__ Index strips() const { return (inner + blockDim.x - 1) / blockDim.x; }
  // use(offset of the column's first element, column of all, whether there is one) for each strip of a block.
  template <typename Use> __device__ __forceinline__ void for_strips(const Use& use) const {
    for (Index strip = blockIdx.x; strip < outer * strips(); strip += gridDim.x) {
      const Index plane = strip / strips(), column = (strip - plane * strips()) * blockDim.x + threadIdx.x;
      use(plane * n * inner + column, plane * inner + column, column < inner);
    }
  }
  // use(i) for the rows of a thread.
  template <typename Use> __device__ __forceinline__ void for_rows(const Use& use) const {
    for (Index i = threadIdx.y; i < n; i += blockDim.y) use(i);
  }
};

constexpr int kColumnThreads = 1024;  // at most

// Combines what the threads of a column have, in every one of them. `shared` is used in turns: who writes to one half
// has passed the barrier after the last read of it.
template <typename Value> struct ColumnTeam {
  Value (*shared)[kColumnThreads];
  int turn;

  __device__ __forceinline__ explicit ColumnTeam(Value (*shared)[kColumnThreads]) : shared(shared), turn(0) {}
  template <typename Combine> __device__ __forceinline__ Value combine(const Value& value, const Combine& with) {
    turn ^= 1;
    Value* own = &shared[turn][threadIdx.y * blockDim.x + threadIdx.x];
    *own = value;
    for (int rows = blockDim.y / 2; rows > 0; rows /= 2) {
      __syncthreads();
      if (threadIdx.y < rows) *own = with(*own, own[rows * blockDim.x]);
    }
    __syncthreads();
    return shared[turn][threadIdx.x];
  }
};

// `Items` elements of a column a thread: all of its rows where n is at most Items * blockDim.y.
template <typename T, int Items> struct HeldColumn {
  T item[Items];

  __device__ __forceinline__ Computed<T> at(int j) const { return widen(item[j]); }
  __device__ __forceinline__ void load(const Columns& at, const T* from) {
    for_rows(at, [&](int j, Index i) { item[j] = from[i * at.inner]; });
  }
  // use(j, i): item j is of row i.
  template <typename Use> static __device__ __forceinline__ void for_rows(const Columns& at, const Use& use) {
#pragma unroll
    for (int j = 0; j < Items; ++j) {
      const Index i = Index(j) * blockDim.y + threadIdx.y;
      if (i < at.n) use(j, i);
    }
  }
};

}  // namespace pyneural
