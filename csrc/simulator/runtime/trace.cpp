#include "trace.h"

#include <stdio.h>

#include <algorithm>
#include <string>

namespace pnsim::trace {

bool on = false;

namespace {
struct Array {
  std::string name, space;
  uintptr_t base;
  size_t bytes;
  unsigned element;
};
std::vector<uint64_t> blocks;
std::vector<Request> requests;
std::vector<Array> arrays;
size_t most = 0;
uint64_t dropped = 0;
}  // namespace

bool wanted() {
  const uint64_t here = pnsim_here.block_x + uint64_t(pnsim_here.grid_x) * (pnsim_here.block_y + uint64_t(pnsim_here.grid_y) * pnsim_here.block_z);
  return std::binary_search(blocks.begin(), blocks.end(), here);
}

void clear() {
  requests.clear();
  arrays.clear();
  dropped = 0;
}

int array(const char* name, const char* space, uintptr_t base, size_t bytes, unsigned element) {
  for (size_t i = 0; i < arrays.size(); ++i)
    if (arrays[i].base == base && arrays[i].name == name) return int(i);
  arrays.push_back({name, space, base, bytes, element});
  return int(arrays.size() - 1);
}

uintptr_t base_of(int i) { return i < 0 ? 0 : arrays[size_t(i)].base; }

void add(const Request& request) {
  if (requests.size() < most) requests.push_back(request);
  else ++dropped;
}

}  // namespace pnsim::trace

using namespace pnsim::trace;

extern "C" void pnsim_trace_begin(const uint64_t* wanted, size_t count, size_t limit) {
  clear();
  blocks.assign(wanted, wanted + count);
  std::sort(blocks.begin(), blocks.end());
  most = limit;
  on = true;
}

extern "C" void pnsim_trace_end(void) {
  on = false;
  clear();
}

extern "C" const Request* pnsim_trace_requests(size_t* count, uint64_t* lost) {
  *count = requests.size();
  *lost = dropped;
  return requests.data();
}

extern "C" const char* pnsim_trace_arrays(void) {
  static std::string out;
  out = "[";
  for (const Array& a : arrays) {
    if (out.size() > 1) out += ',';
    char numbers[160];
    snprintf(numbers, sizeof numbers, "{\"base\":%llu,\"bytes\":%llu,\"element\":%u,\"space\":\"", (unsigned long long)a.base,
             (unsigned long long)a.bytes, a.element);
    ((out += numbers) += a.space) += "\",\"name\":\"";
    for (const char c : a.name) {
      if (c == '"' || c == '\\') out += '\\';
      out += c;
    }
    out += "\"}";
  }
  out += ']';
  return out.c_str();
}
