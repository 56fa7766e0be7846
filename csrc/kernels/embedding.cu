// Looking up by indices: rows of a table, elements at computed places, and the places themselves. What is moved is
// words, 16 bytes where rows allow; indices are int32 or int64.
#include <pyneural/selection.cuh>
#include <pyneural/word.cuh>

using namespace pyneural;

template <typename Word, typename Int>
__device__ __forceinline__ void take(
    const Selection& selection, const void* x, const Int* index, void* out, Index n) {
  for (Index i = thread_of_grid(); i < n; i += threads_of_grid()) {
    const Chosen chosen = choose(selection, i);
    static_cast<Word*>(out)[i] = static_cast<const Word*>(x)[chosen.at + added(selection, index[chosen.which])];
  }
}

__global__ void take_1_int32(Selection at, const void* x, const int* index, void* out, Index n) {
  take<Word1>(at, x, index, out, n);
}
__global__ void take_2_int32(Selection at, const void* x, const int* index, void* out, Index n) {
  take<Word2>(at, x, index, out, n);
}
__global__ void take_4_int32(Selection at, const void* x, const int* index, void* out, Index n) {
  take<Word4>(at, x, index, out, n);
}
__global__ void take_8_int32(Selection at, const void* x, const int* index, void* out, Index n) {
  take<Word8>(at, x, index, out, n);
}
__global__ void take_16_int32(Selection at, const void* x, const int* index, void* out, Index n) {
  take<Word16>(at, x, index, out, n);
}
__global__ void take_1_int64(Selection at, const void* x, const Index* index, void* out, Index n) {
  take<Word1>(at, x, index, out, n);
}
__global__ void take_2_int64(Selection at, const void* x, const Index* index, void* out, Index n) {
  take<Word2>(at, x, index, out, n);
}
__global__ void take_4_int64(Selection at, const void* x, const Index* index, void* out, Index n) {
  take<Word4>(at, x, index, out, n);
}
__global__ void take_8_int64(Selection at, const void* x, const Index* index, void* out, Index n) {
  take<Word8>(at, x, index, out, n);
}
__global__ void take_16_int64(Selection at, const void* x, const Index* index, void* out, Index n) {
  take<Word16>(at, x, index, out, n);
}

// An index for each element of the result: of the layout's arrays the first is the index, the second is `x`, which
// has a stride of 0 along the dimension that the indices stand for, and `step` there.
template <typename Word, typename Int>
__device__ __forceinline__ void gather(
    const Layout<2>& layout, Index step, const Word* x, const Int* index, Word* out, Index n) {
  for (Index i = thread_of_grid(); i < n; i += threads_of_grid()) {
    const Places<2> p = places(layout, i);
    out[i] = x[p.at[1] + index[p.at[0]] * step];
  }
}

__global__ void gather_1_int32(Layout<2> at, Index step, const Word1* x, const int* index, Word1* out, Index n) {
  gather(at, step, x, index, out, n);
}
__global__ void gather_2_int32(Layout<2> at, Index step, const Word2* x, const int* index, Word2* out, Index n) {
  gather(at, step, x, index, out, n);
}
__global__ void gather_4_int32(Layout<2> at, Index step, const Word4* x, const int* index, Word4* out, Index n) {
  gather(at, step, x, index, out, n);
}
__global__ void gather_8_int32(Layout<2> at, Index step, const Word8* x, const int* index, Word8* out, Index n) {
  gather(at, step, x, index, out, n);
}
__global__ void gather_1_int64(Layout<2> at, Index step, const Word1* x, const Index* index, Word1* out, Index n) {
  gather(at, step, x, index, out, n);
}
__global__ void gather_2_int64(Layout<2> at, Index step, const Word2* x, const Index* index, Word2* out, Index n) {
  gather(at, step, x, index, out, n);
}
__global__ void gather_4_int64(Layout<2> at, Index step, const Word4* x, const Index* index, Word4* out, Index n) {
  gather(at, step, x, index, out, n);
}
__global__ void gather_8_int64(Layout<2> at, Index step, const Word8* x, const Index* index, Word8* out, Index n) {
  gather(at, step, x, index, out, n);
}

// The places that `gather` would read, without the layout's start.
template <typename Int>
__device__ __forceinline__ void gathered_places(
    const Layout<2>& layout, Index step, const Int* index, Index* out, Index n) {
  for (Index i = thread_of_grid(); i < n; i += threads_of_grid()) {
    const Places<2> p = places(layout, i);
    out[i] = p.at[1] + index[p.at[0]] * step;
  }
}
__global__ void places_int32(Layout<2> at, Index step, const int* index, Index* out, Index n) {
  gathered_places(at, step, index, out, n);
}
__global__ void places_int64(Layout<2> at, Index step, const Index* index, Index* out, Index n) {
  gathered_places(at, step, index, out, n);
}

// A list of places made of several index arrays: each adds its index, from the end of `size` elements where it is
// below 0, times `step`. The first of them writes what the others add to.
template <typename Int>
__device__ __forceinline__ void add_places(
    const Layout<1>& layout, const Int* index, Index size, Index step, Index* out, Index n, bool first) {
  for (Index i = thread_of_grid(); i < n; i += threads_of_grid()) {
    const Index given = index[places(layout, i).at[0]], along = given < 0 ? given + size : given;
    if (along < 0 || along >= size) __trap();  // as in selection.cuh
    const Index place = along * step;
    out[i] = first ? place : out[i] + place;
  }
}
__global__ void add_places_int32(
    Layout<1> at, const int* index, Index size, Index step, Index* out, Index n, bool first) {
  add_places(at, index, size, step, out, n, first);
}
__global__ void add_places_int64(
    Layout<1> at, const Index* index, Index size, Index step, Index* out, Index n, bool first) {
  add_places(at, index, size, step, out, n, first);
}

// The coordinate along one dimension of each true element of a mask, in C order; `up_to` counts the true elements up
// to and with each. `behind` is the number of elements behind the dimension, `size` its length.
__global__ void true_coordinates(
    const bool* mask, const Index* up_to, Index* out, Index n, Index size, Index behind) {
  for (Index i = thread_of_grid(); i < n; i += threads_of_grid()) {
    if (mask[i]) out[up_to[i] - 1] = i / behind % size;
  }
}

// out[i][c] = (index[i] == c), 16 bytes at a time: rows of `classes` columns follow each other without gaps. A warp
// takes a few neighbouring vectors, for most of which the index stays the same.
template <typename Int>
__device__ __forceinline__ void mark(const Int* index, Index* out, Index n, Index classes) {
  constexpr int width = 2, vectors = 4, lanes = 32;
  Index done = 0;
  if (is_aligned<width>(out)) {
    done = n / width * width;
    const Index lane = threadIdx.x % lanes, warps = threads_of_grid() / lanes;
    for (Index warp = thread_of_grid() / lanes; warp * vectors * lanes * width < done; warp += warps) {
      Index last = -1, set = 0;
      for (int v = 0; v < vectors; ++v) {
        const Index i = (warp * vectors + v) * lanes + lane;
        if (i * width >= done) break;
        Index row = i * width / classes, column = i * width - row * classes;
        Vector<Index, width> result;
#pragma unroll
        for (int k = 0; k < width; ++k) {
          if (row != last) set = index[row], last = row;
          result.item[k] = set == column;
          if (++column == classes) column = 0, ++row;
        }
        reinterpret_cast<Vector<Index, width>*>(out)[i] = result;
      }
    }
  }
  for (Index i = done + thread_of_grid(); i < n; i += threads_of_grid()) {
    const Index row = i / classes;
    out[i] = index[row] == i - row * classes;
  }
}
__global__ void one_hot_int32(const int* index, Index* out, Index n, Index classes) { mark(index, out, n, classes); }
__global__ void one_hot_int64(const Index* index, Index* out, Index n, Index classes) { mark(index, out, n, classes); }
