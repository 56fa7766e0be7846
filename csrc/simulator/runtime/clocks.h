// Happens-before for the race detector.
//
// Within a block, accesses of different barrier intervals (epochs) are ordered. Within one interval they
// are ordered only by a synchronisation finer than the barrier:
//   - every warp operation gets a number T from its warp; its lanes take T as their stamp, and all of them
//     know of each other's accesses stamped below T (and of what the others knew);
//   - a barrier object or a fenced atomic carries a clock: for each thread of the block, the stamp below
//     which accesses are known to whoever acquires it;
// Between blocks nothing is ordered but what a fenced atomic released and another block's atomic acquired.
#pragma once
#include <stdint.h>
#include <string.h>

#include <unordered_map>
#include <vector>

#include "worker.h"

namespace pnsim {

constexpr uint32_t MAX_STAMP = (1u << 20) - 1;

struct WarpClock {
  uint32_t epoch = 0;    // of which the rest speaks; another epoch means: nothing yet
  uint32_t time = 0;
  uint32_t full = 0;     // everybody knows everybody's accesses stamped below this
  uint32_t known[32][32];  // known[a][b]: lane a knows accesses of lane b stamped below this

  void renew(uint32_t now) {
    if (epoch == now) return;
    epoch = now;
    time = full = 0;
    memset(known, 0, sizeof known);
  }
  uint32_t tick() { return time < MAX_STAMP ? ++time : time; }
  uint32_t knows(unsigned a, unsigned b) const { return known[a][b] > full ? known[a][b] : full; }
};

// What one block has made known to others.
struct Release {
  uint32_t first, epoch;         // the block, by its first epoch, and the interval of the release
  std::vector<uint32_t> clock;   // threads of that interval; earlier intervals are known entirely
};

struct SyncObject {
  uint32_t epoch = 0;            // interval of `clock`
  std::vector<uint32_t> clock;   // within the block
  std::vector<Release> releases; // of all blocks
};

class Clocks {
 public:
  void begin_block(unsigned threads, uint32_t first);
  void begin_launch() { objects_.clear(); }
  void barrier(Worker& w);
  void warp_synced(Worker& w, unsigned warp, unsigned members, uint32_t epoch);
  void release(Worker& w, Thread& t, const void* object, uint32_t epoch);
  void acquire(Worker& w, Thread& t, const void* object, uint32_t epoch);
  void forget(const void* object) { objects_.erase(object); }
  void group_synced(Worker& w, Thread* const* members, size_t count, uint32_t epoch);
  void advance(Thread& t, uint32_t epoch);  // what it does from here on has a later stamp
  bool any_objects() const { return !objects_.empty(); }

  // Does `t` know of an access by thread `other` of its own block and interval?
  bool ordered(const Thread& t, unsigned other, uint32_t stamp, uint32_t epoch) const {
    if (other == t.number) return true;
    if (stamp >= MAX_STAMP) return true;  // out of numbers: rather miss a race than invent one
    const WarpClock& c = warps_[t.group];
    if (other / 32 == t.group && c.epoch == epoch && c.knows(t.lane, other % 32) > stamp) return true;
    return other < t.known.size() && t.known[other] > stamp;
  }
  // And of accesses by all these lanes of its warp?
  bool knows_lanes(const Thread& t, unsigned lanes, uint32_t stamp, uint32_t epoch) const {
    for (; lanes; lanes &= lanes - 1)
      if (!ordered(t, t.group * 32 + unsigned(__builtin_ctz(lanes)), stamp, epoch)) return false;
    return true;
  }
  // Does this block know of an access by another block?
  bool ordered_across(uint32_t epoch, unsigned thread, uint32_t stamp, uint32_t other_first) const;

 private:
  std::vector<uint32_t> snapshot(Worker& w, Thread& t, uint32_t epoch);
  static void merge(std::vector<uint32_t>& into, const std::vector<uint32_t>& from);
  static void merge(std::vector<Release>& into, const Release& from);

  WarpClock warps_[MAX_THREADS / 32];
  std::unordered_map<const void*, SyncObject> objects_;
  std::vector<Release> known_;  // by the current block, of others
  uint32_t first_ = 0;
  bool any_known_ = false;
};

}  // namespace pnsim
