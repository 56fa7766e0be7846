// Tensor maps are encoded here for programs (cuTensorMapEncodeTiled, cuTensorMapEncodeIm2col) and for Python alike.
#include "../include/pyneural_sim/tensor_map.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "../include/pyneural_sim/state.h"

using namespace pnsim;

namespace {
// By CUtensorMapDataType
const unsigned char WIDTHS[] = {1, 2, 4, 4, 8, 8, 2, 4, 8, 2, 4, 4, 4};
const bool FLOATING[] = {false, false, false, false, false, false, true, true, true, true, true, true, true};

thread_local char text[200];

// What is wrong; functions give null where nothing is.
template <typename... Parts>
const char* wrong(const char* format, Parts... parts) {
  snprintf(text, sizeof text, format, parts...);
  return text;
}

// What maps of both modes have.
const char* encode(TensorMap& m, int type, unsigned rank, const void* address, const unsigned long long* sizes,
                   const unsigned long long* strides, const unsigned* steps, int interleave, int swizzle, int fill) {
  if (type < 0 || type >= int(sizeof WIDTHS)) return wrong("data type %d is unknown", type);
  if (interleave) return wrong("interleave (=%d) cannot be simulated", interleave);
  if (swizzle < 0 || swizzle > 3) return wrong("swizzle %d is unknown", swizzle);
  if (fill && !FLOATING[type]) return wrong("only floating types can be filled with NaN");
  if (reinterpret_cast<uintptr_t>(address) % 16) return wrong("the array's address must be a multiple of 16");
  m.address = static_cast<const char*>(address);
  m.rank = static_cast<unsigned char>(rank);
  m.width = WIDTHS[type];
  m.swizzle = static_cast<unsigned char>(swizzle);
  m.fill = fill ? m.width : 0;
  m.mark = TENSOR_MAP_MARK;
  const unsigned long long row = rank > 1 ? sizes[0] * m.width : 0;
  for (unsigned i = 0; i < rank; ++i) {
    if (sizes[i] < 1 || sizes[i] > 1ull << 32) return wrong("size %llu of dimension %u must be between 1 and 2**32", sizes[i], i);
    if (steps[i] < 1 || steps[i] > 8) return wrong("element stride (=%u) of dimension %u must be between 1 and 8", steps[i], i);
    if (i) {
      const unsigned long long stride = strides[i - 1];
      if (stride % 16 || stride >= 1ull << 40) return wrong("stride (=%llu bytes) of dimension %u must be a multiple of 16 below 2**40", stride, i);
      // Outer dimensions may lie in any order (heads within the rows of a sequence, say), as the driver takes them.
      if (stride < row) return wrong("stride (=%llu bytes) of dimension %u is less than the %llu bytes of a row", stride, i, row);
      m.strides[i - 1] = stride;
    }
    m.sizes[i] = unsigned(sizes[i] - 1);
    m.steps[i] = static_cast<unsigned char>(steps[i]);
  }
  return nullptr;
}

const char* check_line(unsigned line, int swizzle) {
  if (line % 16) return wrong("the box's inner dimension (=%u bytes) must be a multiple of 16 bytes", line);
  if (swizzle && line > 16u << swizzle) return wrong("the box's inner dimension (=%u bytes) must not exceed the swizzle's %u bytes", line, 16u << swizzle);
  return nullptr;
}

void store(void* map, const TensorMap& m) {
  memset(map, 0, 128);
  memcpy(map, &m, sizeof m);
}

}  // namespace

// The limits are those of cuTensorMapEncodeTiled in the driver API's reference.
extern "C" const char* pnsim_tensor_map(void* map, int type, unsigned rank, const void* address, const unsigned long long* sizes,
                                        const unsigned long long* strides, const unsigned* box, const unsigned* steps,
                                        int interleave, int swizzle, int fill) {
  if (rank < 1 || rank > 5) return wrong("rank (=%u) must be between 1 and 5", rank);
  TensorMap m = {};
  for (unsigned i = 0; i < rank; ++i) {
    if (box[i] < 1 || box[i] > 256) return wrong("box (=%u) of dimension %u must be between 1 and 256", box[i], i);
    m.box[i] = static_cast<unsigned short>(box[i]);
  }
  if (const char* bad = encode(m, type, rank, address, sizes, strides, steps, interleave, swizzle, fill)) return bad;
  if (const char* bad = check_line((box[0] + steps[0] - 1) / steps[0] * m.width, swizzle)) return bad;
  store(map, m);
  return nullptr;
}

// And these those of cuTensorMapEncodeIm2col.
extern "C" const char* pnsim_tensor_map_im2col(void* map, int type, unsigned rank, const void* address,
                                               const unsigned long long* sizes, const unsigned long long* strides,
                                               const int* lower, const int* upper, unsigned channels, unsigned pixels,
                                               const unsigned* steps, int interleave, int swizzle, int fill) {
  if (rank < 3 || rank > 5) return wrong("rank (=%u) must be between 3 and 5", rank);
  if (channels < 1 || channels > 256) return wrong("channels of a pixel (=%u) must be between 1 and 256", channels);
  if (pixels < 1 || pixels > 1024) return wrong("pixels of a column (=%u) must be between 1 and 1024", pixels);
  TensorMap m = {};
  m.box[0] = static_cast<unsigned short>(channels);
  m.pixels = static_cast<unsigned short>(pixels);
  const int limit = rank == 3 ? 32768 : rank == 4 ? 128 : 16;
  for (unsigned i = 0; i < rank - 2; ++i) {
    for (int k = 0; k < 2; ++k) {
      const int corner = k ? upper[i] : lower[i];
      if (corner < -limit || corner >= limit) return wrong("corner (=%d) of dimension %u must be between %d and %d", corner, i + 1, -limit, limit - 1);
    }
    if ((long long)sizes[i + 1] + upper[i] <= lower[i]) return wrong("the bounding box is empty in dimension %u", i + 1);
    m.lower[i] = static_cast<short>(lower[i]);
    m.upper[i] = static_cast<short>(upper[i]);
  }
  if (const char* bad = encode(m, type, rank, address, sizes, strides, steps, interleave, swizzle, fill)) return bad;
  m.steps[0] = 1;  // the driver's reference: ignored
  if (const char* bad = check_line(channels * m.width, swizzle)) return bad;
  store(map, m);
  return nullptr;
}
