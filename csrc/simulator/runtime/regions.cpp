#include "regions.h"

#include <string.h>
#include <sys/mman.h>

#include <map>
#include <mutex>

namespace pnsim::regions {

uint64_t changes = 0;

namespace {
std::mutex lock;
std::map<uintptr_t, Region>& table() {
  static auto& all = *new std::map<uintptr_t, Region>;  // used while the program ends, so never destroyed
  return all;
}
}  // namespace

void Region::map() {
  if (cells) return;
  mapped = ((size >> shift) + 17) * sizeof(Cell);
  void* p = mmap(nullptr, mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  cells = p == MAP_FAILED ? nullptr : static_cast<Cell*>(p);
}

void Region::unmap() {
  if (cells) munmap(cells, mapped);
  cells = nullptr;
}

void Region::refine() {
  if (shift == 0) return;
  Region fine = *this;
  fine.cells = nullptr;
  fine.shift = 0;
  fine.map();
  if (cells)
    for (size_t i = 0; i < size; ++i) fine.cells[i] = cells[i >> shift];
  unmap();
  *this = fine;
}

void Region::set_written(size_t offset, size_t bytes) {
  map();
  if ((offset | bytes) & ((1u << shift) - 1)) refine();
  const Cell written = {1, 0, 0, 0, 0, 0, 0, 0, 0, 0};
  for (size_t i = offset >> shift; i < (offset + bytes) >> shift; ++i) cells[i] = written;
}

Region* add(const void* p, size_t bytes, const char* name, unsigned element, Space space, bool initialized) {
  std::lock_guard<std::mutex> hold(lock);
  const uintptr_t base = reinterpret_cast<uintptr_t>(p);
  ++changes;
  auto& all = table();
  // What is freed and lies under the new array is forgotten.
  for (auto it = all.lower_bound(base); it != all.end() && it->first < base + bytes;) {
    it->second.unmap();
    it = all.erase(it);
  }
  if (auto it = all.lower_bound(base); it != all.begin()) {
    --it;
    if (it->second.freed && it->second.holds(base)) {
      it->second.unmap();
      all.erase(it);
    }
  }
  Region r;
  r.base = base;
  r.size = bytes;
  strncpy(r.name, name, sizeof r.name - 1);
  r.element = element ? element : 1;
  r.space = space;
  r.initialized = initialized;
  r.shift = r.element % 4 == 0 || r.element == 1 ? 2 : r.element % 2 == 0 ? 1 : 0;
  if (base & ((1u << r.shift) - 1)) r.shift = 0;
  return &(all[base] = r);
}

bool remove(const void* p) {
  std::lock_guard<std::mutex> hold(lock);
  auto it = table().find(reinterpret_cast<uintptr_t>(p));
  if (it == table().end()) return false;
  ++changes;
  it->second.unmap();
  table().erase(it);
  return true;
}

bool mark_freed(const void* p) {
  std::lock_guard<std::mutex> hold(lock);
  auto it = table().find(reinterpret_cast<uintptr_t>(p));
  if (it == table().end() || it->second.freed) return false;
  ++changes;
  it->second.unmap();
  it->second.freed = true;
  return true;
}

Region* find(uintptr_t a) {
  auto& all = table();
  auto it = all.upper_bound(a);
  if (it == all.begin()) return nullptr;
  --it;
  return it->second.holds(a) ? &it->second : nullptr;
}

Region* nearest(uintptr_t a, long long* distance) {
  auto& all = table();
  auto after = all.upper_bound(a);
  Region* best = nullptr;
  if (after != all.begin()) {
    auto before = std::prev(after);
    best = &before->second;
    *distance = (long long)(a - best->base) - (long long)best->size;
  }
  // Past the end of one array is the likelier mistake; before the start of the next only when much nearer.
  if (after != all.end()) {
    const long long ahead = (long long)(after->first - a);
    if (!best || ahead * 4 < *distance) {
      best = &after->second;
      *distance = -ahead;
    }
  }
  return best;
}

void host_wrote(const void* p, size_t bytes) {
  std::lock_guard<std::mutex> hold(lock);
  const uintptr_t a = reinterpret_cast<uintptr_t>(p);
  Region* r = find(a);
  if (!r || r->initialized || r->freed) return;
  const size_t offset = a - r->base;
  if (offset == 0 && bytes >= r->size) {
    r->initialized = true;
    return;
  }
  r->set_written(offset, bytes < r->size - offset ? bytes : r->size - offset);
}

}  // namespace pnsim::regions

extern "C" void pnsim_region_add(const void* p, size_t bytes, const char* name, unsigned element, int initialized) {
  pnsim::regions::add(p, bytes, name, element, pnsim::regions::GLOBAL, initialized != 0);
}
extern "C" void pnsim_region_remove(const void* p) { pnsim::regions::remove(p); }
