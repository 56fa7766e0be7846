// Convolution with 3x3 filters at stride 1 in float by F(2x2, 3x3): 16 products a tile of 2x2 results, where a direct one
// takes 36 (Lavin and Gray, Fast Algorithms for Convolutional Neural Networks, 2016). One kernel transforms the filters;
// the other transforms images, multiplies and transforms back within a block, so that nothing else is written to memory
// (its blocking is that of Yan, Wang and Chu, Optimizing Batched Winograd Convolution on GPUs, 2020).
#include <pyneural/divide.cuh>
#include <pyneural/map.cuh>
#include <pyneural/math.cuh>
#include <pyneural/ptx/cp_async.cuh>

using namespace pyneural;

constexpr int kParts = 16;    // products of a tile: 4 x 4
constexpr int kOuts = 64;     // channels of the result that a block computes
constexpr int kTiles = 32;    // tiles of 2x2 results that it computes for each
constexpr int kInner = 4;     // channels that a step sums
constexpr int kThreads = 256;
constexpr int kPiece = 4;     // floats of an access
constexpr int kLanesOut = 8, kLanesTile = 4;  // a warp's lanes over channels and tiles: each has 8 x 8 results of two parts

// Sizes, channels as of one group. Filled in by kernels/conv/cuda_winograd.py. `back`: the filters are turned by 180
// degrees and their channels exchanged, as the gradient for the images wants them.
struct Winograd {
  int groups, ins, outs, height, width, result_height, result_width, pad_height, pad_width, tiles, padded_ins, padded_outs, back;
  Divider by_high, by_wide;  // tiles of an image
  __device__ __forceinline__ const float* filter(const float* weight, int group, int out, int in) const {
    const Index first = Index(group) * ins * outs;
    return weight + (first + (back ? Index(in) * outs + out : Index(out) * ins + in)) * 9;
  }
};

// G g G^T of one filter; what lies beyond the channels becomes 0. `transformed` is (group, in, part, out).
constexpr int kFilterOuts = 32, kFilterIns = 8, kFilterThreads = kFilterOuts * kFilterIns;
__global__ void __launch_bounds__(kFilterThreads) winograd_filters(Winograd shape, const float* weight, float* transformed) {
  // In the order of memory. Where that has filters of one `out` together, every four of them are a place further apart,
  // so that the lanes, which have an `out` each, find theirs in 32 banks.
  constexpr int kFour = 4 * kFilterIns * 9;
  __shared__ float some[kFilterThreads * 9 + kFilterOuts / 4];
  const int first_out = blockIdx.x * kFilterOuts, first_in = blockIdx.y * kFilterIns;
  const int out = threadIdx.x % kFilterOuts, in = threadIdx.x / kFilterOuts;
  for (int group = blockIdx.z; group < shape.groups; group += gridDim.z) {
#pragma unroll
    for (int v = 0; v < 9; ++v) {
      const int i = v * kFilterThreads + threadIdx.x, filter = i / 9;
      const int o = shape.back ? filter % kFilterOuts : filter / kFilterIns, c = shape.back ? filter / kFilterOuts : filter % kFilterIns;
      const bool inside = first_out + o < shape.outs && first_in + c < shape.ins;
      some[shape.back ? i : i + i / kFour] = inside ? shape.filter(weight, group, first_out + o, first_in + c)[i % 9] : 0.0f;
    }
    __syncthreads();
    const float* own = some + (shape.back ? (in * kFilterOuts + out) * 9 : (out * kFilterIns + in) * 9 + out / 4);
    float half[4][3];
#pragma unroll
    for (int s = 0; s < 3; ++s) {
      float g[3];
#pragma unroll
      for (int r = 0; r < 3; ++r) g[r] = own[shape.back ? 8 - r * 3 - s : r * 3 + s];
      half[0][s] = g[0];
      half[1][s] = 0.5f * (g[0] + g[1] + g[2]);
      half[2][s] = 0.5f * (g[0] - g[1] + g[2]);
      half[3][s] = g[2];
    }
    if (first_in + in < shape.padded_ins) {
      float* to = transformed + (Index(group) * shape.padded_ins + first_in + in) * kParts * shape.padded_outs + first_out + out;
#pragma unroll
      for (int r = 0; r < 4; ++r) {
        const float *g = half[r], parts[4] = {g[0], 0.5f * (g[0] + g[1] + g[2]), 0.5f * (g[0] - g[1] + g[2]), g[2]};
#pragma unroll
        for (int s = 0; s < 4; ++s) to[Index(r * 4 + s) * shape.padded_outs] = parts[s];
      }
    }
    __syncthreads();  // before the next group's filters
  }
}

// Where a tile of 2x2 results lies; tiles go along the rows of an image.
struct TileSpot {
  int image, row, column;
  __device__ __forceinline__ TileSpot(const Winograd& shape, int tile) : image(tile) {
    column = shape.by_wide.split(image) * 2;
    row = shape.by_high.split(image) * 2;
  }
};

// Two rows of B^T d B of one tile and channel: of d, the rows 0 to 2 or 1 to 3 are needed.
struct Patch {
  const float* at;  // row `first` of the tile's 4x4 inputs in the plane of the channel
  Index step;       // to the plane of the next step's channel
  int pitch, channels;
  bool lower, row[3], column[4];
  float d[3][4];

  __device__ __forceinline__ Patch(const Winograd& shape, const float* x, int group, int in, int tile, bool lower) : lower(lower) {
    const TileSpot spot(shape, tile);
    const int top = spot.row - shape.pad_height + lower, left = spot.column - shape.pad_width;
    const Index plane = Index(shape.height) * shape.width;
    at = x + ((Index(spot.image) * shape.groups + group) * shape.ins + in) * plane + Index(top) * shape.width + left;
    step = plane * kInner;
    pitch = shape.width;
    channels = tile < shape.tiles ? shape.ins - in : 0;
#pragma unroll
    for (int r = 0; r < 3; ++r) row[r] = top + r >= 0 && top + r < shape.height;
#pragma unroll
    for (int s = 0; s < 4; ++s) column[s] = left + s >= 0 && left + s < shape.width;
  }
  __device__ __forceinline__ void load() {
#pragma unroll
    for (int r = 0; r < 3; ++r) {
#pragma unroll
      for (int s = 0; s < 4; ++s) d[r][s] = channels > 0 && row[r] && column[s] ? at[r * pitch + s] : 0.0f;
    }
    at += step;
    channels -= kInner;
  }
  __device__ __forceinline__ void store(float* to) const {
    float half[2][4];
#pragma unroll
    for (int s = 0; s < 4; ++s) {
      half[0][s] = lower ? d[1][s] - d[0][s] : d[0][s] - d[2][s];
      half[1][s] = lower ? d[0][s] - d[2][s] : d[1][s] + d[2][s];
    }
#pragma unroll
    for (int r = 0; r < 2; ++r) {
      const float* t = half[r];
      const float parts[4] = {t[0] - t[2], t[1] + t[2], t[2] - t[1], t[1] - t[3]};
#pragma unroll
      for (int s = 0; s < 4; ++s) to[((lower ? 8 : 0) + r * 4 + s) * kTiles] = parts[s];
    }
  }
};

// A result summed term by term, for a tile whose transform was not finite: an infinity or NaN of one input must not
// reach results that it has no part in, and a sum of large inputs must not overflow before its time.
__device__ __noinline__ float direct_result(const Winograd& shape, const float* x, const float* weight, int group, int image, int out, int row, int column) {
  float sum = 0;
  for (int in = 0; in < shape.ins; ++in) {
    const float* plane = x + ((Index(image) * shape.groups + group) * shape.ins + in) * shape.height * shape.width;
    const float* filter = shape.filter(weight, group, out, in);
    for (int tap = 0; tap < 9; ++tap) {
      const int r = row + tap / 3 - shape.pad_height, s = column + tap % 3 - shape.pad_width;
      if (r < 0 || r >= shape.height || s < 0 || s >= shape.width) continue;
      sum += plane[Index(r) * shape.width + s] * filter[shape.back ? 8 - tap : tap];
    }
  }
  return sum;
}

// blockIdx.x counts kTiles tiles, y kOuts channels, z groups.
__global__ void __launch_bounds__(kThreads, 1) winograd(
    const __grid_constant__ Winograd shape, const float* x, const float* weight, const float* transformed, const float* bias, int activation, float* result) {
  __shared__ __align__(16) float filters[2][kInner][kParts][kOuts];
  __shared__ __align__(16) float patches[2][kInner][kParts][kTiles];
  const int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
  const int lane_out = lane / kLanesTile, lane_tile = lane % kLanesTile;
  const int first_out = blockIdx.y * kOuts;
  const Index first_tile = Index(blockIdx.x) * kTiles;
  const int tile = static_cast<int>(first_tile) + lane;
  const int steps = shape.padded_ins / kInner;
  // Of a step's patches this thread transforms half a tile of one channel: a warp has a channel and half, a lane a tile.
  const int own_in = warp / 2, lower = warp % 2;

  for (int group = blockIdx.z; group < shape.groups; group += gridDim.z) {
    const float* from = transformed + Index(group) * shape.padded_ins * kParts * shape.padded_outs + first_out;
    Patch patch(shape, x, group, own_in, tile, lower);
    const auto start_filters = [&](int step) {
      float* stage = &filters[step % 2][0][0][0];
#pragma unroll
      for (int v = 0; v < kInner * kParts * kOuts / (kThreads * kPiece); ++v) {
        const int i = (v * kThreads + threadIdx.x) * kPiece, line = i / kOuts, along = i % kOuts;
        ptx::cp_async<16>(stage + i, from + (Index(step) * kInner * kParts + line) * shape.padded_outs + along);
      }
      ptx::cp_async_commit();
    };
    float sum[2][8][8] = {};
    start_filters(0);
    patch.load();
    patch.store(&patches[0][own_in][0][lane]);
    ptx::cp_async_wait<0>();
    __syncthreads();
    for (int step = 0; step < steps; ++step) {
      const bool more = step + 1 < steps;
      if (more) {
        start_filters(step + 1);
        patch.load();
      }
#pragma unroll
      for (int in = 0; in < kInner; ++in) {
#pragma unroll
        for (int part = 0; part < 2; ++part) {
          float a[8], b[8];
          const auto* left = reinterpret_cast<const Vector<float, kPiece>*>(filters[step % 2][in][warp * 2 + part]);
          const auto* right = reinterpret_cast<const Vector<float, kPiece>*>(patches[step % 2][in][warp * 2 + part]);
#pragma unroll
          for (int p = 0; p < 2; ++p) {
            const Vector<float, kPiece> x4 = left[p * kLanesOut + lane_out], y4 = right[p * kLanesTile + lane_tile];
#pragma unroll
            for (int w = 0; w < kPiece; ++w) {
              a[p * kPiece + w] = x4.item[w];
              b[p * kPiece + w] = y4.item[w];
            }
          }
#pragma unroll
          for (int i = 0; i < 8; ++i) {
#pragma unroll
            for (int j = 0; j < 8; ++j) sum[part][i][j] += a[i] * b[j];
          }
        }
      }
      if (more) patch.store(&patches[(step + 1) % 2][own_in][0][lane]);
      ptx::cp_async_wait<0>();
      __syncthreads();
    }
    // All 16 parts of a result meet in shared memory, 16 channels at a time; then a lane has a tile.
    constexpr int kRound = 16;
    float* meeting = &filters[0][0][0][0];
    static_assert(kParts * kRound * kTiles <= 2 * kInner * kParts * kOuts, "it fits the filters' place");
    const TileSpot spot(shape, tile);
    const Index plane = Index(shape.result_height) * shape.result_width;
    const bool pairs = shape.result_width % 2 == 0 && is_aligned<2>(result);
#pragma unroll
    for (int round = 0; round < kOuts / kRound; ++round) {
      if (lane_out / 4 == round % 2) {
#pragma unroll
        for (int part = 0; part < 2; ++part) {
#pragma unroll
          for (int w = 0; w < kPiece; ++w) {
            float* line = meeting + ((warp * 2 + part) * kRound + lane_out % 4 * kPiece + w) * kTiles;
#pragma unroll
            for (int p = 0; p < 2; ++p) {
              Vector<float, kPiece> some;
#pragma unroll
              for (int j = 0; j < kPiece; ++j) some.item[j] = sum[part][round / 2 * kPiece + w][p * kPiece + j];
              // Lines of neighbouring channels would meet the same banks: every other one has its halves exchanged.
              reinterpret_cast<Vector<float, kPiece>*>(line)[(p * kLanesTile + lane_tile) ^ (lane_out % 2 * kLanesTile)] = some;
            }
          }
        }
      }
      __syncthreads();
#pragma unroll
      for (int part_of = 0; part_of < kRound; part_of += kThreads / 32) {
        const int line = part_of + warp, out = first_out + round * kRound + line;
        if (out >= shape.outs || tile >= shape.tiles) continue;
        const float* from_line = meeting + line * kTiles + (lane ^ (line / kPiece % 2 * kLanesTile * kPiece));
        float half[2][4];
#pragma unroll
        for (int s = 0; s < 4; ++s) {
          float m[4];
#pragma unroll
          for (int r = 0; r < 4; ++r) m[r] = from_line[(r * 4 + s) * kRound * kTiles];
          half[0][s] = m[0] + m[1] + m[2];
          half[1][s] = m[1] - m[2] - m[3];
        }
        const int channel = group * shape.outs + out;
        const float added = bias ? bias[channel] : 0.0f;
        float* to = result + (Index(spot.image) * shape.groups * shape.outs + channel) * plane;
#pragma unroll
        for (int r = 0; r < 2; ++r) {
          const int row = spot.row + r;
          if (row >= shape.result_height) continue;
          float y[2] = {half[r][0] + half[r][1] + half[r][2], half[r][1] - half[r][2] - half[r][3]};
#pragma unroll
          for (int s = 0; s < 2; ++s) {
            if (!isfinite(y[s]) && spot.column + s < shape.result_width) {
              y[s] = direct_result(shape, x, weight, group, spot.image, out, row, spot.column + s);
            }
            y[s] = activated(y[s] + added, activation);
          }
          float* place = to + Index(row) * shape.result_width + spot.column;
          if (pairs) {
            *reinterpret_cast<Vector<float, 2>*>(place) = {y[0], y[1]};
          } else {
            place[0] = y[0];
            if (spot.column + 1 < shape.result_width) place[1] = y[1];
          }
        }
      }
      __syncthreads();  // before the next round, or the next group's filters
    }
  }
}
