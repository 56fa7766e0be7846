// The main loop on the FMA units: a warp tile of registers over two stages of shared memory; while one is multiplied,
// the next is on its way from global memory in registers. Idea and names: NVIDIA, CUTLASS, "Efficient GEMM in CUDA".
#pragma once
#include "gemm.cuh"
#include "map.cuh"

namespace pyneural {

// A block's tile is M x N in steps of K; a warp's is WarpM x WarpN; a thread's is ThreadM x ThreadN in pieces of 16 bytes
// that lie a row of lanes apart, so that the lanes of a quarter of a warp read 128 bytes without a bank conflict.
template <typename RealT, int M, int N, int K, int WarpM, int WarpN, int ThreadM, int ThreadN> struct SimtTile {
  using Real = RealT;
  static constexpr int m = M, n = N, k = K, thread_m = ThreadM, thread_n = ThreadN;
  static constexpr int warps_n = N / WarpN, threads = M / WarpM * warps_n * 32;
  static constexpr int lanes_m = WarpM / ThreadM, lanes_n = WarpN / ThreadN, piece = 16 / sizeof(Real);
  static_assert(lanes_m * lanes_n == 32 && M % WarpM == 0 && N % WarpN == 0, "whole warps");
  static_assert(ThreadM % piece == 0 && ThreadN % piece == 0, "whole pieces");
  static constexpr int warp_m = WarpM, warp_n = WarpN;
};
template <typename Real> struct SimtTiles;
template <> struct SimtTiles<float> {
  using Medium = SimtTile<float, 64, 64, 8, 32, 32, 8, 4>;
  using Large = SimtTile<float, 128, 128, 8, 32, 64, 8, 8>;
};
template <> struct SimtTiles<double> {
  using Medium = SimtTile<double, 64, 64, 8, 32, 32, 8, 4>;
  using Large = Medium;
};

// One operand's share of a stage that this thread fetches, into registers first.
template <typename T, int Rows, typename Source> struct Fetch {
  using Real = typename T::Real;
  static constexpr bool inner = Source::along == kAlongInner;
  static constexpr int width = Source::width, vectors = Rows * T::k / (T::threads * width);
  static constexpr int across = (inner ? T::k : Rows) / width, step = T::threads / across;
  static_assert(T::threads % across == 0 && vectors * T::threads * width == Rows * T::k, "whole vectors");
  // Rows of a stage are 16 bytes apart in their banks, for stores across them.
  static constexpr int pitch = Rows + T::piece;

  const Source& source;
  int row, k;
  typename Source::Outer outer[inner ? vectors : 1];
  Real value[vectors][width];

  __device__ __forceinline__ Fetch(const Source& source, Index first) : source(source) {
    const int side = threadIdx.x % across * width, line = threadIdx.x / across;
    row = inner ? line : side;
    k = inner ? side : line;
#pragma unroll
    for (int v = 0; v < (inner ? vectors : 1); ++v) outer[v] = source.outer(first + row + v * step);
  }
  __device__ __forceinline__ void load(Index first_k, Index end) {
#pragma unroll
    for (int v = 0; v < vectors; ++v) source.load(outer[inner ? v : 0], first_k + k + (inner ? 0 : v * step), end, value[v]);
  }
  __device__ __forceinline__ void store(Real* stage) const {
#pragma unroll
    for (int v = 0; v < vectors; ++v) {
      if constexpr (inner) {
#pragma unroll
        for (int w = 0; w < width; ++w) stage[(k + w) * pitch + row + v * step] = value[v][w];
      } else {
        Vector<Real, width> whole;
#pragma unroll
        for (int w = 0; w < width; ++w) whole.item[w] = value[v][w];
        *reinterpret_cast<Vector<Real, width>*>(stage + (k + v * step) * pitch + row) = whole;
      }
    }
  }
};

template <typename T, int Count> __device__ __forceinline__ void read_pieces(
    typename T::Real (&to)[Count], const typename T::Real* line, int lane, int lanes) {
  using Piece = Vector<typename T::Real, T::piece>;
#pragma unroll
  for (int p = 0; p < Count / T::piece; ++p) {
    const Piece piece = reinterpret_cast<const Piece*>(line)[p * lanes + lane];
#pragma unroll
    for (int w = 0; w < T::piece; ++w) to[p * T::piece + w] = piece.item[w];
  }
}

template <typename T, typename A, typename B, typename Store>
__device__ __forceinline__ void gemm_simt(const Product& product, const A& a, const B& b, const Store& store) {
  using Real = typename T::Real;
  using FetchA = Fetch<T, T::m, A>;
  using FetchB = Fetch<T, T::n, B>;
  __shared__ __align__(16) Real left[2][T::k * FetchA::pitch], right[2][T::k * FetchB::pitch];
  const int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
  const int lane_m = lane / T::lanes_n, lane_n = lane % T::lanes_n;
  const int warp_m = warp / T::warps_n * T::warp_m, warp_n = warp % T::warps_n * T::warp_n;
  product.tiles<T>([&](Index first_m, Index first_n) {
    FetchA next_a(a, first_m);
    FetchB next_b(b, first_n);
    Real sum[T::thread_m][T::thread_n] = {};
    int stage = 0;
    if (product.begin < product.end) {
      next_a.load(product.begin, product.end);
      next_b.load(product.begin, product.end);
      next_a.store(left[0]);
      next_b.store(right[0]);
    }
    __syncthreads();
    for (Index k = product.begin; k < product.end; k += T::k) {
      const bool more = k + T::k < product.end;
      if (more) {
        next_a.load(k + T::k, product.end);
        next_b.load(k + T::k, product.end);
      }
#pragma unroll
      for (int i = 0; i < T::k; ++i) {
        Real x[T::thread_m], y[T::thread_n];
        read_pieces<T>(x, left[stage] + i * FetchA::pitch + warp_m, lane_m, T::lanes_m);
        read_pieces<T>(y, right[stage] + i * FetchB::pitch + warp_n, lane_n, T::lanes_n);
#pragma unroll
        for (int r = 0; r < T::thread_m; ++r) {
#pragma unroll
          for (int c = 0; c < T::thread_n; ++c) sum[r][c] += x[r] * y[c];
        }
      }
      if (more) {
        next_a.store(left[stage ^ 1]);
        next_b.store(right[stage ^ 1]);
      }
      __syncthreads();
      stage ^= 1;
    }
#pragma unroll
    for (int r = 0; r < T::thread_m; ++r) {
      const Index i = first_m + warp_m + (r / T::piece * T::lanes_m + lane_m) * T::piece + r % T::piece;
#pragma unroll
      for (int p = 0; p < T::thread_n / T::piece; ++p) {
        Real values[T::piece];
#pragma unroll
        for (int w = 0; w < T::piece; ++w) values[w] = sum[r][p * T::piece + w];
        store(i, first_n + warp_n + (p * T::lanes_n + lane_n) * T::piece, values);
      }
    }
  });
}

}  // namespace pyneural
