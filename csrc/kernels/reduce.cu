// Sums, means, products, extrema and truth of PYNEURAL_ELEMENT over the middle of an array (outer, n, inner).
//
// "rows" reduce where inner is 1: a warp a row, or a block where rows are long. "columns" reduce the rest:
// neighbouring threads take neighbouring columns, eight warps share the rows of a block. Where there are too few
// results to fill a GPU, the reduced dimension is cut into chunks: the "partial" kernels write one value a chunk,
// (outer, inner, chunks), and the "final" kernels reduce those.
#include <pyneural/map.cuh>
#include <pyneural/reduce.cuh>

using namespace pyneural;
using Element = PYNEURAL_ELEMENT;

constexpr int kRows = 8;  // warps of a block

template <typename T, bool Floating> struct Numbers {  // of integers
  using Sum = long long;
  using Extremum = T;  // as the shuffles take it: narrower ones are promoted by `Shuffled`
};
template <typename T> struct Numbers<T, true> {
  using Sum = Computed<T>;
  using Extremum = Computed<T>;
};
template <typename T, bool Narrow> struct Shuffled {
  using type = T;
};
template <typename T> struct Shuffled<T, true> {
  using type = int;
};
constexpr bool kFloating = Traits<Element>::floating;
using Sum = Numbers<Element, kFloating>::Sum;
using Extremum = Shuffled<Numbers<Element, kFloating>::Extremum, sizeof(Numbers<Element, kFloating>::Extremum) < 4>::type;
template <bool Floating> struct SumResult {
  using type = long long;
};
template <> struct SumResult<true> {
  using type = Element;
};
using Total = SumResult<kFloating>::type;

// An operation: what it accumulates in, an element or a partial result as that, what no element gives (an extremum
// of nothing does not exist, any element of the row serves), and the result from all of `count` elements.
struct Add {
  using Value = Sum;
  using Result = Total;
  template <typename In> static __device__ __forceinline__ Value load(const In* x, Index i) { return Value(widen(x[i])); }
  template <typename In> static __device__ __forceinline__ Value start(const In*, Index) { return Value(0); }
  __device__ __forceinline__ Value operator()(Value a, Value b) const { return a + b; }
  __device__ __forceinline__ Result finish(Value sum, Index) const { return narrow<Result>(sum); }
};
struct Average : Add {
  __device__ __forceinline__ Result finish(Value sum, Index count) const {
    return narrow<Result>(sum / static_cast<Value>(count));
  }
};
struct Multiply : Add {
  template <typename In> static __device__ __forceinline__ Value start(const In*, Index) { return Value(1); }
  __device__ __forceinline__ Value operator()(Value a, Value b) const { return a * b; }
};
// NaN spreads.
struct Largest {
  using Value = Extremum;
  using Result = Element;
  template <typename In> static __device__ __forceinline__ Value load(const In* x, Index i) { return Value(widen(x[i])); }
  template <typename In> static __device__ __forceinline__ Value start(const In* x, Index any) { return load(x, any); }
  __device__ __forceinline__ Value operator()(Value a, Value b) const { return a > b || a != a ? a : b; }
  __device__ __forceinline__ Result finish(Value value, Index) const { return narrow<Result>(value); }
};
struct Smallest : Largest {
  __device__ __forceinline__ Value operator()(Value a, Value b) const { return a < b || a != a ? a : b; }
};
// NaN is not zero, and so it is true.
struct Either {
  using Value = int;
  using Result = bool;
  template <typename In> static __device__ __forceinline__ Value load(const In* x, Index i) {
    return widen(x[i]) != Computed<In>(0);
  }
  template <typename In> static __device__ __forceinline__ Value start(const In*, Index) { return 0; }
  __device__ __forceinline__ Value operator()(Value a, Value b) const { return a | b; }
  __device__ __forceinline__ Result finish(Value value, Index) const { return value != 0; }
};
struct Both : Either {
  template <typename In> static __device__ __forceinline__ Value start(const In*, Index) { return 1; }
  __device__ __forceinline__ Value operator()(Value a, Value b) const { return a & b; }
};

// Elements [begin, end) of a row, by the threads of a warp or a block.
template <typename Op, typename In>
__device__ __forceinline__ typename Op::Value row_part(
    const Op& op, const In* row, Index begin, Index end, int thread, int threads) {
  typename Op::Value value = Op::start(row, begin);
  for (Index i = begin + thread; i < end; i += threads) value = op(value, Op::load(row, i));
  return value;
}

// A warp a row.
template <typename Op, typename In>
__device__ __forceinline__ void reduce_short(
    const Op& op, const In* x, typename Op::Result* out, Index rows, Index n, Index count) {
  const int lane = threadIdx.x % kWarp;
  const Index warps = threads_of_grid() / kWarp;
  for (Index row = thread_of_grid() / kWarp; row < rows; row += warps) {
    const auto value = warp_reduce(row_part(op, x + row * n, 0, n, lane, kWarp), op);
    if (lane == 0) out[row] = op.finish(value, count);
  }
}

// A block for each chunk of each row; blockIdx.y is the chunk.
template <typename Op, typename Store>
__device__ __forceinline__ void reduce_long(const Op& op, const Element* x, Index rows, Index n, Index chunk, const Store& store) {
  __shared__ typename Op::Value shared[kWarp];
  const Index begin = blockIdx.y * chunk, end = begin + chunk < n ? begin + chunk : n;
  for (Index row = blockIdx.x; row < rows; row += gridDim.x) {
    const auto part = row_part(op, x + row * n, begin, end, threadIdx.x, blockDim.x);
    const auto value = block_reduce(part, Op::start(x + row * n, begin), shared, op);
    if (threadIdx.x == 0) store(row, value);
    __syncthreads();
  }
}

// A block of (kWarp, kRows) threads for kWarp columns; blockIdx.y is the chunk.
template <typename Op, typename Store>
__device__ __forceinline__ void reduce_columns(
    const Op& op, const Element* x, Index outer, Index n, Index inner, Index chunk, const Store& store) {
  using Value = typename Op::Value;
  __shared__ Value shared[kRows][kWarp];
  const Index begin = blockIdx.y * chunk, end = begin + chunk < n ? begin + chunk : n;
  const Index strips = (inner + kWarp - 1) / kWarp;
  for (Index strip = blockIdx.x; strip < outer * strips; strip += gridDim.x) {
    const Index plane = strip / strips, column = (strip - plane * strips) * kWarp + threadIdx.x;
    const Element* top = x + plane * n * inner + column;
    if (column < inner) {
      Value value = Op::start(top, begin * inner);
      for (Index i = begin + threadIdx.y; i < end; i += kRows) value = op(value, Op::load(top, i * inner));
      shared[threadIdx.y][threadIdx.x] = value;
    }
    __syncthreads();
    if (column < inner && threadIdx.y == 0) {
      Value value = shared[0][threadIdx.x];
#pragma unroll
      for (int k = 1; k < kRows; ++k) value = op(value, shared[k][threadIdx.x]);
      store(plane * inner + column, value);
    }
    __syncthreads();
  }
}

template <typename Op>
__device__ __forceinline__ void rows_of(const Op& op, const Element* x, typename Op::Result* out, Index rows, Index n) {
  reduce_long(op, x, rows, n, n, [&](Index row, typename Op::Value value) { out[row] = op.finish(value, n); });
}
template <typename Op>
__device__ __forceinline__ void partial_rows_of(
    const Op& op, const Element* x, typename Op::Value* out, Index rows, Index n, Index chunk) {
  reduce_long(op, x, rows, n, chunk, [&](Index row, typename Op::Value value) {
    out[row * gridDim.y + blockIdx.y] = value;
  });
}
template <typename Op>
__device__ __forceinline__ void columns_of(
    const Op& op, const Element* x, typename Op::Result* out, Index outer, Index n, Index inner) {
  reduce_columns(op, x, outer, n, inner, n, [&](Index i, typename Op::Value value) { out[i] = op.finish(value, n); });
}
template <typename Op>
__device__ __forceinline__ void partial_columns_of(
    const Op& op, const Element* x, typename Op::Value* out, Index outer, Index n, Index inner, Index chunk) {
  reduce_columns(op, x, outer, n, inner, chunk, [&](Index i, typename Op::Value value) {
    out[i * gridDim.y + blockIdx.y] = value;
  });
}

__global__ void sum_short(const Element* x, Total* out, Index rows, Index n) { reduce_short(Add{}, x, out, rows, n, n); }
__global__ void sum_rows(const Element* x, Total* out, Index rows, Index n) { rows_of(Add{}, x, out, rows, n); }
__global__ void sum_columns(const Element* x, Total* out, Index outer, Index n, Index inner) {
  columns_of(Add{}, x, out, outer, n, inner);
}
__global__ void sum_partial_rows(const Element* x, Sum* out, Index rows, Index n, Index chunk) {
  partial_rows_of(Add{}, x, out, rows, n, chunk);
}
__global__ void sum_partial_columns(const Element* x, Sum* out, Index outer, Index n, Index inner, Index chunk) {
  partial_columns_of(Add{}, x, out, outer, n, inner, chunk);
}
__global__ void sum_final(const Sum* x, Total* out, Index rows, Index chunks, Index count) {
  reduce_short(Add{}, x, out, rows, chunks, count);
}

__global__ void mean_short(const Element* x, Total* out, Index rows, Index n) {
  reduce_short(Average{}, x, out, rows, n, n);
}
__global__ void mean_rows(const Element* x, Total* out, Index rows, Index n) { rows_of(Average{}, x, out, rows, n); }
__global__ void mean_columns(const Element* x, Total* out, Index outer, Index n, Index inner) {
  columns_of(Average{}, x, out, outer, n, inner);
}
__global__ void mean_final(const Sum* x, Total* out, Index rows, Index chunks, Index count) {
  reduce_short(Average{}, x, out, rows, chunks, count);
}

__global__ void amax_short(const Element* x, Element* out, Index rows, Index n) {
  reduce_short(Largest{}, x, out, rows, n, n);
}
__global__ void amax_rows(const Element* x, Element* out, Index rows, Index n) { rows_of(Largest{}, x, out, rows, n); }
__global__ void amax_columns(const Element* x, Element* out, Index outer, Index n, Index inner) {
  columns_of(Largest{}, x, out, outer, n, inner);
}
__global__ void amax_partial_rows(const Element* x, Extremum* out, Index rows, Index n, Index chunk) {
  partial_rows_of(Largest{}, x, out, rows, n, chunk);
}
__global__ void amax_partial_columns(
    const Element* x, Extremum* out, Index outer, Index n, Index inner, Index chunk) {
  partial_columns_of(Largest{}, x, out, outer, n, inner, chunk);
}
__global__ void amax_final(const Extremum* x, Element* out, Index rows, Index chunks, Index count) {
  reduce_short(Largest{}, x, out, rows, chunks, count);
}

__global__ void amin_short(const Element* x, Element* out, Index rows, Index n) {
  reduce_short(Smallest{}, x, out, rows, n, n);
}
__global__ void amin_rows(const Element* x, Element* out, Index rows, Index n) {
  rows_of(Smallest{}, x, out, rows, n);
}
__global__ void amin_columns(const Element* x, Element* out, Index outer, Index n, Index inner) {
  columns_of(Smallest{}, x, out, outer, n, inner);
}
__global__ void amin_partial_rows(const Element* x, Extremum* out, Index rows, Index n, Index chunk) {
  partial_rows_of(Smallest{}, x, out, rows, n, chunk);
}
__global__ void amin_partial_columns(
    const Element* x, Extremum* out, Index outer, Index n, Index inner, Index chunk) {
  partial_columns_of(Smallest{}, x, out, outer, n, inner, chunk);
}
__global__ void amin_final(const Extremum* x, Element* out, Index rows, Index chunks, Index count) {
  reduce_short(Smallest{}, x, out, rows, chunks, count);
}

__global__ void prod_short(const Element* x, Total* out, Index rows, Index n) {
  reduce_short(Multiply{}, x, out, rows, n, n);
}
__global__ void prod_rows(const Element* x, Total* out, Index rows, Index n) { rows_of(Multiply{}, x, out, rows, n); }
__global__ void prod_columns(const Element* x, Total* out, Index outer, Index n, Index inner) {
  columns_of(Multiply{}, x, out, outer, n, inner);
}
__global__ void prod_partial_rows(const Element* x, Sum* out, Index rows, Index n, Index chunk) {
  partial_rows_of(Multiply{}, x, out, rows, n, chunk);
}
__global__ void prod_partial_columns(
    const Element* x, Sum* out, Index outer, Index n, Index inner, Index chunk) {
  partial_columns_of(Multiply{}, x, out, outer, n, inner, chunk);
}
__global__ void prod_final(const Sum* x, Total* out, Index rows, Index chunks, Index count) {
  reduce_short(Multiply{}, x, out, rows, chunks, count);
}

__global__ void any_short(const Element* x, bool* out, Index rows, Index n) {
  reduce_short(Either{}, x, out, rows, n, n);
}
__global__ void any_rows(const Element* x, bool* out, Index rows, Index n) { rows_of(Either{}, x, out, rows, n); }
__global__ void any_columns(const Element* x, bool* out, Index outer, Index n, Index inner) {
  columns_of(Either{}, x, out, outer, n, inner);
}
__global__ void any_partial_rows(const Element* x, int* out, Index rows, Index n, Index chunk) {
  partial_rows_of(Either{}, x, out, rows, n, chunk);
}
__global__ void any_partial_columns(
    const Element* x, int* out, Index outer, Index n, Index inner, Index chunk) {
  partial_columns_of(Either{}, x, out, outer, n, inner, chunk);
}
__global__ void any_final(const int* x, bool* out, Index rows, Index chunks, Index count) {
  reduce_short(Either{}, x, out, rows, chunks, count);
}

__global__ void all_short(const Element* x, bool* out, Index rows, Index n) {
  reduce_short(Both{}, x, out, rows, n, n);
}
__global__ void all_rows(const Element* x, bool* out, Index rows, Index n) { rows_of(Both{}, x, out, rows, n); }
__global__ void all_columns(const Element* x, bool* out, Index outer, Index n, Index inner) {
  columns_of(Both{}, x, out, outer, n, inner);
}
__global__ void all_partial_rows(const Element* x, int* out, Index rows, Index n, Index chunk) {
  partial_rows_of(Both{}, x, out, rows, n, chunk);
}
__global__ void all_partial_columns(
    const Element* x, int* out, Index outer, Index n, Index inner, Index chunk) {
  partial_columns_of(Both{}, x, out, outer, n, inner, chunk);
}
__global__ void all_final(const int* x, bool* out, Index rows, Index chunks, Index count) {
  reduce_short(Both{}, x, out, rows, chunks, count);
}
