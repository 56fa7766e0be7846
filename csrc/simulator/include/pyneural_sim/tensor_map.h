// What a CUtensorMap holds in the simulator. The address comes first: a checked launch moves the array.
#pragma once

namespace pnsim {

struct TensorMap {
  const char* address;
  unsigned long long strides[4];  // bytes, of dimensions 1 to 4
  unsigned sizes[5];              // innermost first
  unsigned short box[5];
  unsigned char steps[5];
  unsigned char rank, width;      // width: bytes of an element
  unsigned char swizzle;          // log2 of the span in 16 bytes: 0 none, 1 32, 2 64, 3 128 bytes
  unsigned char fill;             // bytes of a NaN, or 0 to fill with zeros
  unsigned char mark;             // MARK in every map that was encoded
  // Of maps in im2col mode, of which box[0] is the number of channels: `pixels` of a column, 0 in tiled mode, and by how
  // much the bounding box differs from the image at its corners, by W, H, D.
  unsigned short pixels;
  short lower[3], upper[3];
};
constexpr unsigned char TENSOR_MAP_MARK = 0xa7;
static_assert(sizeof(TensorMap) <= 128, "a CUtensorMap has 128 bytes");

// Swizzling exchanges the 16-byte parts of rows of 32, 64 or 128 bytes by address bits 7 and up.
static inline unsigned long long swizzled(unsigned long long address, unsigned bits) {
  return address ^ ((address >> 7 & ((1u << bits) - 1)) << 4);
}

}  // namespace pnsim
