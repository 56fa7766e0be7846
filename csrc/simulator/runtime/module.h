// A compiled kernel library as the checkers see it: where its shared and device variables lie.
#pragma once
#include <string>
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
  std::string dynamic_name = "dynamic shared memory";
  unsigned dynamic_element = 4;
};

// The part of the shared arrays' storage that belongs to the calling thread, as a region with gaps marked.
void map_shared(const Module& module, regions::Region& region);
const Symbol* shared_symbol(const Module& module, const regions::Region& region, uintptr_t a);

}  // namespace pnsim

extern "C" {
// `symbols`: lines "tls VALUE", "image VALUE", "dynamic ELEMENT NAME", "S OFFSET SIZE ELEMENT NAME" (shared),
// "D OFFSET SIZE ELEMENT NAME" (device variables), "C OFFSET SIZE ELEMENT NAME" (constant ones)
const void* pnsim_module_add(void (*anchor)(char**, const void**), const char* symbols);
}
