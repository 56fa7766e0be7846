// The arrays a kernel may touch, each with one shadow cell per granule of memory.
#pragma once
#include <stddef.h>
#include <stdint.h>

namespace pnsim::regions {

enum Space : uint8_t { GLOBAL, SHARED, CONSTANT };

// The last accesses of one granule. An epoch is a count of barriers over all blocks: it names the block
// and the interval between two of its barriers. `who` packs the thread, whether the write was atomic or
// volatile, and the thread's stamp (see races.h).
struct Cell {
  uint32_t w_epoch, w_who, w_pc;          // last write
  uint32_t r_epoch, r_who, r_pc, r_mask;  // last reads by one warp: the lanes that are not ordered among themselves
  uint32_t o_epoch, o_who, o_pc;          // a read by another warp of the interval, or by another block; or an
                                          // atomic that another one followed
};

constexpr uint32_t NO_ARRAY = 0xffffffffu;  // w_epoch of the gaps between shared arrays

struct Region {
  uintptr_t base = 0;
  size_t size = 0;
  char name[64] = "";
  unsigned element = 1;
  Space space = GLOBAL;
  bool initialized = true;
  bool freed = false;
  unsigned shift = 2;  // log2 of the granule
  Cell* cells = nullptr;
  size_t mapped = 0;

  bool holds(uintptr_t a) const { return a - base < size; }
  void map();
  void unmap();
  void refine();                          // to one cell a byte, histories kept
  void set_written(size_t offset, size_t bytes);  // by the host: initialised, no history
};

extern uint64_t changes;  // counts every add, remove and free

Region* add(const void* p, size_t bytes, const char* name, unsigned element, Space space, bool initialized);
bool remove(const void* p);      // false: no such array
bool mark_freed(const void* p);  // keeps its name for a use after free
Region* find(uintptr_t a);
inline bool is_null(uintptr_t a) { return a < 65536; }  // from a null pointer, whatever lies near it
Region* nearest(uintptr_t a, long long* distance);  // negative: before its start
void host_wrote(const void* p, size_t bytes);

}  // namespace pnsim::regions

extern "C" {
void pnsim_region_add(const void* p, size_t bytes, const char* name, unsigned element, int initialized);
void pnsim_region_remove(const void* p);
}
