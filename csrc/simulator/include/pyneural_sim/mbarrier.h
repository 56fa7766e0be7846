// The barrier objects of shared memory (PTX ISA, mbarrier): 8 bytes that count arrivals and bytes in flight.
// A phase ends when all expected arrivals have come and no bytes are missing.
#pragma once
#include "atomics.h"
#include "mbarrier_word.h"

namespace pnsim {

PNSIM_INLINE MBarrier mbarrier_get(const void* object, const char* file, int line) {
  told(object, 8, PNSIM_ATOMIC, file, line);
  return MBarrier::read(fetch(static_cast<const unsigned long long*>(object)));
}

PNSIM_INLINE void mbarrier_put(void* object, MBarrier b) {
  const bool over = b.turn();
  apply<Take>(static_cast<unsigned long long*>(object), b.word());
  if (!over) return;
  pnsim_forget(mbarrier_order(object, b.phase));  // that of the phase before the last, which nobody waits for any more
  pnsim_unpark(object);
}

PNSIM_INLINE void mbarrier_init(void* object, unsigned expected, const char* file, int line) {
  told(object, 8, PNSIM_WRITE, file, line);
  apply<Take>(static_cast<unsigned long long*>(object), MBarrier{0, expected, expected, 0}.word());
}

// Returns the phase that was current, which is the token to wait with.
PNSIM_INLINE unsigned mbarrier_arrive(void* object, unsigned count, int bytes, const char* file, int line) {
  MBarrier b = mbarrier_get(object, file, line);
  if (count > b.pending) pnsim_trap("more threads arrived at a barrier object than it was initialised for", file, line);
  const unsigned phase = b.phase;
  b.pending -= count;
  b.bytes += bytes;
  pnsim_release(mbarrier_order(object, phase));
  mbarrier_put(object, b);
  return phase;
}

// Bytes that the current phase waits for, without an arrival.
PNSIM_INLINE void mbarrier_expect(void* object, int bytes, const char* file, int line) {
  MBarrier b = mbarrier_get(object, file, line);
  b.bytes += bytes;
  mbarrier_put(object, b);
}

PNSIM_INLINE bool mbarrier_test(const void* object, unsigned phase, const char* file, int line) {
  pnsim_bulk_land(object);  // what was on its way to the object has come by the time someone looks
  if (mbarrier_get(object, file, line).phase == phase) return false;
  pnsim_acquire(mbarrier_order(object, phase));
  return true;
}

// Waits for the end of the phase of this parity.
PNSIM_INLINE void mbarrier_wait(const void* object, unsigned phase, const char* file, int line) {
  while (!mbarrier_test(object, phase, file, line)) pnsim_park(object, file, line);
}

}  // namespace pnsim
