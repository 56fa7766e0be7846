// Warp operations: a rendezvous of the lanes a mask names, and the exchange of values between them.
#include <string.h>

#include <algorithm>

#include "checker.h"

namespace pnsim {

namespace {

bool needs_values(int op) { return op != PNSIM_SYNC && op != PNSIM_BALLOT; }

// The lane a shuffle reads from; PTX ISA, shfl.sync. A lane outside the segment means: one's own value.
unsigned source_lane(const Thread& t) {
  const unsigned width = unsigned(t.width), base = t.lane & ~(width - 1), at = t.lane - base, by = unsigned(t.argument);
  switch (t.op) {
    case PNSIM_SHFL_IDX: return base + (by & (width - 1));
    case PNSIM_SHFL_UP: return by > at ? t.lane : t.lane - by;
    case PNSIM_SHFL_DOWN: return at + by >= width ? t.lane : t.lane + by;
    default: return (t.lane ^ by) >= base + width ? t.lane : t.lane ^ by;
  }
}

}  // namespace

unsigned long long Worker::warp(int op, unsigned mask, unsigned long long value, int argument, int width, Site site) {
  Thread* me = current();
  const unsigned bit = 1u << me->lane;
  const unsigned lanes = std::min(32u, count - me->group * 32);
  const unsigned exist = lanes == 32 ? ~0u : (1u << lanes) - 1;
  me->op = op;
  me->argument = argument;
  me->width = width;
  me->value = value;
  me->site = site;
  if (!(mask & bit)) {
    if (launch->mode == SANITIZE) checker::invalid_warp_sync(*this, *me, site, "caller", mask, bit);
    mask |= bit;
  }
  me->mask = mask;
  auto& pending = warps_[me->group].pending;
  size_t slot = 0;
  while (slot < pending.size() && (pending[slot].mask != mask || pending[slot].op != op || pending[slot].arrived & bit)) ++slot;
  if (slot == pending.size()) pending.push_back({mask, 0, op});
  pending[slot].arrived |= bit;
  if (mask & exist & ~pending[slot].arrived) {
    me->state = AT_WARP;
    wait();
  } else {
    complete(me->group, slot);
  }
  return me->result;
}

// No lane can come to the next operation of its warp before all have read the values of this one.
void Worker::gather(unsigned mask, unsigned long long value, unsigned long long* values, Site site) {
  const unsigned number = current()->group;
  warp(PNSIM_GATHER, mask, value, 0, 32, site);
  memcpy(values, warps_[number].gathered, sizeof warps_[number].gathered);
}

void Worker::complete(unsigned warp, size_t slot) {
  auto& pending = warps_[warp].pending;
  const Pending done = pending[slot];
  pending.erase(pending.begin() + long(slot));
  exchange(warp, done.arrived, done.op);
  if (launch->mode == SANITIZE) checker::warp_synced(*this, warp, done.arrived);
  for (unsigned lane = 0; lane < 32; ++lane) {
    Thread& t = threads[warp * 32 + lane];
    if (done.arrived >> lane & 1 && t.state == AT_WARP) push(&t);
  }
}

void Worker::exchange(unsigned warp, unsigned members, int op) {
  Thread* lanes = &threads[warp * 32];
  const auto each = [&](auto&& f) {
    for (unsigned m = members; m; m &= m - 1) f(lanes[__builtin_ctz(m)]);
  };
  if (op == PNSIM_SYNC) return;
  if (op == PNSIM_GATHER) return each([&](Thread& t) { warps_[warp].gathered[t.lane] = t.value; });
  if (op >= PNSIM_SHFL_IDX && op <= PNSIM_SHFL_XOR) {
    each([&](Thread& t) {
      const unsigned from = source_lane(t);
      const bool present = members >> from & 1;
      // A lane that takes no part has no value to give. Correct code reads such values and drops them; what
      // keeps one gets a NaN or a -1 to see.
      t.result = present ? lanes[from].value : ~0ull;
    });
    return;
  }
  if (op == PNSIM_BALLOT) {
    unsigned long long votes = 0;
    each([&](Thread& t) { votes |= (unsigned long long)(t.value != 0) << t.lane; });
    each([&](Thread& t) { t.result = votes; });
    return;
  }
  if (op == PNSIM_MATCH_ANY || op == PNSIM_MATCH_ALL) {
    each([&](Thread& t) {
      unsigned long long same = 0;
      each([&](Thread& o) { same |= (unsigned long long)(o.value == t.value) << o.lane; });
      t.result = op == PNSIM_MATCH_ANY ? same : same == members ? members : 0;
    });
    return;
  }
  unsigned long long total = lanes[__builtin_ctz(members)].value;
  const unsigned first = __builtin_ctz(members);
  each([&](Thread& t) {
    if (t.lane == first) return;
    const unsigned long long v = t.value;
    switch (op) {
      case PNSIM_ADD: total += v; break;
      case PNSIM_MIN_S: total = (unsigned long long)(std::min((long long)total, (long long)v)); break;
      case PNSIM_MAX_S: total = (unsigned long long)(std::max((long long)total, (long long)v)); break;
      case PNSIM_MIN_U: total = std::min(total, v); break;
      case PNSIM_MAX_U: total = std::max(total, v); break;
      case PNSIM_AND: total &= v; break;
      case PNSIM_OR: total |= v; break;
      default: total ^= v; break;
    }
  });
  each([&](Thread& t) { t.result = total; });
}

// Lanes that wait for lanes that have ended. The guide asks only of lanes that still run to arrive, but a
// value of a lane that has ended is undefined: for the operations that need one it is reported.
bool Worker::complete_without_exited() {
  for (unsigned warp = 0; warp * 32 < count; ++warp) {
    auto& pending = warps_[warp].pending;
    for (size_t slot = 0; slot < pending.size(); ++slot) {
      const Pending p = pending[slot];
      unsigned gone = 0;
      for (unsigned lane = 0; lane < 32 && warp * 32 + lane < count; ++lane)
        if (threads[warp * 32 + lane].state == EXITED) gone |= 1u << lane;
      const unsigned lanes = std::min(32u, count - warp * 32), exist = lanes == 32 ? ~0u : (1u << lanes) - 1;
      if (p.mask & exist & ~p.arrived & ~gone) continue;
      if (launch->mode == SANITIZE && !dropped && needs_values(p.op)) {
        const Thread& t = threads[warp * 32 + unsigned(__builtin_ctz(p.arrived))];
        checker::invalid_warp_sync(*this, t, t.site, "exited", p.mask, p.mask & gone & ~p.arrived);
      }
      complete(warp, slot);
      return true;
    }
  }
  return false;
}

unsigned Worker::active_mask(Site site) {
  Thread* me = current();
  me->site = site;
  me->state = AT_ACTIVE_MASK;
  wait();
  return unsigned(me->result);
}

// All lanes that have come to the same line while everything else waits count as converged.
bool Worker::release_active_masks() {
  bool any = false;
  for (unsigned i = 0; i < count; ++i) {
    Thread& first = threads[i];
    if (first.state != AT_ACTIVE_MASK) continue;
    unsigned mask = 0;
    const unsigned begin = i / 32 * 32, end = std::min(count, begin + 32);
    for (unsigned k = begin; k < end; ++k)
      if (threads[k].state == AT_ACTIVE_MASK && threads[k].site == first.site) mask |= 1u << threads[k].lane;
    const Site site = first.site;
    for (unsigned k = begin; k < end; ++k) {
      if (threads[k].state != AT_ACTIVE_MASK || !(threads[k].site == site)) continue;
      threads[k].result = mask;
      push(&threads[k]);
    }
    any = true;
  }
  return any;
}

}  // namespace pnsim
