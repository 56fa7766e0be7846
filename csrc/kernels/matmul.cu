// Batched matrix products of PYNEURAL_ELEMENT of any strides, with bias and activation applied before the result
// is stored: an instance for each main loop of gemm_loops.cuh and each way its operands lie in memory.
#include <pyneural/gemm_loops.cuh>
#include <pyneural/layout.cuh>
#include <pyneural/math.cuh>
#include <pyneural/operand.cuh>

using namespace pyneural;
using Element = PYNEURAL_ELEMENT;
using Real = Computed<Element>;

// One product a y of the grid, one split of its inner dimension a z. Filled in by kernels/matmul/cuda.py: `batch`
// gives where the matrices of product y begin in a and b; c is contiguous; `vectors` says that its rows are aligned.
struct Problem {
  Layout<2> batch;
  Index count, m, n, inner, a_row, a_inner, b_column, b_inner;
  int activation, splits, a_aligned, b_aligned, vectors;
};

using Small = Loops<Element>::Small;
using Medium = Loops<Element>::Medium;
using Large = Loops<Element>::Large;
using Warpgroup = Loops<Element>::Warpgroup;

// Of float64, ptxas would rather spill a few bytes than lose a block of a multiprocessor; it need not keep more than one.
constexpr int kBlocks = sizeof(Element) == 8 ? 1 : 0;

template <typename Loop, Along A, Along B> __global__ void __launch_bounds__(Loop::threads, kBlocks) matmul(
    Problem problem, const Element* a, const Element* b, const Element* bias, Real* partial, Element* c) {
  const Index m = problem.m, n = problem.n;
  for (Index z = blockIdx.y; z < problem.count; z += gridDim.y) {
    const Places<2> at = places(problem.batch, z);
    const Product product = split_product(m, n, problem.inner, blockIdx.z, problem.splits, Loop::step);
    const Operand<Element, A, Loop::width> left{a + at.at[0], m, problem.a_row, problem.a_inner, problem.a_aligned != 0};
    const Operand<Element, B, Loop::width> right{b + at.at[1], n, problem.b_column, problem.b_inner, problem.b_aligned != 0};
    Loop::run(product, left, right, [&](Index i, Index j, auto& values) {
      if (i >= m) return;
      if (partial) {
        store_row(partial + ((blockIdx.z * problem.count + z) * m + i) * n, j, n, problem.vectors, values);
        return;
      }
      constexpr int width = sizeof(values) / sizeof(Real);
      Real results[width];
#pragma unroll
      for (int w = 0; w < width; ++w) {
        const Real added = bias && j + w < n ? widen(bias[j + w]) : Real(0);
        results[w] = activated(values[w] + added, problem.activation);
      }
      store_row(c + (z * m + i) * n, j, n, problem.vectors, results);
    });
  }
}

// The splits of one result together; `count` results in rows of n.
__global__ void matmul_sum(
    const Real* partial, int splits, Index count, Index n, const Element* bias, int activation, Element* c) {
  for (Index i = thread_of_grid(); i < count; i += threads_of_grid()) {
    const Real added = bias ? widen(bias[i % n]) : Real(0);
    c[i] = narrow<Element>(activated(sum_of_splits(partial, i, count, splits) + added, activation));
  }
}
