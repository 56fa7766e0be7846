// Walks through a contiguous array (planes, channels, span) by channel: statistics of a channel, and what uses them.
//
// "planes": a block (along, across) takes a piece of one channel, blockIdx.x; `across` planes at once, `along` threads
// in each. "columns": for spans too short for that, channels * span neighbouring columns of `planes` rows: a block of
// (kWarp, kRows) threads takes kWarp * Width columns. blockIdx.y is the piece of the planes (and of long spans).
#pragma once
#include "map.cuh"
#include "reduce.cuh"

namespace pyneural {

constexpr int kRows = 8;  // warps of a block of columns

// The sizes, and how they are cut into pieces. Filled in by kernels/norm/channels.py.
struct Channels {
  Index planes, channels, span;
  Index planes_each, span_each;  // of a piece
};

// A statistic's place: image n, channel c. Batch statistics have `images` 0 and `group` 1, those of groups of
// channels as many as there are groups in an image, and the channels of a group.
struct Places2 {
  Index images, group;
  __device__ __forceinline__ Index of(Index n, Index c) const { return n * images + c / group; }
};

__device__ __forceinline__ int thread_of_block() { return threadIdx.y * blockDim.x + threadIdx.x; }

// use(n, offset): Width elements at `offset` of image n, all of channel blockIdx.x.
template <int Width, typename Use> __device__ __forceinline__ void for_planes(const Channels& at, const Use& use) {
  const Index spans = (at.span + at.span_each - 1) / at.span_each;
  const Index plane_piece = blockIdx.y / spans, span_piece = blockIdx.y - plane_piece * spans;
  const Index first = plane_piece * at.planes_each, start = span_piece * at.span_each;
  const Index last = first + at.planes_each < at.planes ? first + at.planes_each : at.planes;
  const Index end = start + at.span_each < at.span ? start + at.span_each : at.span;
  for (Index n = first + threadIdx.y; n < last; n += blockDim.y) {
    const Index base = (n * at.channels + blockIdx.x) * at.span;
    for (Index i = start + threadIdx.x * Width; i < end; i += blockDim.x * Width) use(n, base + i);
  }
}

// A value for each column of a block, in shared memory: written and read in the columns' order by a thread a column,
// or by the thread that walks down Width columns; neither meets a bank conflict.
template <typename Real, int Width> struct ColumnValues {
  static constexpr int kColumns = kWarp * Width, kStride = kWarp + kWarp / Width;
  Real value[Width * kStride];
  __device__ __forceinline__ Real& of(int column) { return value[column % Width * kStride + column / Width]; }
  __device__ __forceinline__ Real& own(int k) { return value[k * kStride + threadIdx.x]; }
};

// The columns of a block, one strip of them after another.
template <int Width> struct Columns {
  const Channels& at;
  Index columns, first, last, strip;

  __device__ __forceinline__ explicit Columns(const Channels& at) : at(at), columns(at.channels * at.span) {
    first = blockIdx.y * at.planes_each;
    last = first + at.planes_each < at.planes ? first + at.planes_each : at.planes;
    strip = Index(blockIdx.x) * kWarp * Width;
  }
  __device__ __forceinline__ bool more() const { return strip < columns; }
  __device__ __forceinline__ void next() { strip += Index(gridDim.x) * kWarp * Width; }

  // Whether this thread's columns are there: their number is a multiple of Width.
  __device__ __forceinline__ bool inside() const { return strip + threadIdx.x * Width < columns; }
  // use(column, i): one thread a column of the strip, the i-th.
  template <typename Use> __device__ __forceinline__ void for_each(const Use& use) const {
    const int i = thread_of_block();
    if (i < kWarp * Width && strip + i < columns) use(strip + i, i);
  }
  // use(n, offset): Width columns of image n, for each of this thread's rows.
  template <typename Use> __device__ __forceinline__ void for_rows(const Use& use) const {
    if (!inside()) return;
    for (Index n = first + threadIdx.y; n < last; n += kRows) use(n, n * columns + strip + threadIdx.x * Width);
  }
};

// Whether all accesses may be 16 bytes: `run` elements lie behind one another, at the beginning of each array.
template <typename T> __device__ __forceinline__ bool may_be_wide(Index run, const T* a) {
  return run % (16 / int(sizeof(T))) == 0 && is_aligned<16 / sizeof(T)>(a);
}

}  // namespace pyneural
