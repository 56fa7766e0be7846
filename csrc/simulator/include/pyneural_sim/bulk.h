// Bodies of the bulk copies of sm_90 (PTX ISA, cp.async.bulk and cp.async.bulk.tensor): TMA.
#pragma once
#include "atomics.h"
#include "mbarrier.h"
#include "tensor_map.h"

namespace pnsim {

static PNSIM_UNSEEN TensorMap tensor_map(const void* map, const char* file, int line) {
  TensorMap m;
  __builtin_memcpy(&m, map, sizeof m);
  if (m.mark != TENSOR_MAP_MARK) pnsim_trap("the tensor map was not made by cuTensorMapEncodeTiled or cuTensorMapEncodeIm2col", file, line);
  return m;
}

// All parts of a copy, in memory of the C library while they are gathered.
struct Parts {
  pnsim_piece* all = nullptr;
  size_t count = 0, room = 0;
  ~Parts() { free(all); }
};

static PNSIM_UNSEEN void add(Parts& parts, char* shared, const char* global, unsigned size, const TensorMap& m, bool load) {
  if (!load && !global) return;
  if (parts.count == parts.room) {
    parts.room = parts.room ? 2 * parts.room : 64;
    parts.all = static_cast<pnsim_piece*>(realloc(parts.all, parts.room * sizeof *parts.all));
  }
  parts.all[parts.count++] = load ? pnsim_piece{shared, global, size, m.fill} : pnsim_piece{const_cast<char*>(global), shared, size, 0};
}

// A line of a box, `bytes` from element `first` of a row of the tensor: at most 16 bytes of shared memory a part. What lies
// outside of the tensor has no global address.
static PNSIM_UNSEEN void add_line(Parts& parts, const TensorMap& m, unsigned long long to, unsigned bytes, bool inside,
                                  long long row, long long first_element, bool load) {
  for (unsigned b = 0; b < bytes; b += 16) {
    char* part = (char*)swizzled(to + b, m.swizzle);
    const long long first = first_element + (long long)(b / m.width) * m.steps[0];
    const long long last = first + (long long)(16 / m.width - 1) * m.steps[0];
    if (inside && m.steps[0] == 1 && first >= 0 && last <= (long long)m.sizes[0]) {
      add(parts, part, m.address + row + first * m.width, 16, m, load);
      continue;
    }
    for (unsigned e = 0; e < 16u / m.width; ++e) {
      const long long index = first + (long long)e * m.steps[0];
      const bool there = inside && index >= 0 && index <= (long long)m.sizes[0];
      add(parts, part + e * m.width, there ? m.address + row + index * m.width : nullptr, m.width, m, load);
    }
  }
}

static PNSIM_UNSEEN void check_tensor_copy(const TensorMap& m, int rank, bool im2col, const char* shared, const char* file, int line) {
  if (m.rank != rank) pnsim_trap("the tensor map has another number of dimensions than this copy", file, line);
  if ((m.pixels != 0) != im2col) pnsim_trap("the tensor map has another mode (tiled, im2col) than this copy", file, line);
  if ((unsigned long long)shared % (m.swizzle ? 128u << m.swizzle : 128u))
    pnsim_trap("the shared address of a tensor copy must be a multiple of 128 bytes, or of 256, 512 or 1024 with a swizzle of 32, 64 or 128 bytes", file, line);
}

template <int Rank>
static PNSIM_UNSEEN void gather(Parts& parts, const TensorMap& m, char* shared, const int (&at)[Rank], bool load, const char* file, int line) {
  check_tensor_copy(m, Rank, false, shared, file, line);
  unsigned count[5] = {1, 1, 1, 1, 1};
  for (int i = 0; i < Rank; ++i) count[i] = (m.box[i] + m.steps[i] - 1u) / m.steps[i];
  const unsigned row_bytes = count[0] * m.width, pitch = m.swizzle ? 16u << m.swizzle : row_bytes;
  unsigned long long row = (unsigned long long)shared;
  for (unsigned n = 0, rows = count[1] * count[2] * count[3] * count[4]; n < rows; ++n, row += pitch) {
    bool inside = true;
    long long offset = 0;
    unsigned rest = n;
    for (int i = 1; i < Rank; ++i) {
      const long long index = at[i] + (long long)(rest % count[i]) * m.steps[i];
      rest /= count[i];
      inside = inside && index >= 0 && index <= (long long)m.sizes[i];
      offset += index * (long long)m.strides[i - 1];
    }
    add_line(parts, m, row, row_bytes, inside, offset, at[0], load);
  }
}

// im2col mode (PTX ISA, "Tensor copy: im2col mode"): from the pixel at these coordinates on, through the bounding box along
// W, H, D and then to the next image, the pixels that lie `offsets` further.
template <int Rank>
static PNSIM_UNSEEN void gather_im2col(Parts& parts, const TensorMap& m, char* shared, const int (&at)[Rank],
                                       const unsigned short (&offsets)[Rank - 2], const char* file, int line) {
  check_tensor_copy(m, Rank, true, shared, file, line);
  const unsigned row_bytes = m.box[0] * m.width, pitch = m.swizzle ? 16u << m.swizzle : row_bytes;
  unsigned long long row = (unsigned long long)shared;
  long long pixel[Rank];
  for (int i = 1; i < Rank; ++i) pixel[i] = at[i];
  for (unsigned n = 0; n < m.pixels; ++n, row += pitch) {
    bool inside = true;
    long long offset = 0;
    for (int i = 1; i < Rank; ++i) {
      const long long index = pixel[i] + (i < Rank - 1 ? offsets[i - 1] : 0);
      inside = inside && index >= 0 && index <= (long long)m.sizes[i];
      offset += index * (long long)m.strides[i - 1];
    }
    add_line(parts, m, row, row_bytes, inside, offset, at[0], true);
    for (int i = 1; i < Rank; ++i) {
      pixel[i] += m.steps[i];
      if (i == Rank - 1 || pixel[i] <= (long long)m.sizes[i] + m.upper[i - 1]) break;
      pixel[i] = m.lower[i - 1];
    }
  }
}

template <int Rank>
static PNSIM_UNSEEN void tensor_load(void* to, const void* map, const int (&at)[Rank], void* object, const char* file, int line) {
  const TensorMap m = tensor_map(map, file, line);
  Parts parts;
  gather(parts, m, static_cast<char*>(to), at, true, file, line);
  pnsim_bulk_load(parts.all, parts.count, object, file, line);
}

// To the same place in each block of the cluster whose bit is set, where an mbarrier at the same place is told.
template <int Rank>
static PNSIM_UNSEEN void tensor_load_multicast(void* to, const void* map, const int (&at)[Rank], void* object, unsigned blocks,
                                               const char* file, int line) {
  if (blocks == 0) pnsim_trap("a multicast to no block", file, line);
  for (unsigned rank = 0; blocks >> rank; ++rank)
    if (blocks >> rank & 1) tensor_load(pnsim_map_shared(to, rank, file, line), map, at, pnsim_map_shared(object, rank, file, line), file, line);
}

template <int Rank>
static PNSIM_UNSEEN void tensor_load_im2col(void* to, const void* map, const int (&at)[Rank], const unsigned short (&offsets)[Rank - 2],
                                            void* object, const char* file, int line) {
  const TensorMap m = tensor_map(map, file, line);
  Parts parts;
  gather_im2col(parts, m, static_cast<char*>(to), at, offsets, file, line);
  pnsim_bulk_load(parts.all, parts.count, object, file, line);
}

template <int Rank>
static PNSIM_UNSEEN void tensor_store(const void* map, const void* from, const int (&at)[Rank], const char* file, int line) {
  const TensorMap m = tensor_map(map, file, line);
  Parts parts;
  gather(parts, m, static_cast<char*>(const_cast<void*>(from)), at, false, file, line);
  pnsim_bulk_store(parts.all, parts.count, file, line);
}

PNSIM_INLINE void check_bulk(const void* to, const void* from, unsigned size, const char* file, int line) {
  if (((unsigned long long)to | (unsigned long long)from | size) % 16)
    pnsim_trap("addresses and size of a bulk copy must be multiples of 16 bytes", file, line);
}

PNSIM_INLINE void bulk_load(void* to, const void* from, unsigned size, void* object, const char* file, int line) {
  check_bulk(to, from, size, file, line);
  const pnsim_piece piece = {static_cast<char*>(to), static_cast<const char*>(from), size, 0};
  pnsim_bulk_load(&piece, 1, object, file, line);
}

PNSIM_INLINE void bulk_store(void* to, const void* from, unsigned size, const char* file, int line) {
  check_bulk(to, from, size, file, line);
  const pnsim_piece piece = {static_cast<char*>(to), static_cast<const char*>(from), size, 0};
  pnsim_bulk_store(&piece, 1, file, line);
}

}  // namespace pnsim
