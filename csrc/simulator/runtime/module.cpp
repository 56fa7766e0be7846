#include "module.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <algorithm>

namespace pnsim {

namespace {
// "ns::name<T>" is listed as "name".
std::string base_name(const char* kernel) {
  std::string name(kernel, strcspn(kernel, "< "));
  const size_t scope = name.rfind("::");
  return scope == std::string::npos ? name : name.substr(scope + 2);
}
}  // namespace

void SharedArrays::map(const Module& m, const char* kernel) {
  unmap();
  auto used = m.used.find(base_name(kernel));
  if (used == m.used.end()) {
    arrays = m.shared;
  } else {
    for (size_t i : used->second) arrays.push_back(m.shared[i]);
  }
  if (arrays.empty()) return;
  char* tls;
  const void* image;
  m.anchor(&tls, &image);
  const uintptr_t base = reinterpret_cast<uintptr_t>(tls) - m.tls_anchor;
  guards = m.guards;
  for (Symbol& g : guards) g.offset += base;
  uintptr_t low = ~uintptr_t(0), high = 0;
  for (const Symbol& s : arrays) {
    low = std::min(low, s.offset);
    high = std::max(high, s.offset + s.size);
  }
  low &= ~uintptr_t(15);
  for (Symbol& s : arrays) s.offset -= low;
  regions::Region& r = region;
  r.base = base + low;
  r.size = high - low;
  r.space = regions::SHARED;
  r.initialized = false;
  for (const Symbol& s : arrays)
    if (s.element < 4 || s.size % 4 || s.offset % 4) r.shift = 0;
  r.map();
  std::vector<bool> owned((r.size >> r.shift) + 1);
  for (const Symbol& s : arrays)
    for (size_t i = s.offset >> r.shift; i < (s.offset + s.size) >> r.shift; ++i) owned[i] = true;
  for (size_t i = 0; i < r.size >> r.shift; ++i)
    if (!owned[i]) r.cells[i].w_epoch = regions::NO_ARRAY;
}

void SharedArrays::unmap() {
  region.unmap();
  region = regions::Region{};
  arrays.clear();
}

bool SharedArrays::guard(uintptr_t a) const {
  for (const Symbol& g : guards)
    if (a - g.offset < g.size) return true;
  return false;
}

// The array at an address, or the one before it.
const Symbol* SharedArrays::at(uintptr_t a) const {
  const Symbol* before = nullptr;
  for (const Symbol& s : arrays)
    if (s.offset <= a - region.base && (!before || s.offset > before->offset)) before = &s;
  return before;
}

}  // namespace pnsim

extern "C" const void* pnsim_module_add(void (*anchor)(char**, const void**), const char* symbols) {
  using namespace pnsim;
  Module* m = new Module;  // lives as long as its library, which is never unloaded
  m->anchor = anchor;
  char* tls;
  const void* image;
  anchor(&tls, &image);
  while (*symbols) {
    const char* end = strchr(symbols, '\n');
    const std::string line(symbols, end ? size_t(end - symbols) : strlen(symbols));
    symbols += line.size() + (end != nullptr);
    unsigned long long offset, size, element;
    int name = 0;
    if (sscanf(line.c_str(), "tls %llu", &offset) == 1) m->tls_anchor = offset;
    else if (sscanf(line.c_str(), "image %llu", &offset) == 1) m->image_base = reinterpret_cast<uintptr_t>(image) - offset;
    else if (sscanf(line.c_str(), "dynamic %llu %n", &element, &name) == 1 && name) {
      m->dynamic_element = unsigned(element);
      m->dynamic_name = line.substr(size_t(name));
    } else if (sscanf(line.c_str(), "S %llu %llu %llu %n", &offset, &size, &element, &name) == 3 && name)
      m->shared.push_back({offset, size, unsigned(element), line.substr(size_t(name))});
    else if (sscanf(line.c_str(), "G %llu %llu", &offset, &size) == 2)
      m->guards.push_back({offset, size, 1, ""});
    else if (line.compare(0, 2, "K ") == 0) {
      const size_t space = line.find(' ', 2);
      std::vector<size_t>& used = m->used[line.substr(2, space - 2)];
      const char* p = space == std::string::npos ? "" : line.c_str() + space;
      for (char* end_of; used.size() < m->shared.size(); p = end_of) {
        const size_t number = strtoul(p, &end_of, 10);
        if (end_of == p) break;
        used.push_back(number);
      }
    } else if (sscanf(line.c_str(), "R %llu %n", &offset, &name) == 1 && name) {
      m->rows.emplace(line.substr(size_t(name)), int(offset));
    } else if (sscanf(line.c_str(), "C %llu %llu %llu %n", &offset, &size, &element, &name) == 3 && name)
      regions::add(reinterpret_cast<void*>(m->image_base + offset), size, line.c_str() + name, unsigned(element), regions::CONSTANT, true);
    else if (sscanf(line.c_str(), "D %llu %llu %llu %n", &offset, &size, &element, &name) == 3 && name)
      regions::add(reinterpret_cast<void*>(m->image_base + offset), size, line.c_str() + name, unsigned(element), regions::GLOBAL, true);
  }
  return m;
}
