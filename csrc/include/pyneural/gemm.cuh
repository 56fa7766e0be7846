// C = A B over any A(m, k) and B(k, n): matrices of any strides, or the views of images by which a convolution is a
// matrix product ("implicit GEMM"), which is never written to memory. Here is what all main loops share; the loops
// are gemm_small.cuh (a result a thread), gemm_simt.cuh (warp tiles, FMA), gemm_mma.cuh (tensor cores) and
// gemm_warpgroup.cuh (those of sm_90a); gemm_wgmma.cuh takes its operands from TMA and not from the classes below.
//
// An operand is a class with
//   along                  whether the inner dimension or the outer one (A's rows, B's columns) is beside in memory
//   width                  how many elements along that one a thread fetches at once
//   Outer outer(i)         what is known of row or column i (and the `width` from there), for any i
//   load(outer, k, end, to)  `width` elements from inner place k; 0 where i or k lie beyond the operand or `end`
//   copy(outer, k, end, to)  the same into shared memory, asynchronously where it can (tensor cores only)
// A store is called as store(i, j, values) for `values` beside each other in a row of C, some of them beyond its end.
#pragma once
#include "element.cuh"

namespace pyneural {

enum Along { kAlongInner, kAlongOuter };

// Tiles are taken in columns of this many tile rows: blocks that run together then share operands in the L2 cache.
constexpr int kTileRowsTogether = 8;

// Where tile number `tile` of tiles_m by tiles_n begins, in tiles.
struct TilePlace {
  Index row, column;
};
__device__ __forceinline__ TilePlace tile_place(Index tile, Index tiles_m, Index tiles_n) {
  const Index band = tile / (kTileRowsTogether * tiles_n), in_band = tile % (kTileRowsTogether * tiles_n);
  const Index first = band * kTileRowsTogether;
  const Index rows = tiles_m - first < kTileRowsTogether ? tiles_m - first : Index(kTileRowsTogether);
  return {first + in_band % rows, in_band / rows};
}

// A product of m by n results; this block sums the inner places [begin, end). Blocks stride along x over all tiles.
struct Product {
  Index m, n, begin, end;

  template <typename Tile, typename Run> __device__ __forceinline__ void tiles(const Run& run) const {
    const Index tiles_m = (m + Tile::m - 1) / Tile::m, tiles_n = (n + Tile::n - 1) / Tile::n;
    for (Index tile = blockIdx.x; tile < tiles_m * tiles_n; tile += gridDim.x) {
      const TilePlace at = tile_place(tile, tiles_m, tiles_n);
      run(at.row * Tile::m, at.column * Tile::n);
    }
  }
};

// The inner places that split `split` of `splits` sums: multiples of `step`.
__device__ __forceinline__ Product split_product(Index m, Index n, Index inner, Index split, Index splits, Index step) {
  const Index each = ((inner + splits - 1) / splits + step - 1) / step * step;
  const Index begin = split * each < inner ? split * each : inner;
  return {m, n, begin, begin + each < inner ? begin + each : inner};
}

}  // namespace pyneural
