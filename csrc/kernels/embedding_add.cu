// Adding by indices, PYNEURAL_ELEMENT: always over indices sorted by what they name (random_sort.cu, stable), so that
// one thread or warp owns each sum and takes its terms in the order in which they stand. No atomics.
#include <pyneural/map.cuh>
#include <pyneural/reduce.cuh>
#include <pyneural/selection.cuh>

using namespace pyneural;
using Element = PYNEURAL_ELEMENT;

// Integers wrap: they are added in unsigned 64 bits.
template <bool Floating> struct Numbers {
  using Sum = unsigned long long;
};
template <> struct Numbers<true> {
  using Sum = Computed<Element>;
};
using Sum = Numbers<Traits<Element>::floating>::Sum;

constexpr int kWidth = 16 / sizeof(Element);
constexpr int kSumWidth = Traits<Element>::floating ? kWidth : 1;  // only floats are summed by rows
constexpr int kWarps = 8;
constexpr Index kLong = 128;  // terms of a sum that the warps of a block share

// starts[r] is the first of the sorted indices that is at least r, for r = 0, ..., rows.
__global__ void starts(const Index* sorted, Index* starts, Index count, Index rows) {
  for (Index row = thread_of_grid(); row <= rows; row += threads_of_grid()) {
    Index low = 0, high = count;
    while (low < high) {
      const Index middle = (low + high) / 2;
      if (sorted[middle] < row) {
        low = middle + 1;
      } else {
        high = middle;
      }
    }
    starts[row] = low;
  }
}

// (outer, count, inner) to (outer, rows, inner): row r is the sum of the slices order[starts[r]], ...
struct Segments {
  Index outer, count, rows, inner;
  Index left_out;  // a row that stays 0, or -1
  bool mean;
};

// What a lane sums: `Vectors` times `Width` neighbouring elements, kWarp * Width apart.
template <int Vectors, int Width> struct Strip {
  static constexpr int kColumns = Vectors * kWarp * Width;  // of a warp
  Sum sum[Vectors][Width];
};

// Terms [begin, end) of the columns from `column` on; `columns` of them are left.
template <int Vectors, int Width>
__device__ __forceinline__ Strip<Vectors, Width> sum_of(
    const Element* grad, const Index* order, Index inner, Index columns, Index begin, Index end) {
  Strip<Vectors, Width> result{};
  for (Index k = begin; k < end; ++k) {
    const Element* from = grad + order[k] * inner;
#pragma unroll
    for (int v = 0; v < Vectors; ++v) {
      if (v * kWarp * Width >= columns) continue;
      const auto vector = load_vector<Width>(from, v * kWarp);
#pragma unroll
      for (int j = 0; j < Width; ++j) result.sum[v][j] += static_cast<Sum>(widen(vector.item[j]));
    }
  }
  return result;
}

template <int Vectors, int Width>
__device__ __forceinline__ void write(
    Element* to, const Strip<Vectors, Width>& strip, Index columns, Index terms, bool mean) {
#pragma unroll
  for (int v = 0; v < Vectors; ++v) {
    if (v * kWarp * Width >= columns) continue;
    Vector<Element, Width> result;
#pragma unroll
    for (int j = 0; j < Width; ++j) {
      const Sum sum = strip.sum[v][j];
      result.item[j] = narrow<Element>(mean && terms > 1 ? sum / static_cast<Sum>(terms) : sum);
    }
    reinterpret_cast<Vector<Element, Width>*>(to)[v * kWarp] = result;
  }
}

// A warp takes a strip of the columns of a row; a sum of many terms is shared by the warps of the block, an eighth of
// the terms each, in order.
template <int Vectors, int Width>
__device__ __forceinline__ void sum_rows(
    const Segments& size, const Element* grad, const Index* order, const Index* starts, Element* out) {
  using Lane = Strip<Vectors, Width>;
  __shared__ Lane parts[kWarps][kWarp];
  const int lane = threadIdx.x % kWarp, warp = threadIdx.x / kWarp;
  const Index strips = (size.inner + Lane::kColumns - 1) / Lane::kColumns;
  const Index tasks = size.outer * strips * size.rows;
  struct Task {
    Index begin, end, from, to, columns;
  };
  const auto task_of = [&](Index number) {
    const Index line = number / size.rows, row = number - line * size.rows, plane = line / strips;
    const Index column = (line - plane * strips) * Lane::kColumns + lane * Width;
    const Index bound = lane < 2 && row != size.left_out ? starts[row + lane] : 0;
    return Task{__shfl_sync(kAllLanes, bound, 0), __shfl_sync(kAllLanes, bound, 1),
                plane * size.count * size.inner + column, (plane * size.rows + row) * size.inner + column,
                size.inner - column};
  };
  for (Index first = Index(blockIdx.x) * kWarps; first < tasks; first += Index(gridDim.x) * kWarps) {
    bool many = false;
    if (first + warp < tasks) {
      const Task task = task_of(first + warp);
      many = task.end - task.begin > kLong;
      if (!many) {
        const Lane sums =
            sum_of<Vectors, Width>(grad + task.from, order, size.inner, task.columns, task.begin, task.end);
        write(out + task.to, sums, task.columns, task.end - task.begin, size.mean);
      }
    }
    if (!__syncthreads_or(many)) continue;
    for (int w = 0; w < kWarps && first + w < tasks; ++w) {
      const Task task = task_of(first + w);
      const Index terms = task.end - task.begin;
      if (terms <= kLong) continue;
      const Index share = (terms + kWarps - 1) / kWarps, begin = task.begin + warp * share;
      const Index end = begin + share < task.end ? begin + share : task.end;
      parts[warp][lane] = sum_of<Vectors, Width>(grad + task.from, order, size.inner, task.columns, begin, end);
      __syncthreads();
      if (warp == 0) {
        Lane sums = parts[0][lane];
        for (int other = 1; other < kWarps; ++other) {
#pragma unroll
          for (int v = 0; v < Vectors; ++v) {
#pragma unroll
            for (int j = 0; j < Width; ++j) sums.sum[v][j] += parts[other][lane].sum[v][j];
          }
        }
        write(out + task.to, sums, task.columns, terms, size.mean);
      }
      __syncthreads();
    }
  }
}

__global__ void sum_segments(
    Segments size, const Element* grad, const Index* order, const Index* starts, Element* out) {
  if (size.inner % kSumWidth == 0 && is_aligned<kSumWidth>(grad) && is_aligned<kSumWidth>(out)) {
    sum_rows<2, kSumWidth>(size, grad, order, starts, out);
  } else {
    sum_rows<1, 1>(size, grad, order, starts, out);
  }
}

// The same for slices of a few elements: a thread an element of the result.
__global__ void sum_elements(
    Segments size, const Element* grad, const Index* order, const Index* starts, Element* out) {
  const Index n = size.outer * size.rows * size.inner;
  for (Index i = thread_of_grid(); i < n; i += threads_of_grid()) {
    const Index line = i / size.inner, plane = line / size.rows, row = line - plane * size.rows;
    const bool left_out = row == size.left_out;
    const Index begin = left_out ? 0 : starts[row], end = left_out ? 0 : starts[row + 1];
    const Element* from = grad + plane * size.count * size.inner + i - line * size.inner;
    write(out + i, sum_of<1, 1>(from, order, size.inner, 1, begin, end), 1, end - begin, size.mean);
  }
}

// Writes, or adds, `values` at the places of a selection whose indices are sorted places: the first of several equal
// ones owns the elements and adds to them in order, or takes the last. `values_at` has the same shape, and its index
// dimension's stride is that of the order of the values. Strides and places are in elements, shapes in vectors of
// `Width`.
template <int Width>
__device__ __forceinline__ void put(
    const Selection& selection, const Selection& values_at, const Index* sorted, const Index* order,
    const Element* values, Element* x, Index n, Index count, bool accumulate) {
  using Elements = Vector<Element, Width>;
  for (Index i = thread_of_grid(); i < n; i += threads_of_grid()) {
    const Chosen to = choose(selection, i);
    const Index place = sorted[to.which];
    if (to.which > 0 && sorted[to.which - 1] == place) continue;
    const Index from = choose(values_at, i).at, step = values_at.stride[values_at.index_dim];
    Elements& target = *reinterpret_cast<Elements*>(x + to.at + place);
    Index k = to.which;
    if (!accumulate) {
      while (k + 1 < count && sorted[k + 1] == place) ++k;
      target = load_vector<Width>(values + from + order[k] * step, 0);
      continue;
    }
    Sum sum[Width];
    const Elements before = target;
#pragma unroll
    for (int j = 0; j < Width; ++j) sum[j] = static_cast<Sum>(widen(before.item[j]));
    do {
      const Elements value = load_vector<Width>(values + from + order[k] * step, 0);
#pragma unroll
      for (int j = 0; j < Width; ++j) sum[j] += static_cast<Sum>(widen(value.item[j]));
      ++k;
    } while (k < count && sorted[k] == place);
    Elements result;
#pragma unroll
    for (int j = 0; j < Width; ++j) result.item[j] = narrow<Element>(sum[j]);
    target = result;
  }
}

__global__ void put_elements(
    Selection selection, Selection values_at, const Index* sorted, const Index* order, const Element* values,
    Element* x, Index n, Index count, bool accumulate) {
  put<1>(selection, values_at, sorted, order, values, x, n, count, accumulate);
}
__global__ void put_vectors(
    Selection selection, Selection values_at, const Index* sorted, const Index* order, const Element* values,
    Element* x, Index n, Index count, bool accumulate) {
  put<kWidth>(selection, values_at, sorted, order, values, x, n, count, accumulate);
}

__global__ void zeros(Element* out, Index n) {
  const Element zero = narrow<Element>(Sum(0));
  Index done = 0;
  if (is_aligned<kWidth>(out)) {
    Vector<Element, kWidth> vector;
#pragma unroll
    for (int k = 0; k < kWidth; ++k) vector.item[k] = zero;
    done = n / kWidth * kWidth;
    for (Index i = thread_of_grid(); i < done / kWidth; i += threads_of_grid()) {
      reinterpret_cast<Vector<Element, kWidth>*>(out)[i] = vector;
    }
  }
  for (Index i = done + thread_of_grid(); i < n; i += threads_of_grid()) out[i] = zero;
}
