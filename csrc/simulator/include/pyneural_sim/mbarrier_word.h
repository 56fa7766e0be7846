// The 8 bytes of a barrier object of shared memory, as kernels and the runtime library share them.
#pragma once

namespace pnsim {

// Packed into the 8 bytes of the object: phase 1 bit, expected 20, pending 20, missing bytes 23 (signed).
struct MBarrier {
  unsigned phase, expected, pending;
  int bytes;
  static MBarrier read(unsigned long long w) {
    return {unsigned(w & 1), unsigned(w >> 1 & 0xfffff), unsigned(w >> 21 & 0xfffff), int((long long)w >> 41)};
  }
  unsigned long long word() const {
    return phase | (unsigned long long)expected << 1 | (unsigned long long)pending << 21 | (unsigned long long)(long long)bytes << 41;
  }
  // Starts the next phase when nothing is missing of this one; true when it has.
  bool turn() {
    if (pending || bytes) return false;
    phase ^= 1;
    pending = expected;
    return true;
  }
};

// Who waits for a phase is ordered after the arrivals of that phase, not after those that have come since.
static inline const void* mbarrier_order(const void* object, unsigned phase) {
  return static_cast<const char*>(object) + 1 + (phase & 1);
}

}  // namespace pnsim
