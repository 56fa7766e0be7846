// The main loops for each element type: tensor cores for the 16-bit floats, FMA units for float and double, and tensor
// cores for float too where tf32 is asked for.
#pragma once
#include "gemm_mma.cuh"
#include "gemm_simt.cuh"
#include "gemm_small.cuh"
#include "gemm_tf32.cuh"
#include "gemm_warpgroup.cuh"

namespace pyneural {

// `width` elements are what a thread fetches at once from memory that allows it.
template <typename Element> struct SmallLoop {
  using Real = Computed<Element>;
  static constexpr int width = 1, threads = SmallTile::threads, step = SmallTile::k;
  template <typename A, typename B, typename Store>
  static __device__ __forceinline__ void run(const Product& product, const A& a, const B& b, const Store& store) {
    gemm_small<Real>(product, a, b, store);
  }
};
template <typename T> struct SimtLoop {
  using Real = typename T::Real;
  static constexpr int width = T::piece, threads = T::threads, step = T::k;
  template <typename A, typename B, typename Store>
  static __device__ __forceinline__ void run(const Product& product, const A& a, const B& b, const Store& store) {
    gemm_simt<T>(product, a, b, store);
  }
};
template <typename Math, typename T> struct MmaLoop {
  using Real = float;
  static constexpr int width = Math::vector, threads = T::threads, step = Math::step;
  template <typename A, typename B, typename Store>
  static __device__ __forceinline__ void run(const Product& product, const A& a, const B& b, const Store& store) {
    gemm_mma<T, Math>(product, a, b, store);
  }
};

// On sm_90a alone.
template <typename Element, typename T> struct WarpgroupLoop {
  using Real = float;
  static constexpr int width = 8, threads = T::threads, step = T::k;
  template <typename A, typename B, typename Store>
  static __device__ __forceinline__ void run(const Product& product, const A& a, const B& b, const Store& store) {
    gemm_warpgroup<T, Element>(product, a, b, store);
  }
};

template <typename Element> struct Loops {
  using Small = SmallLoop<Element>;
  using Medium = SimtLoop<typename SimtTiles<Element>::Medium>;
  using Large = SimtLoop<typename SimtTiles<Element>::Large>;
  using Warpgroup = void;
};
template <> struct Loops<__half> {
  using Small = SmallLoop<__half>;
  using Medium = MmaLoop<HalfMath<__half>, MediumMmaTile>;
  using Large = MmaLoop<HalfMath<__half>, LargeMmaTile>;
  using Warpgroup = WarpgroupLoop<__half, LargeWarpgroupTile>;
};
template <> struct Loops<__nv_bfloat16> {
  using Small = SmallLoop<__nv_bfloat16>;
  using Medium = MmaLoop<HalfMath<__nv_bfloat16>, MediumMmaTile>;
  using Large = MmaLoop<HalfMath<__nv_bfloat16>, LargeMmaTile>;
  using Warpgroup = WarpgroupLoop<__nv_bfloat16, LargeWarpgroupTile>;
};

// Whether a thread copies what it fetches into shared memory as it is, and so must fetch whole accesses.
template <typename Loop> constexpr bool kCopies = false;
template <typename Math, typename T> constexpr bool kCopies<MmaLoop<Math, T>> = true;
template <typename Element, typename T> constexpr bool kCopies<WarpgroupLoop<Element, T>> = true;

// Those of float where less than float32's accuracy, or the same at more products, is asked for (kernels/precision.py).
using Tf32Medium = MmaLoop<Tf32Math<1>, MediumMmaTile>;
using Tf32Large = MmaLoop<Tf32Math<1>, LargeMmaTile>;
using Tf32x3Medium = MmaLoop<Tf32Math<3>, MediumMmaTile>;
using Tf32x3Large = MmaLoop<Tf32Math<3>, LargeMmaTile>;

// A row of results as the memory of an array: whole vectors where all rows allow it, one by one at its end.
template <typename Element, typename Real, int Width>
__device__ __forceinline__ void store_row(Element* row, Index j, Index n, bool vectors, const Real (&values)[Width]) {
  constexpr int most = 16 / sizeof(Element), width = Width < most ? Width : most;
  if (width > 1 && vectors && j + Width <= n) {
#pragma unroll
    for (int first = 0; first < Width; first += width) {
      Vector<Element, width> whole;
#pragma unroll
      for (int w = 0; w < width; ++w) whole.item[w] = narrow<Element>(values[first + w]);
      *reinterpret_cast<Vector<Element, width>*>(row + j + first) = whole;
    }
  } else {
#pragma unroll
    for (int w = 0; w < Width; ++w) {
      if (j + w < n) row[j + w] = narrow<Element>(values[w]);
    }
  }
}

// Partial sums of a product whose inner dimension was split: added in their order, by one thread a result.
template <typename Real> __device__ __forceinline__ Real sum_of_splits(const Real* partial, Index i, Index count, int splits) {
  Real sum = 0;
  for (int split = 0; split < splits; ++split) sum += partial[split * count + i];
  return sum;
}

}  // namespace pyneural
