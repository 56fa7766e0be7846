// Walks through logits (N, classes, span) by position, of which there are N * span: "rows" where span is 1, a few
// lanes a row; else "columns", where neighbouring threads take neighbouring positions and go through their classes.
#pragma once
#include "held_rows.cuh"
#include "map.cuh"
#include "parameter.cuh"

namespace pyneural {

// Filled in by kernels/loss/cuda.py.
struct Classes {
  Index positions, classes, span;
  Index each;  // classes of a piece of a row, or of a position
  int lanes;   // a power of two: threads of a row

  template <typename T> __device__ __forceinline__ bool wide_rows(const T* x) const {
    return classes % (16 / int(sizeof(T))) == 0 && is_aligned<16 / sizeof(T)>(x);
  }
  template <typename T> __device__ __forceinline__ bool wide_columns(const T* x) const {
    return span % (16 / int(sizeof(T))) == 0 && is_aligned<16 / sizeof(T)>(x);
  }
};

__device__ __forceinline__ bool is_aligned_16(const void* p) {
  return reinterpret_cast<unsigned long long>(p) % 16 == 0;
}

// start(row) once a row or piece of it, use(what start gave, c, offset) for Width of its classes from c on.
template <int Width, typename Start, typename Use>
__device__ __forceinline__ void for_rows(const Classes& at, const Start& start, const Use& use) {
  const int rank = threadIdx.x % at.lanes;
  const Index pieces = (at.classes + at.each - 1) / at.each, step = threads_of_grid() / at.lanes;
  for (Index task = thread_of_grid() / at.lanes; task < at.positions * pieces; task += step) {
    const Index row = pieces == 1 ? task : task / pieces, begin = (task - row * pieces) * at.each;
    const Index end = begin + at.each < at.classes ? begin + at.each : at.classes;
    const auto of_row = start(row);
    for (Index c = begin + rank * Width; c < end; c += at.lanes * Width) use(of_row, c, row * at.classes + c);
  }
}

// begin(position) and then use(c, offset) for each class of Width positions, or those of a piece, blockIdx.y; end().
template <int Width, typename Begin, typename Use, typename End>
__device__ __forceinline__ void for_columns(const Classes& at, const Begin& begin, const Use& use, const End& end) {
  const Index first = blockIdx.y * at.each;
  const Index last = first + at.each < at.classes ? first + at.each : at.classes;
  for (Index p = thread_of_grid() * Width; p < at.positions; p += threads_of_grid() * Width) {
    const Index n = p / at.span, base = n * at.classes * at.span + p - n * at.span;
    begin(p);
    for (Index c = first; c < last; ++c) use(c, base + c * at.span);
    end(p);
  }
}

}  // namespace pyneural
