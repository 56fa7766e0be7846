#include "clocks.h"

#include <algorithm>

namespace pnsim {

void Clocks::merge(std::vector<uint32_t>& into, const std::vector<uint32_t>& from) {
  if (into.size() < from.size()) into.resize(from.size(), 0);
  for (size_t i = 0; i < from.size(); ++i) into[i] = std::max(into[i], from[i]);
}

void Clocks::merge(std::vector<Release>& into, const Release& from) {
  for (Release& r : into) {
    if (r.first != from.first) continue;
    if (r.epoch == from.epoch) merge(r.clock, from.clock);
    else if (r.epoch < from.epoch) r = from;
    return;
  }
  into.push_back(from);
}

void Clocks::begin_block(unsigned, uint32_t first) {
  first_ = first;
  known_.clear();
}

void Clocks::barrier(Worker& w) {
  if (!any_known_) return;
  any_known_ = false;
  for (unsigned i = 0; i < w.count; ++i) w.threads[i].known.clear();
}

void Clocks::warp_synced(Worker& w, unsigned warp, unsigned members, uint32_t epoch) {
  WarpClock& c = warps_[warp];
  c.renew(epoch);
  const uint32_t now = c.tick();
  Thread* lanes = &w.threads[warp * 32];
  const auto each = [&](auto&& f) {
    for (unsigned m = members; m; m &= m - 1) f(unsigned(__builtin_ctz(m)));
  };
  unsigned present = 0;
  for (unsigned i = 0; i < 32 && warp * 32 + i < w.count; ++i)
    if (lanes[i].state != EXITED) present |= 1u << i;
  if ((members & present) == present) {
    c.full = now;
  } else {
    uint32_t joint[32] = {};
    each([&](unsigned a) {
      for (unsigned b = 0; b < 32; ++b) joint[b] = std::max(joint[b], c.known[a][b]);
    });
    each([&](unsigned a) { joint[a] = now; });
    each([&](unsigned a) { memcpy(c.known[a], joint, sizeof joint); });
  }
  each([&](unsigned a) { lanes[a].stamp = now; });
  if (!any_known_) return;
  std::vector<uint32_t> joint;
  each([&](unsigned a) { merge(joint, lanes[a].known); });
  if (!joint.empty()) each([&](unsigned a) { lanes[a].known = joint; });
}

// All that `t` has done or knows of in this interval. Its later accesses get a later stamp.
std::vector<uint32_t> Clocks::snapshot(Worker& w, Thread& t, uint32_t epoch) {
  std::vector<uint32_t> clock = t.known;
  clock.resize(w.count, 0);
  WarpClock& c = warps_[t.group];
  c.renew(epoch);
  for (unsigned lane = 0; lane < 32 && t.group * 32 + lane < w.count; ++lane) {
    uint32_t& known = clock[t.group * 32 + lane];
    known = std::max(known, c.knows(t.lane, lane));
  }
  t.stamp = c.tick();
  clock[t.number] = t.stamp;
  return clock;
}

void Clocks::advance(Thread& t, uint32_t epoch) {
  WarpClock& c = warps_[t.group];
  c.renew(epoch);
  t.stamp = c.tick();
}

void Clocks::release(Worker& w, Thread& t, const void* object, uint32_t epoch) {
  SyncObject& o = objects_[object];
  const std::vector<uint32_t> clock = snapshot(w, t, epoch);
  if (o.epoch != epoch) {
    o.epoch = epoch;
    o.clock.clear();
  }
  merge(o.clock, clock);
  merge(o.releases, Release{first_, epoch, clock});
  for (const Release& r : known_) merge(o.releases, r);
}

void Clocks::acquire(Worker&, Thread& t, const void* object, uint32_t epoch) {
  auto it = objects_.find(object);
  if (it == objects_.end()) return;
  const SyncObject& o = it->second;
  if (o.epoch == epoch) {
    merge(t.known, o.clock);
    any_known_ = true;
  }
  for (const Release& r : o.releases)
    if (r.first != first_) merge(known_, r);
}

void Clocks::group_synced(Worker& w, Thread* const* members, size_t count, uint32_t epoch) {
  std::vector<uint32_t> joint;
  for (size_t i = 0; i < count; ++i) merge(joint, snapshot(w, *members[i], epoch));
  for (size_t i = 0; i < count; ++i) members[i]->known = joint;
  any_known_ = true;
}

bool Clocks::ordered_across(uint32_t epoch, unsigned thread, uint32_t stamp, uint32_t other_first) const {
  for (const Release& r : known_) {
    if (r.first != other_first) continue;
    return epoch < r.epoch || (epoch == r.epoch && thread < r.clock.size() && (stamp < r.clock[thread] || stamp >= MAX_STAMP));
  }
  return false;
}

}  // namespace pnsim
