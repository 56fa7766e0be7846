// Mean and 1 / sqrt(variance + eps) of the channels of an array (planes, channels, span) of PYNEURAL_ELEMENT, in two
// levels: a block merges the moments of a piece of a channel, and a "final" kernel those of all its pieces. Merged by
// Chan, Golub and LeVeque's formula (1979), which is exact where the mean is far from 0.
#include <pyneural/channels.cuh>
#include <pyneural/parameter.cuh>

using namespace pyneural;
using Element = PYNEURAL_ELEMENT;
using Real = Computed<Element>;

constexpr int kWide = 16 / sizeof(Element);
constexpr int kMostWarps = 8;  // of a block here

// Of counts: an error in the last place shifts no mean noticeably, and a division by subroutine would cost more.
__device__ __forceinline__ float quotient(float a, float b) { return __fdividef(a, b); }
__device__ __forceinline__ double quotient(double a, double b) { return a / b; }

// Centred: the mean and the sum of squared deviations from it; else the sum of squares, and a mean of 0.
template <bool Centred> struct Moments {
  Real count, mean, squares;

  __device__ __forceinline__ Moments() : count(0), mean(0), squares(0) {}
  __device__ __forceinline__ Moments(Real count, Real mean, Real squares)
      : count(count), mean(mean), squares(squares) {}

  __device__ __forceinline__ void merge(const Moments& other) {
    if (!Centred) {
      count += other.count;
      squares += other.squares;
    } else if (count == Real(0)) {
      *this = other;
    } else if (other.count != Real(0)) {
      const Real total = count + other.count, share = quotient(other.count, total), step = other.mean - mean;
      squares += other.squares + step * step * count * share;
      mean += step * share;
      count = total;
    }
  }
  template <int Width> __device__ __forceinline__ void take(const Real (&value)[Width]) {
    Real sum = 0, square = 0;
#pragma unroll
    for (int k = 0; k < Width; ++k) sum += value[k];
    const Real middle = Centred ? sum / Real(Width) : Real(0);
#pragma unroll
    for (int k = 0; k < Width; ++k) square += (value[k] - middle) * (value[k] - middle);
    merge(Moments(Real(Width), middle, square));
  }
  __device__ __forceinline__ void merge_warp() {
#pragma unroll
    for (int offset = kWarp / 2; offset > 0; offset /= 2) {
      merge(Moments(
          __shfl_xor_sync(kAllLanes, count, offset), __shfl_xor_sync(kAllLanes, mean, offset),
          __shfl_xor_sync(kAllLanes, squares, offset)));
    }
  }
};

template <bool Centred, int Width>
__device__ __forceinline__ void moments_of_piece(const Channels& at, const Element* x, Real* partial) {
  __shared__ Real shared[3][kMostWarps];
  Moments<Centred> seen;
  for_planes<Width>(at, [&](Index, Index offset) {
    Real value[Width];
    load_wide(x + offset, value);
    seen.take(value);
  });
  seen.merge_warp();
  const int warp = thread_of_block() / kWarp, lane = thread_of_block() % kWarp;
  const int warps = blockDim.x * blockDim.y / kWarp;
  if (lane == 0) {
    shared[0][warp] = seen.count;
    shared[1][warp] = seen.mean;
    shared[2][warp] = seen.squares;
  }
  __syncthreads();
  if (thread_of_block() == 0) {
    for (int w = 1; w < warps; ++w) seen.merge(Moments<Centred>(shared[0][w], shared[1][w], shared[2][w]));
    const Index at_piece = (Index(blockIdx.x) * gridDim.y + blockIdx.y) * 3;
    partial[at_piece] = seen.count;
    partial[at_piece + 1] = seen.mean;
    partial[at_piece + 2] = seen.squares;
  }
}

template <bool Centred>
__device__ __forceinline__ void moments_of_planes(const Channels& at, const Element* x, Real* partial) {
  if (may_be_wide(at.span, x)) {
    moments_of_piece<Centred, kWide>(at, x, partial);
  } else {
    moments_of_piece<Centred, 1>(at, x, partial);
  }
}

// partial: (channels, pieces, 3).
__global__ void __launch_bounds__(256) moments_planes(Channels at, const Element* x, Real* partial) {
  moments_of_planes<true>(at, x, partial);
}
__global__ void __launch_bounds__(256) squares_planes(Channels at, const Element* x, Real* partial) {
  moments_of_planes<false>(at, x, partial);
}

template <int Width>
__device__ __forceinline__ void moments_of_columns(const Channels& at, const Element* x, Real* partial) {
  __shared__ ColumnValues<Real, Width> means[kRows];
  __shared__ ColumnValues<Real, Width> squares[kRows];
  for (Columns<Width> part(at); part.more(); part.next()) {
    Real count = 0, mean[Width], square[Width];
#pragma unroll
    for (int k = 0; k < Width; ++k) mean[k] = square[k] = 0;
    part.for_rows([&](Index, Index offset) {
      Real value[Width];
      load_wide(x + offset, value);
      count += Real(1);
      const Real share = quotient(Real(1), count);
#pragma unroll
      for (int k = 0; k < Width; ++k) {
        const Real step = value[k] - mean[k];
        mean[k] += step * share;
        square[k] += step * (value[k] - mean[k]);
      }
    });
#pragma unroll
    for (int k = 0; k < Width; ++k) {
      means[threadIdx.y].own(k) = mean[k];
      squares[threadIdx.y].own(k) = square[k];
    }
    __syncthreads();
    part.for_each([&](Index column, int i) {
      Moments<true> all;
      for (int w = 0; w < kRows; ++w) {
        // The rows that threads of this threadIdx.y have met.
        const Index rows = (part.last - part.first - w + kRows - 1) / kRows;
        all.merge(Moments<true>(static_cast<Real>(rows), means[w].of(i), squares[w].of(i)));
      }
      partial[Index(blockIdx.y) * 2 * part.columns + column] = all.mean;
      partial[(Index(blockIdx.y) * 2 + 1) * part.columns + column] = all.squares;
    });
    __syncthreads();
  }
}
// partial: (pieces, 2, channels, span).
__global__ void __launch_bounds__(256) moments_columns(Channels at, const Element* x, Real* partial) {
  if (may_be_wide(at.channels * at.span, x)) {
    moments_of_columns<kWide>(at, x, partial);
  } else {
    moments_of_columns<1>(at, x, partial);
  }
}

// A warp a channel.
template <bool Centred>
__device__ __forceinline__ void merge_pieces(
    const Real* partial, Real* mean, Real* rstd, Index channels, Index pieces, Real eps) {
  const Index channel = thread_of_grid() / kWarp;
  if (channel >= channels) return;
  Moments<Centred> all;
  for (Index i = channel * pieces + threadIdx.x % kWarp; i < (channel + 1) * pieces; i += kWarp) {
    all.merge(Moments<Centred>(partial[i * 3], partial[i * 3 + 1], partial[i * 3 + 2]));
  }
  all.merge_warp();
  if (threadIdx.x % kWarp != 0) return;
  if (Centred) mean[channel] = all.mean;
  rstd[channel] = rsqrt(all.squares / all.count + eps);
}
__global__ void __launch_bounds__(256) moments_final_planes(
    const Real* partial, Real* mean, Real* rstd, Index channels, Index pieces, Real eps) {
  merge_pieces<true>(partial, mean, rstd, channels, pieces, eps);
}
__global__ void __launch_bounds__(256) squares_final_planes(
    const Real* partial, Real* rstd, Index channels, Index pieces, Real eps) {
  merge_pieces<false>(partial, nullptr, rstd, channels, pieces, eps);
}

// What columns [begin, span), `step` apart, of a channel's pieces left.
__device__ __forceinline__ void merge_columns(
    Moments<true>& all, const Channels& at, const Real* partial, Index channel, Index begin, Index step, Index piece) {
  const Index columns = at.channels * at.span, first = piece * at.planes_each;
  const Real rows = static_cast<Real>(first + at.planes_each < at.planes ? at.planes_each : at.planes - first);
  const Real* const from = partial + piece * 2 * columns + channel * at.span;
  for (Index i = begin; i < at.span; i += step) all.merge(Moments<true>(rows, from[i], from[columns + i]));
}

// A block of (kWarp, kRows) threads for kWarp channels: a thread a channel, or a warp where spans fill its lanes.
__global__ void __launch_bounds__(256, 1) moments_final_columns(
    Channels at, const Real* partial, Real* mean, Real* rstd, Index pieces, Real eps) {
  __shared__ Real shared[3][kRows][kWarp];
  if (at.span >= kRows) {
    for (int k = threadIdx.y; k < kWarp; k += kRows) {
      const Index own = Index(blockIdx.x) * kWarp + k;
      if (own >= at.channels) return;
      Moments<true> all;
      for (Index piece = 0; piece < pieces; ++piece) merge_columns(all, at, partial, own, threadIdx.x, kWarp, piece);
      all.merge_warp();
      if (threadIdx.x == 0) {
        mean[own] = all.mean;
        rstd[own] = rsqrt(all.squares / all.count + eps);
      }
    }
    return;
  }
  const Index channel = Index(blockIdx.x) * kWarp + threadIdx.x;
  Moments<true> all;
  if (channel < at.channels) {
    for (Index piece = threadIdx.y; piece < pieces; piece += kRows) {
      merge_columns(all, at, partial, channel, 0, 1, piece);
    }
  }
  shared[0][threadIdx.y][threadIdx.x] = all.count;
  shared[1][threadIdx.y][threadIdx.x] = all.mean;
  shared[2][threadIdx.y][threadIdx.x] = all.squares;
  __syncthreads();
  if (threadIdx.y != 0 || channel >= at.channels) return;
  for (int w = 1; w < kRows; ++w) {
    all.merge(Moments<true>(shared[0][w][threadIdx.x], shared[1][w][threadIdx.x], shared[2][w][threadIdx.x]));
  }
  mean[channel] = all.mean;
  rstd[channel] = rsqrt(all.squares / all.count + eps);
}
