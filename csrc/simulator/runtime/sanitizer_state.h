// What the sanitizer's files share: its state during a launch, and how a finding is filled in.
#pragma once
#include <unordered_map>
#include <utility>
#include <vector>

#include "clocks.h"
#include "module.h"
#include "regions.h"
#include "report.h"
#include "sanitizer.h"
#include "worker.h"

namespace pnsim::sanitizer {

using regions::Cell;
using regions::Region;

constexpr uint32_t ATOMIC_BIT = 1u << 10, VOLATILE_BIT = 1u << 11;
inline unsigned thread_of(uint32_t who) { return who & 1023; }
inline uint32_t stamp_of(uint32_t who) { return who >> 12; }

// A write that met an unordered write: harmless when it turns out to have stored the same bytes.
struct SameValue {
  uintptr_t address = 0;
  unsigned size = 0;
  unsigned char before[16];
  Finding finding;
};

// A plain read that met an unordered atomic operation: harmless when the reader's own compare-and-swap of the
// same place follows, which does nothing if the value read was not the last one.
struct GuessedValue {
  unsigned thread;
  uintptr_t address;
  Finding finding;
};

struct PendingCopy {
  uintptr_t to;
  size_t size;
  unsigned thread;
  const char* file;
  int line;
};

struct Sanitizer {
  uint32_t epoch = 1, block_first = 1, launch_first = 1;
  bool quiet = true;  // nothing asynchronous is under way: no copies and no flights
  Clocks clocks;
  SharedArrays shared;
  Region& statics = shared.region;
  Region dynamic;
  const Module* module = nullptr;
  Region* recent[64] = {};
  uint64_t changes = 0;
  std::vector<std::pair<uint32_t, size_t>> blocks;  // first epoch, number
  std::vector<SameValue> same;                      // by thread
  std::vector<GuessedValue> guesses;
  std::vector<PendingCopy> copies;                  // asynchronous copies that nobody has waited for
  std::unordered_map<uintptr_t, Flight> flights;    // by 16 bytes
  uint32_t fence_epoch = 0, fence_epoch_before = 0; // the last two intervals with a proxy fence of any thread
};
extern Sanitizer state;

void fill(const Thread& t, Finding& f);
void name_array(Finding& f, const Region& r, uintptr_t a, unsigned size);
void set_other(Worker& w, Finding& f, uint32_t epoch, unsigned thread);

}  // namespace pnsim::sanitizer
