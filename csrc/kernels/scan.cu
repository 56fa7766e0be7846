// Cumulative sums of PYNEURAL_ELEMENT along the middle of an array (outer, n, inner), forwards or from the end.
//
// "rows" take inner = 1: a warp a short row, a block a long one, tile after tile with the sum so far in a register:
// each element is read and written once. "columns" give a thread each column. Where there are too few of either to
// fill a GPU, each is cut into chunks ("reduce, then scan"): the "totals" kernels sum the chunks, `starts` makes of
// these what each chunk begins with, and the chunks are scanned. A chain of tiles that wait for each other
// ("decoupled look-back") would read once as well, but add in an order that depends on timing.
#include <pyneural/scan.cuh>

using namespace pyneural;
using Element = PYNEURAL_ELEMENT;

template <bool Floating> struct Numbers {  // integers and bool
  using Sum = long long;
  using Result = long long;
};
template <> struct Numbers<true> {
  using Sum = Computed<Element>;
  using Result = Element;
};
using Sum = Numbers<Traits<Element>::floating>::Sum;
using Result = Numbers<Traits<Element>::floating>::Result;

constexpr int kWidth = vector_width<Element, Result>();
constexpr int kWarps = 8;

// `Width` elements of a row from the i-th on, in the direction of the scan; 0 beyond its end.
template <int Width, bool Reverse, typename In, typename Value>
__device__ __forceinline__ void load(const In* row, Index n, Index i, Value (&value)[Width]) {
  if (Width > 1) {  // whole vectors only
    if (i < n) {
      const auto vector = load_vector<Width>(row, (Reverse ? n - Width - i : i) / Width);
#pragma unroll
      for (int k = 0; k < Width; ++k) value[k] = Value(widen(vector.item[Reverse ? Width - 1 - k : k]));
    } else {
#pragma unroll
      for (int k = 0; k < Width; ++k) value[k] = Value(0);
    }
  } else {
    value[0] = i < n ? Value(widen(row[Reverse ? n - 1 - i : i])) : Value(0);
  }
}

template <int Width, bool Reverse, typename Out, typename Value>
__device__ __forceinline__ void store(Out* row, Index n, Index i, const Value (&value)[Width]) {
  if (i >= n) return;
  if (Width > 1) {
    Vector<Out, Width> vector;
#pragma unroll
    for (int k = 0; k < Width; ++k) vector.item[Reverse ? Width - 1 - k : k] = narrow<Out>(value[k]);
    reinterpret_cast<Vector<Out, Width>*>(row)[(Reverse ? n - Width - i : i) / Width] = vector;
  } else {
    row[Reverse ? n - 1 - i : i] = narrow<Out>(value[0]);
  }
}

template <int Width, bool Reverse>
__device__ __forceinline__ void warp_rows(const Element* x, Result* out, Index rows, Index n) {
  const int lane = threadIdx.x % kWarp;
  const Index warps = threads_of_grid() / kWarp;
  for (Index row = thread_of_grid() / kWarp; row < rows; row += warps) {
    Sum carry = 0;
    for (Index tile = 0; tile < n; tile += kWarp * Width) {
      Sum value[Width];
      load<Width, Reverse>(x + row * n, n, tile + lane * Width, value);
      carry = warp_tile_scan(value, carry);
      store<Width, Reverse>(out + row * n, n, tile + lane * Width, value);
    }
  }
}

// blockIdx.y is the chunk, of whole tiles; `starts` is what each chunk of each row begins with, or null for 0.
template <int Width, bool Reverse>
__device__ __forceinline__ void block_rows(
    const Element* x, Result* out, Index rows, Index n, Index chunk, const Sum* starts) {
  __shared__ Sum shared[kWarps];
  const Index begin = blockIdx.y * chunk, end = begin + chunk < n ? begin + chunk : n;
  for (Index row = blockIdx.x; row < rows; row += gridDim.x) {
    Sum carry = starts ? starts[row * gridDim.y + blockIdx.y] : Sum(0);
    for (Index tile = begin; tile < end; tile += blockDim.x * Width) {
      Sum value[Width];
      load<Width, Reverse>(x + row * n, n, tile + threadIdx.x * Width, value);
      carry = block_tile_scan(value, carry, shared);
      store<Width, Reverse>(out + row * n, n, tile + threadIdx.x * Width, value);
    }
  }
}

// Vectors where every row begins at a multiple of their size.
template <typename In, typename Out> __device__ __forceinline__ bool vectors(const In* x, const Out* out, Index n) {
  return n % kWidth == 0 && is_aligned<kWidth>(x) && is_aligned<kWidth>(out);
}

template <bool Reverse>
__device__ __forceinline__ void short_rows(const Element* x, Result* out, Index rows, Index n) {
  if (vectors(x, out, n)) {
    warp_rows<kWidth, Reverse>(x, out, rows, n);
  } else {
    warp_rows<1, Reverse>(x, out, rows, n);
  }
}
template <bool Reverse>
__device__ __forceinline__ void long_rows(
    const Element* x, Result* out, Index rows, Index n, Index chunk, const Sum* starts) {
  if (vectors(x, out, n)) {
    block_rows<kWidth, Reverse>(x, out, rows, n, chunk, starts);
  } else {
    block_rows<1, Reverse>(x, out, rows, n, chunk, starts);
  }
}

__global__ void rows_short(const Element* x, Result* out, Index rows, Index n) { short_rows<false>(x, out, rows, n); }
__global__ void rows_short_reverse(const Element* x, Result* out, Index rows, Index n) {
  short_rows<true>(x, out, rows, n);
}
__global__ void rows_long(const Element* x, Result* out, Index rows, Index n, Index chunk, const Sum* starts) {
  long_rows<false>(x, out, rows, n, chunk, starts);
}
__global__ void rows_long_reverse(const Element* x, Result* out, Index rows, Index n, Index chunk, const Sum* starts) {
  long_rows<true>(x, out, rows, n, chunk, starts);
}

struct Add {
  __device__ __forceinline__ Sum operator()(Sum a, Sum b) const { return a + b; }
};

// The sum of each chunk of each row, (rows, chunks), chunks counted in the direction of the scan.
template <bool Reverse>
__device__ __forceinline__ void row_totals(const Element* x, Sum* totals, Index rows, Index n, Index chunk) {
  __shared__ Sum shared[kWarps];
  const Index begin = blockIdx.y * chunk, end = begin + chunk < n ? begin + chunk : n;
  const Index first = Reverse ? n - end : begin;
  for (Index row = blockIdx.x; row < rows; row += gridDim.x) {
    Sum sum = 0;
    for (Index i = threadIdx.x; i < end - begin; i += blockDim.x) sum += Sum(widen(x[row * n + first + i]));
    sum = block_reduce(sum, Sum(0), shared, Add{});
    if (threadIdx.x == 0) totals[row * gridDim.y + blockIdx.y] = sum;
    __syncthreads();
  }
}

__global__ void rows_totals(const Element* x, Sum* totals, Index rows, Index n, Index chunk) {
  row_totals<false>(x, totals, rows, n, chunk);
}
__global__ void rows_totals_reverse(const Element* x, Sum* totals, Index rows, Index n, Index chunk) {
  row_totals<true>(x, totals, rows, n, chunk);
}

// In place, of each row of totals the sums before each: a warp a row.
__global__ void starts(Sum* totals, Index rows, Index chunks) {
  const int lane = threadIdx.x % kWarp;
  const Index warps = threads_of_grid() / kWarp;
  for (Index row = thread_of_grid() / kWarp; row < rows; row += warps) {
    Sum carry = 0;
    for (Index tile = 0; tile < chunks; tile += kWarp) {
      Sum* at = totals + row * chunks + tile + lane;
      const Sum running = warp_scan(tile + lane < chunks ? *at : Sum(0));
      const Sum before = carry + before_lane(running);
      if (tile + lane < chunks) *at = before;
      carry += __shfl_sync(kAllLanes, running, kWarp - 1);
    }
  }
}

// A thread a column; blockIdx.y is the chunk. With `out` the scan, else the totals.
template <bool Reverse>
__device__ __forceinline__ void scan_columns(
    const Element* x, Result* out, Index outer, Index n, Index inner, Index chunk, const Sum* starts, Sum* totals) {
  const Index begin = blockIdx.y * chunk, end = begin + chunk < n ? begin + chunk : n;
  for (Index column = thread_of_grid(); column < outer * inner; column += threads_of_grid()) {
    const Index plane = column / inner, first = (plane * n + (Reverse ? n - 1 : 0)) * inner + column - plane * inner;
    const Index step = Reverse ? -inner : inner;
    Sum sum = starts ? starts[column * gridDim.y + blockIdx.y] : Sum(0);
#pragma unroll 4
    for (Index i = begin; i < end; ++i) {
      sum += Sum(widen(x[first + i * step]));
      if (out) out[first + i * step] = narrow<Result>(sum);
    }
    if (totals) totals[column * gridDim.y + blockIdx.y] = sum;
  }
}

__global__ void columns(
    const Element* x, Result* out, Index outer, Index n, Index inner, Index chunk, const Sum* starts) {
  scan_columns<false>(x, out, outer, n, inner, chunk, starts, nullptr);
}
__global__ void columns_reverse(
    const Element* x, Result* out, Index outer, Index n, Index inner, Index chunk, const Sum* starts) {
  scan_columns<true>(x, out, outer, n, inner, chunk, starts, nullptr);
}
__global__ void columns_totals(const Element* x, Sum* totals, Index outer, Index n, Index inner, Index chunk) {
  scan_columns<false>(x, nullptr, outer, n, inner, chunk, nullptr, totals);
}
__global__ void columns_totals_reverse(const Element* x, Sum* totals, Index outer, Index n, Index inner, Index chunk) {
  scan_columns<true>(x, nullptr, outer, n, inner, chunk, nullptr, totals);
}
