// Variance and standard deviation of contiguous rows or columns of floats, PYNEURAL_ELEMENT. A warp or a block holds a
// row in registers, a block some columns; longer ones it reads twice.
#include <pyneural/columns.cuh>
#include <pyneural/held_rows.cuh>

using namespace pyneural;
using Element = PYNEURAL_ELEMENT;
using Real = Computed<Element>;

constexpr int kWide = 16 / sizeof(Element);
constexpr int kItems = sizeof(Element) == 8 ? 8 : 16;  // of a row or a column a thread holds

__device__ __forceinline__ Element spread(Real squares, Real divisor, bool root) {
  return narrow<Element>(root ? sqrt(squares / divisor) : squares / divisor);
}

template <int Width, typename Team>
__device__ __forceinline__ void rows_held(
    Team team, const Element* x, Element* out, Index rows, int n, Real divisor, bool root) {
  using Row = Held<Element, kItems, Width>;
  for (Index row = team.first(); row < rows; row += team.step()) {
    Row held;
    held.load(team, x + row * n, n);
    Real sum[1] = {0}, squares[1] = {0};
    Row::for_parts(team, n, [&](int j, int) {
#pragma unroll
      for (int k = 0; k < Width; ++k) sum[0] += held.at(j, k);
    });
    team.sum(sum);
    const Real mean = sum[0] / static_cast<Real>(n);
    Row::for_parts(team, n, [&](int j, int) {
#pragma unroll
      for (int k = 0; k < Width; ++k) squares[0] += (held.at(j, k) - mean) * (held.at(j, k) - mean);
    });
    team.sum(squares);
    if (team.rank() == 0) out[row] = spread(squares[0], divisor, root);
  }
}
template <typename Team>
__device__ __forceinline__ void held(
    const Team& team, const Element* x, Element* out, Index rows, int n, Real divisor, bool root) {
  if (n % kWide == 0 && is_aligned<kWide>(x)) {
    rows_held<kWide>(team, x, out, rows, n, divisor, root);
  } else {
    rows_held<1>(team, x, out, rows, n, divisor, root);
  }
}

__global__ void __launch_bounds__(256)
    variance_warp(const Element* x, Element* out, Index rows, int n, Real divisor, bool root) {
  held(WarpTeam<Real, 1>{}, x, out, rows, n, divisor, root);
}
__global__ void __launch_bounds__(1024)
    variance_block(const Element* x, Element* out, Index rows, int n, Real divisor, bool root) {
  __shared__ Real shared[2][1][kWarp];
  held(BlockTeam<Real, 1>(shared), x, out, rows, n, divisor, root);
}

// Two passes: the mean first, then squared deviations from it (Chan, Golub and LeVeque 1983).
__global__ void __launch_bounds__(256) variance_long(const Element* x, Element* out, Index rows, Index n, Real divisor, bool root) {
  __shared__ Real sums[kWarp], squares[kWarp];
  for (Index row = blockIdx.x; row < rows; row += gridDim.x) {
    const Element* from = x + row * n;
    Real sum = 0;
    for (Index i = threadIdx.x; i < n; i += blockDim.x) sum += widen(from[i]);
    const Real mean = block_reduce(sum, Real(0), sums, Plus{}) / static_cast<Real>(n);
    Real square = 0;
    for (Index i = threadIdx.x; i < n; i += blockDim.x) {
      const Real deviation = widen(from[i]) - mean;
      square += deviation * deviation;
    }
    const Real total = block_reduce(square, Real(0), squares, Plus{});
    if (threadIdx.x == 0) out[row] = spread(total, divisor, root);
    __syncthreads();
  }
}

__global__ void __launch_bounds__(1024) variance_columns_held(Columns at, const Element* x, Element* out, Real divisor, bool root) {
  using Column = HeldColumn<Element, kItems>;
  __shared__ Real shared[2][kColumnThreads];
  ColumnTeam<Real> team(shared);
  at.for_strips([&](Index first, Index column, bool inside) {
    Column held;
    Real sum = 0, squares = 0;
    if (inside) {
      held.load(at, x + first);
      Column::for_rows(at, [&](int j, Index) { sum += held.at(j); });
    }
    const Real mean = team.combine(sum, Plus{}) / static_cast<Real>(at.n);
    if (inside) Column::for_rows(at, [&](int j, Index) { squares += (held.at(j) - mean) * (held.at(j) - mean); });
    squares = team.combine(squares, Plus{});
    if (inside && threadIdx.y == 0) out[column] = spread(squares, divisor, root);
  });
}

__global__ void __launch_bounds__(1024) variance_columns_long(Columns at, const Element* x, Element* out, Real divisor, bool root) {
  __shared__ Real shared[2][kColumnThreads];
  ColumnTeam<Real> team(shared);
  at.for_strips([&](Index first, Index column, bool inside) {
    Real sum = 0, squares = 0;
    if (inside) at.for_rows([&](Index i) { sum += widen(x[first + i * at.inner]); });
    const Real mean = team.combine(sum, Plus{}) / static_cast<Real>(at.n);
    if (inside) {
      at.for_rows([&](Index i) {
        const Real deviation = widen(x[first + i * at.inner]) - mean;
        squares += deviation * deviation;
      });
    }
    squares = team.combine(squares, Plus{});
    if (inside && threadIdx.y == 0) out[column] = spread(squares, divisor, root);
  });
}
