// The place of the first extremum of each contiguous row of PYNEURAL_ELEMENT, a block a row, or of each column.
#include <pyneural/columns.cuh>
#include <pyneural/map.cuh>
#include <pyneural/reduce.cuh>

using namespace pyneural;
using Element = PYNEURAL_ELEMENT;
using Real = Computed<Element>;

// Shuffles take four bytes and more.
template <typename T, bool Narrow> struct Shuffled {
  using type = T;
};
template <typename T> struct Shuffled<T, true> {
  using type = int;
};
using Value = Shuffled<Real, sizeof(Real) < 4>::type;

struct Candidate {
  Value value;
  Index at;
};

// Whether `a` is chosen before `b`: NaN before all, then the more extreme, then the earlier.
template <bool Largest> __device__ __forceinline__ bool precedes(const Candidate& a, const Candidate& b) {
  const bool a_is_nan = a.value != a.value, b_is_nan = b.value != b.value;
  if (a_is_nan != b_is_nan) return a_is_nan;
  if (!a_is_nan && a.value != b.value) return Largest ? a.value > b.value : a.value < b.value;
  return a.at < b.at;
}

template <bool Largest> __device__ __forceinline__ Candidate first_in_warp(Candidate best) {
#pragma unroll
  for (int offset = kWarp / 2; offset > 0; offset /= 2) {
    const Candidate other = {__shfl_xor_sync(kAllLanes, best.value, offset), __shfl_xor_sync(kAllLanes, best.at, offset)};
    if (precedes<Largest>(other, best)) best = other;
  }
  return best;
}

template <bool Largest> __device__ __forceinline__ void search(const Element* x, Index* out, Index rows, Index n) {
  __shared__ Value values[kWarp];
  __shared__ Index places[kWarp];
  const int lane = threadIdx.x % kWarp, warp = threadIdx.x / kWarp, warps = blockDim.x / kWarp;
  for (Index row = blockIdx.x; row < rows; row += gridDim.x) {
    const Element* from = x + row * n;
    const Index own = threadIdx.x < n ? threadIdx.x : 0;
    Candidate best = {static_cast<Value>(widen(from[own])), own};
    for (Index i = threadIdx.x + blockDim.x; i < n; i += blockDim.x) {
      const Candidate next = {static_cast<Value>(widen(from[i])), i};
      if (precedes<Largest>(next, best)) best = next;
    }
    best = first_in_warp<Largest>(best);
    if (lane == 0) {
      values[warp] = best.value;
      places[warp] = best.at;
    }
    __syncthreads();
    if (warp == 0) {
      if (lane < warps) best = {values[lane], places[lane]};
      best = first_in_warp<Largest>(best);
      if (lane == 0) out[row] = best.at;
    }
    __syncthreads();
  }
}

template <bool Largest> __device__ __forceinline__ void search_columns(const Columns& at, const Element* x, Index* out) {
  __shared__ Value values[kColumnThreads];
  __shared__ Index places[kColumnThreads];
  const int own = threadIdx.y * blockDim.x + threadIdx.x;
  at.for_strips([&](Index first, Index column, bool inside) {
    // Threads without a row of their own take the first.
    Candidate best = {Value(0), threadIdx.y < at.n ? threadIdx.y : 0};
    if (inside) {
      best.value = static_cast<Value>(widen(x[first + best.at * at.inner]));
      for (Index i = threadIdx.y + blockDim.y; i < at.n; i += blockDim.y) {
        const Candidate next = {static_cast<Value>(widen(x[first + i * at.inner])), i};
        if (precedes<Largest>(next, best)) best = next;
      }
    }
    // The upper half of the threads of a column hands over what it has to the lower half.
    for (int rows = blockDim.y; rows > 1; rows /= 2) {
      if (threadIdx.y < rows && threadIdx.y >= rows / 2) {
        values[own] = best.value;
        places[own] = best.at;
      }
      __syncthreads();
      if (threadIdx.y < rows / 2) {
        const int other = own + rows / 2 * blockDim.x;
        const Candidate next = {values[other], places[other]};
        if (precedes<Largest>(next, best)) best = next;
      }
    }
    if (inside && threadIdx.y == 0) out[column] = best.at;
    __syncthreads();
  });
}

__global__ void argmax(const Element* x, Index* out, Index rows, Index n) { search<true>(x, out, rows, n); }
__global__ void argmin(const Element* x, Index* out, Index rows, Index n) { search<false>(x, out, rows, n); }
__global__ void __launch_bounds__(1024, 1) argmax_columns(Columns at, const Element* x, Index* out) {
  search_columns<true>(at, x, out);
}
__global__ void __launch_bounds__(1024, 1) argmin_columns(Columns at, const Element* x, Index* out) {
  search_columns<false>(at, x, out);
}
