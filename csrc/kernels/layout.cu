// Arrays joined, and arrays whose dimensions are flipped, rolled, cropped, mirrored or padded: words moved as they
// are, 16 bytes each where sizes and addresses allow.
#include <pyneural/divide.cuh>
#include <pyneural/word.cuh>

using namespace pyneural;

constexpr int kSources = 8;  // arrays that one launch joins

// Of each array the words of a row, and where in a row of the result they begin. A __grid_constant__ stays in constant
// memory though its index is known at run time only.
struct Parts {
  Index width[kSources];
  Index start[kSources];
};

// blockIdx.y is the array.
template <typename Word>
__device__ __forceinline__ void join(
    const Parts& parts, Index rows, Index total, void* out, const void* a, const void* b, const void* c, const void* d,
    const void* e, const void* f, const void* g, const void* h) {
  const void* source = a;
  switch (blockIdx.y) {
    case 1: source = b; break;
    case 2: source = c; break;
    case 3: source = d; break;
    case 4: source = e; break;
    case 5: source = f; break;
    case 6: source = g; break;
    case 7: source = h; break;
  }
  const Word* from = static_cast<const Word*>(source);
  const Index width = parts.width[blockIdx.y];
  Word* to = static_cast<Word*>(out) + parts.start[blockIdx.y];
  for (Index i = thread_of_grid(); i < rows * width; i += threads_of_grid()) {
    const Index row = i / width;
    to[row * (total - width) + i] = from[i];
  }
}

__global__ void cat_1(
    const __grid_constant__ Parts parts, Index rows, Index total, void* out, const void* a, const void* b, const void* c, const void* d,
    const void* e, const void* f, const void* g, const void* h) {
  join<Word1>(parts, rows, total, out, a, b, c, d, e, f, g, h);
}
__global__ void cat_2(
    const __grid_constant__ Parts parts, Index rows, Index total, void* out, const void* a, const void* b, const void* c, const void* d,
    const void* e, const void* f, const void* g, const void* h) {
  join<Word2>(parts, rows, total, out, a, b, c, d, e, f, g, h);
}
__global__ void cat_4(
    const __grid_constant__ Parts parts, Index rows, Index total, void* out, const void* a, const void* b, const void* c, const void* d,
    const void* e, const void* f, const void* g, const void* h) {
  join<Word4>(parts, rows, total, out, a, b, c, d, e, f, g, h);
}
__global__ void cat_8(
    const __grid_constant__ Parts parts, Index rows, Index total, void* out, const void* a, const void* b, const void* c, const void* d,
    const void* e, const void* f, const void* g, const void* h) {
  join<Word8>(parts, rows, total, out, a, b, c, d, e, f, g, h);
}
__global__ void cat_16(
    const __grid_constant__ Parts parts, Index rows, Index total, void* out, const void* a, const void* b, const void* c, const void* d,
    const void* e, const void* f, const void* g, const void* h) {
  join<Word16>(parts, rows, total, out, a, b, c, d, e, f, g, h);
}

constexpr int kPieces = 3;

// Each dimension of the result in up to three pieces that end at `end`. Coordinate c of piece p is the input's
// start + step c, with a step of 1, 0 or -1; below 0 it lies outside, where the result is filled.
struct Remap {
  Index ndim;
  Index base;
  Sizes sizes;
  Index stride[kMaxDims];
  Index end[kPieces - 1][kMaxDims];
  Index start[kPieces][kMaxDims];
  Index step[kPieces][kMaxDims];
};

template <typename Word>
__device__ __forceinline__ void remap(
    const Remap& map, const void* x, void* out, Index n, unsigned long long pattern) {
  const Word* from = static_cast<const Word*>(x);
  const Word fill = filled<Word>(pattern);
  for (Index i = thread_of_grid(); i < n; i += threads_of_grid()) {
    Index rest = i, at = map.base;
    bool inside = true;
    for (int d = static_cast<int>(map.ndim) - 1; d >= 0; --d) {
      const Split at_dim = split(map.sizes, d, rest);
      const Index along = at_dim.remainder;
      const int piece = along < map.end[0][d] ? 0 : along < map.end[1][d] ? 1 : 2;
      const Index source = map.start[piece][d] + map.step[piece][d] * along;
      inside = inside && source >= 0;
      at += source * map.stride[d];
      rest = at_dim.quotient;
    }
    static_cast<Word*>(out)[i] = inside ? from[at] : fill;
  }
}

__global__ void remap_1(Remap map, const void* x, void* out, Index n, unsigned long long fill) {
  remap<Word1>(map, x, out, n, fill);
}
__global__ void remap_2(Remap map, const void* x, void* out, Index n, unsigned long long fill) {
  remap<Word2>(map, x, out, n, fill);
}
__global__ void remap_4(Remap map, const void* x, void* out, Index n, unsigned long long fill) {
  remap<Word4>(map, x, out, n, fill);
}
__global__ void remap_8(Remap map, const void* x, void* out, Index n, unsigned long long fill) {
  remap<Word8>(map, x, out, n, fill);
}
__global__ void remap_16(Remap map, const void* x, void* out, Index n, unsigned long long fill) {
  remap<Word16>(map, x, out, n, fill);
}

// Matrices of `height` rows and `width` columns, zero above (lower) or below (not lower) a diagonal. Vectors
// that hold nothing but zeros are not read.
template <typename Word>
__device__ __forceinline__ void triangle(
    const Word* x, Word* out, Index n, Index height, Index width, Index diagonal, bool lower) {
  constexpr int items = 16 / sizeof(Word);
  const auto kept = [&](Index row, Index column) {
    return lower ? column <= row + diagonal : column >= row + diagonal;
  };
  Index done = 0;
  if (is_aligned<items>(x) && is_aligned<items>(out)) {
    const Index vectors = n / items;
    for (Index i = thread_of_grid(); i < vectors; i += threads_of_grid()) {
      const Index line = i * items / width;
      Index column = i * items - line * width, row = line % height;
      unsigned keep = 0;
#pragma unroll
      for (int k = 0; k < items; ++k) {
        keep |= unsigned(kept(row, column)) << k;
        if (++column == width) {
          column = 0;
          if (++row == height) row = 0;
        }
      }
      Vector<Word, items> result{};
      if (keep != 0) {
        result = load_vector<items>(x, i);
#pragma unroll
        for (int k = 0; k < items; ++k) {
          if (!(keep >> k & 1)) result.item[k] = Word(0);
        }
      }
      reinterpret_cast<Vector<Word, items>*>(out)[i] = result;
    }
    done = vectors * items;
  }
  for (Index i = done + thread_of_grid(); i < n; i += threads_of_grid()) {
    const Index line = i / width;
    out[i] = kept(line % height, i - line * width) ? x[i] : Word(0);
  }
}

__global__ void triangle_1(
    const Word1* x, Word1* out, Index n, Index height, Index width, Index diagonal, bool lower) {
  triangle(x, out, n, height, width, diagonal, lower);
}
__global__ void triangle_2(
    const Word2* x, Word2* out, Index n, Index height, Index width, Index diagonal, bool lower) {
  triangle(x, out, n, height, width, diagonal, lower);
}
__global__ void triangle_4(
    const Word4* x, Word4* out, Index n, Index height, Index width, Index diagonal, bool lower) {
  triangle(x, out, n, height, width, diagonal, lower);
}
__global__ void triangle_8(
    const Word8* x, Word8* out, Index n, Index height, Index width, Index diagonal, bool lower) {
  triangle(x, out, n, height, width, diagonal, lower);
}
