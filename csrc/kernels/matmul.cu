// Batched matrix products of PYNEURAL_ELEMENT of any strides, with bias and activation applied before the result
// is stored. The "small" kernels have 16 x 16 tiles, an element a thread; the "large" ones 64 x 64, with 8 x 8
// elements of a thread in registers.
#include <pyneural/gemm.cuh>
#include <pyneural/layout.cuh>
#include <pyneural/math.cuh>

using namespace pyneural;
using Element = PYNEURAL_ELEMENT;
using Real = Computed<Element>;

// Elements in rows (of A) or columns (of B), `outer` and `inner` elements apart.
struct Operand {
  const Element* data;
  Index outer, inner;
  Along along;
  __device__ __forceinline__ Operand(const Element* data, Index outer, Index inner)
      : data(data), outer(outer), inner(inner), along(outer == 1 ? kAlongOuter : kAlongInner) {}
  __device__ __forceinline__ Real operator()(Index i, Index k) const { return widen(data[i * outer + k * inner]); }
};

// `batch` gives where the matrices of product z begin in a and b; c is contiguous.
template <typename T>
__device__ __forceinline__ void products(
    const Layout<2>& batch, Index count, Index m, Index n, Index inner, const Element* a, Index a_row, Index a_inner,
    const Element* b, Index b_column, Index b_inner, const Element* bias, int activation, Element* c) {
  for (Index z = blockIdx.y; z < count; z += gridDim.y) {
    const Places<2> at = places(batch, z);
    Element* out = c + z * m * n;
    Product<T, Real>{m, n, inner}.run(
        Operand(a + at.at[0], a_row, a_inner), Operand(b + at.at[1], b_column, b_inner),
        [&](Index i, Index j, Real value) {
          if (bias) value += widen(bias[j]);
          out[i * n + j] = narrow<Element>(activated(value, activation));
        });
  }
}

__global__ void __launch_bounds__(SmallTile::threads) matmul_small(
    Layout<2> batch, Index count, Index m, Index n, Index inner, const Element* a, Index a_row, Index a_inner,
    const Element* b, Index b_column, Index b_inner, const Element* bias, int activation, Element* c) {
  products<SmallTile>(batch, count, m, n, inner, a, a_row, a_inner, b, b_column, b_inner, bias, activation, c);
}
__global__ void __launch_bounds__(LargeTile::threads) matmul_large(
    Layout<2> batch, Index count, Index m, Index n, Index inner, const Element* a, Index a_row, Index a_inner,
    const Element* b, Index b_column, Index b_inner, const Element* bias, int activation, Element* c) {
  products<LargeTile>(batch, count, m, n, inner, a, a_row, a_inner, b, b_column, b_inner, bias, activation, c);
}
