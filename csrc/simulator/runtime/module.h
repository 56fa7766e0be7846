// A compiled kernel library as the checkers see it: where its shared and device variables lie.
#pragma once
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "regions.h"

namespace pnsim {

struct Symbol {
  uintptr_t offset;
  size_t size;
  unsigned element;
  std::string name;
};

struct Module {
  void (*anchor)(char** tls, const void** image);
  uintptr_t tls_anchor = 0, image_base = 0;
  std::vector<Symbol> shared;   // static shared arrays, offsets within the thread-local block
  std::vector<Symbol> guards;   // the compiler's notes on which of them have been constructed
  std::map<std::string, std::vector<size_t>> used;  // by each kernel: numbers of shared arrays
  std::set<std::pair<std::string, int>> rows;  // files and lines that name a shared array of several dimensions
  std::string dynamic_name = "dynamic shared memory";
  unsigned dynamic_element = 4;
};

// The part of the shared arrays' storage that belongs to the calling thread, as a region with gaps marked.
// Only the arrays that the kernel can use are in it: those of other kernels lie beside them.
struct SharedArrays {
  regions::Region region;
  std::vector<Symbol> arrays;  // offsets from the region's base
  void map(const Module& module, const char* kernel);
  void unmap();
  const Symbol* at(uintptr_t a) const;
  bool guard(uintptr_t a) const;  // an access that the compiler made up
  std::vector<Symbol> guards;     // at addresses
};

}  // namespace pnsim

extern "C" {
// `symbols`: lines "tls VALUE", "image VALUE", "dynamic ELEMENT NAME", "S OFFSET SIZE ELEMENT NAME" (shared),
// "G OFFSET SIZE" (a guard of a shared array),
// "K KERNEL NUMBERS" (the shared arrays it can use), "R LINE FILE" (a line that names a shared array of several
// dimensions),
// "D OFFSET SIZE ELEMENT NAME" (device variables), "C OFFSET SIZE ELEMENT NAME" (constant ones)
const void* pnsim_module_add(void (*anchor)(char**, const void**), const char* symbols);
}
