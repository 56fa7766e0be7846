#include "sanitizer.h"

#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

#include <algorithm>

#include "launch.h"
#include "sanitizer_state.h"

namespace pnsim {

using namespace sanitizer;

namespace {

Sanitizer& s = state;

constexpr uint32_t PROXY_PC = 1;  // stands for all writes of the asynchronous proxy

void* pc_of(uint32_t offset) {
  return offset > PROXY_PC && s.module ? reinterpret_cast<void*>(s.module->image_base + offset) : nullptr;
}

struct Access {
  Worker& w;
  Thread& t;
  uintptr_t a;
  unsigned size;
  int kind;
  const Where& at;
  bool write() const { return (kind & 3) != PNSIM_READ; }
  bool atomic() const { return (kind & 3) == PNSIM_ATOMIC; }
  bool is_volatile() const { return kind & sanitizer::VOLATILE; }
  bool proxy() const { return kind & sanitizer::PROXY; }
  // The instruction as cells remember it: its offset in the library, 0 when a header speaks for the user.
  uint32_t pc() const {
    if (proxy()) return PROXY_PC;
    return s.module && at.pc && !at.file ? uint32_t(reinterpret_cast<uintptr_t>(at.pc) - s.module->image_base) : 0;
  }
};

uint32_t first_of(uint32_t epoch) {
  auto it = std::upper_bound(s.blocks.begin(), s.blocks.end(), std::make_pair(epoch, ~size_t(0)));
  return it == s.blocks.begin() ? 0 : std::prev(it)->first;
}

// The one rule for every pair: another thread, not ordered before us.
bool unordered(const Access& x, const Region& r, uint32_t epoch, unsigned tid, uint32_t stamp) {
  if (epoch >= s.block_first) return epoch == s.epoch && !s.clocks.ordered(x.t, tid, stamp, s.epoch);
  if (r.space == regions::SHARED || epoch < s.launch_first) return false;
  return !s.clocks.ordered_across(epoch, tid, stamp, first_of(epoch));
}

void guess(unsigned thread, uintptr_t a, const Finding& f) {
  for (const GuessedValue& g : s.guesses)
    if (g.thread == thread && g.address == a) return;
  s.guesses.push_back({thread, a, f});
}

void confirm(unsigned thread, uintptr_t a) {
  const auto same = [&](const GuessedValue& g) { return g.thread == thread && g.address == a; };
  s.guesses.erase(std::remove_if(s.guesses.begin(), s.guesses.end(), same), s.guesses.end());
}

__attribute__((noinline)) void race(const Access& x, const Region& r, uint32_t epoch, unsigned tid, bool other_write,
                                    uint32_t other_pc, bool other_atomic) {
  Finding f;
  f.kind = "race";
  f.at = x.at;
  fill(x.t, f);
  name_array(f, r, x.a, x.size);
  set_other(x.w, f, epoch, tid);
  f.other_at.pc = pc_of(other_pc);
  f.size = x.size;
  f.write = x.write();
  f.other_write = other_write;
  f.detail = x.atomic() || other_atomic ? "atomic" : "";
  if (x.w.dropped) return;  // what a dropped thread did not write is missing everywhere
  if (x.write() && other_write && !x.atomic() && !other_atomic && x.size <= 16 && !x.proxy()) {
    SameValue& v = s.same[x.t.number];
    if (v.size) return;
    v.address = x.a;
    v.size = x.size;
    memcpy(v.before, reinterpret_cast<void*>(x.a), x.size);
    v.finding = f;
    x.t.unsettled = true;
    return;
  }
  if (!x.write() && other_atomic) return guess(x.t.number, x.a, f);
  if (x.atomic() && !other_write && epoch >= s.block_first && x.w.threads[tid].state != EXITED) return guess(tid, x.a, f);
  report(f);
}

__attribute__((noinline)) void uninitialized(const Access& x, const Region& r) {
  if (x.w.dropped) return;
  Finding f;
  f.kind = "uninitialized_read";
  f.at = x.at;
  fill(x.t, f);
  name_array(f, r, x.a, x.size);
  f.size = x.size;
  f.distance = 0;
  report(f);
}

[[noreturn]] void out_of_bounds(const Access& x, const Region* r, const char* detail) {
  Finding f;
  f.kind = "out_of_bounds";
  f.detail = detail;
  f.at = x.at;
  fill(x.t, f);
  if (r) name_array(f, *r, x.a, x.size);
  else f.space = "global";
  f.size = x.size;
  f.write = x.write();
  snprintf(f.text, sizeof f.text, "0x%llx", (unsigned long long)x.a);
  report(f);
  x.w.exit_thread();
}

// Outside every array a kernel was given.
__attribute__((noinline)) void outside(const Access& x) {
  if (s.shared.guard(x.a)) return;
  const Launch& l = *x.w.launch;
  if (x.a - reinterpret_cast<uintptr_t>(l.params) < l.param_bytes || x.a - reinterpret_cast<uintptr_t>(l.args) < l.args_bytes) return;
  if (s.dynamic.size || x.w.launch->shared == 0) {
    const uintptr_t start = reinterpret_cast<uintptr_t>(x.w.dynamic_shared);
    if (x.a - start < x.w.launch->ranks() * SHARED_STRIDE) {
      Region empty = s.dynamic;
      if (!empty.size) {
        empty.base = start;
        empty.space = regions::SHARED;
        strncpy(empty.name, s.module ? s.module->dynamic_name.c_str() : "dynamic shared memory", sizeof empty.name - 1);
        empty.element = s.module ? s.module->dynamic_element : 4;
      }
      out_of_bounds(x, &empty, "");
    }
  }
  if (s.statics.size) {
    const long long past = (long long)(x.a - s.statics.base) - (long long)s.statics.size;
    if (past >= 0 && past < 4096) out_of_bounds(x, &s.statics, "");
  }
  if (x.a - reinterpret_cast<uintptr_t>(x.w.stacks.base()) < x.w.stacks.size()) out_of_bounds(x, nullptr, "local");
  Dl_info info;
  if (regions::is_null(x.a)) out_of_bounds(x, nullptr, "null");
  if (dladdr(reinterpret_cast<void*>(x.a), &info) && info.dli_fname && !x.write()) return;  // constants
  long long distance = 0;
  const Region* r = regions::nearest(x.a, &distance);
  if (r && (distance < 0 ? -distance : distance) > (1ll << 32)) r = nullptr;
  out_of_bounds(x, r, r ? "" : "wild");
}

Region* lookup(const Access& x) {
  const uintptr_t a = x.a;
  if (s.statics.holds(a)) return &s.statics;
  if (s.dynamic.holds(a) && (a - s.dynamic.base) % SHARED_STRIDE < x.w.launch->shared) return &s.dynamic;
  if (s.changes != regions::changes) {  // an array came or went, so a remembered one may be gone
    memset(s.recent, 0, sizeof s.recent);
    s.changes = regions::changes;
  }
  Region*& slot = s.recent[(a >> 12) & 63];
  if (slot && slot->holds(a)) return slot;
  Region* r = regions::find(a);
  if (r) {
    if (r->freed) out_of_bounds(x, r, "freed");
    r->map();
    slot = r;
  }
  return r;
}

// What threads wrote is not visible to the asynchronous proxy before a fence that lies between: the writer's, the
// issuing thread's, or any that barriers order after the one and before the other.
__attribute__((noinline)) void check_proxy(const Access& x, const Region& r, const Cell& c) {
  if (c.w_epoch < s.block_first || c.w_epoch > s.epoch || c.w_pc == PROXY_PC || x.w.dropped) return;
  const Thread& writer = x.w.threads[thread_of(c.w_who)];
  const uint32_t stamp = stamp_of(c.w_who);
  if (writer.proxy_epoch > c.w_epoch || (writer.proxy_epoch == c.w_epoch && (writer.proxy_stamp > stamp || stamp >= MAX_STAMP))) return;
  if (x.t.proxy_epoch > c.w_epoch || (x.t.proxy_epoch == c.w_epoch && writer.number != x.t.number)) return;
  if ((s.fence_epoch < s.epoch ? s.fence_epoch : s.fence_epoch_before) > c.w_epoch) return;
  Finding f;
  f.kind = "race";
  f.detail = "proxy";
  f.at = x.at;
  fill(x.t, f);
  name_array(f, r, x.a, x.size);
  f.size = x.size;
  set_other(x.w, f, c.w_epoch, writer.number);
  f.other_at.pc = pc_of(c.w_pc);
  report(f);
}

inline void check_read(const Access& x, const Region& r, Cell& c, uint32_t who) {
  if (x.is_volatile()) who |= VOLATILE_BIT;
  if (c.w_epoch >= s.launch_first && !(c.w_epoch == s.epoch && thread_of(c.w_who) == x.t.number)) {
    if (c.w_epoch == regions::NO_ARRAY) {
      if (s.shared.guard(x.a)) return;
      out_of_bounds(x, &r, "");
    }
    const bool flag = (c.w_who & (VOLATILE_BIT | ATOMIC_BIT)) && (x.is_volatile() || x.atomic()) &&
                      (c.w_who & ATOMIC_BIT || c.w_epoch != s.epoch || thread_of(c.w_who) / 32 != x.t.group);
    if (!flag && unordered(x, r, c.w_epoch, thread_of(c.w_who), stamp_of(c.w_who)))
      race(x, r, c.w_epoch, thread_of(c.w_who), true, c.w_pc, c.w_who & ATOMIC_BIT);
  }
  // The last write may be one's own atomic, with another thread's unordered one before it.
  if (c.o_epoch == s.epoch && c.w_epoch == s.epoch && c.o_who & ATOMIC_BIT && !x.is_volatile() &&
      unordered(x, r, c.o_epoch, thread_of(c.o_who), stamp_of(c.o_who)))
    race(x, r, c.o_epoch, thread_of(c.o_who), true, c.o_pc, true);
  if (!r.initialized && c.w_epoch < (r.space == regions::SHARED ? s.block_first : 1u)) uninitialized(x, r);
  const uint32_t bit = 1u << x.t.lane;
  if (c.r_epoch == s.epoch) {
    const unsigned reader = thread_of(c.r_who);
    const uint32_t plain = x.is_volatile() ? 0 : VOLATILE_BIT;  // one plain read among volatile ones counts
    if (reader / 32 == x.t.group) {
      if (s.clocks.knows_lanes(x.t, c.r_mask & ~bit, stamp_of(c.r_who), s.epoch)) {
        c.r_who = reader == x.t.number ? who & (c.r_who | ~VOLATILE_BIT) : who;
        c.r_pc = x.pc();
        c.r_mask = bit;
      } else {
        c.r_mask |= bit;
        c.r_who &= ~plain;
        // One stamp stands for all lanes, the earliest: a later one would accuse a writer that waited for the others.
        if (stamp_of(who) < stamp_of(c.r_who)) c.r_who = (c.r_who & 0xfff) | (who & ~0xfffu);
      }
    } else if (c.o_epoch != s.epoch || c.o_who & plain) {
      c.o_epoch = s.epoch;
      c.o_who = who;
      c.o_pc = x.pc();
    }
    return;
  }
  if (c.r_epoch >= s.launch_first && c.r_epoch < s.block_first && r.space != regions::SHARED) {
    c.o_epoch = c.r_epoch;
    c.o_who = c.r_who;
    c.o_pc = c.r_pc;
  }
  c.r_epoch = s.epoch;
  c.r_who = who;
  c.r_pc = x.pc();
  c.r_mask = bit;
}

inline void check_write(const Access& x, const Region& r, Cell& c, uint32_t who) {
  if (c.w_epoch >= s.launch_first && !(c.w_epoch == s.epoch && thread_of(c.w_who) == x.t.number)) {
    if (c.w_epoch == regions::NO_ARRAY) {
      if (s.shared.guard(x.a)) return;
      out_of_bounds(x, &r, "");
    }
    const bool both = (c.w_who & (ATOMIC_BIT | VOLATILE_BIT)) && (x.atomic() || x.is_volatile()) &&
                      ((c.w_who & ATOMIC_BIT && x.atomic()) || c.w_epoch != s.epoch || thread_of(c.w_who) / 32 != x.t.group);
    if (!both && unordered(x, r, c.w_epoch, thread_of(c.w_who), stamp_of(c.w_who)))
      race(x, r, c.w_epoch, thread_of(c.w_who), true, c.w_pc, c.w_who & ATOMIC_BIT);
  }
  // A volatile flag may be read by other warps and blocks while it is written, and anything atomic be polled.
  const auto reader_races = [&](uint32_t epoch, unsigned reader, uint32_t stamp, uint32_t pc, bool polls) {
    if (x.atomic() && polls) return false;
    if (x.is_volatile() && !(epoch == s.epoch && reader / 32 == x.t.group)) return false;
    if (!unordered(x, r, epoch, reader, stamp)) return false;
    race(x, r, epoch, reader, false, pc, false);
    return !x.atomic();  // each reader may have a compare-and-swap of its own to come
  };
  if (c.r_epoch >= s.launch_first) {
    const unsigned reader = thread_of(c.r_who);
    if (c.r_epoch == s.epoch && reader / 32 == x.t.group) {
      for (unsigned m = c.r_mask & ~(1u << x.t.lane); m; m &= m - 1)
        if (reader_races(c.r_epoch, (reader & ~31u) + unsigned(__builtin_ctz(m)), stamp_of(c.r_who), c.r_pc, c.r_who & VOLATILE_BIT))
          break;
    } else {
      reader_races(c.r_epoch, reader, stamp_of(c.r_who), c.r_pc, c.r_who & VOLATILE_BIT);
    }
  }
  if (c.o_epoch >= s.launch_first && !(x.atomic() && c.o_who & ATOMIC_BIT))
    reader_races(c.o_epoch, thread_of(c.o_who), stamp_of(c.o_who), c.o_pc, c.o_who & VOLATILE_BIT);
  uint32_t kept_who = 0, kept_pc = 0;  // an atomic of another thread that this one hides
  if (x.atomic() && c.w_epoch == s.epoch && c.w_who & ATOMIC_BIT) {
    if (!s.clocks.ordered(x.t, thread_of(c.w_who), stamp_of(c.w_who), s.epoch)) {
      kept_who = c.w_who;
      kept_pc = c.w_pc;
    } else if (c.o_epoch == s.epoch && c.o_who & ATOMIC_BIT) {
      kept_who = c.o_who;
      kept_pc = c.o_pc;
    }
  }
  c.w_epoch = s.epoch;
  c.w_who = who | (x.atomic() ? ATOMIC_BIT : 0) | (x.is_volatile() ? VOLATILE_BIT : 0);
  c.w_pc = x.pc();
  c.r_epoch = 0;
  c.o_epoch = kept_who ? s.epoch : 0;
  c.o_who = kept_who;
  c.o_pc = kept_pc;
}

__attribute__((noinline)) void misaligned(const Access& x) {
  Finding f;
  f.kind = "misaligned";
  f.at = x.at;
  fill(x.t, f);
  if (Region* r = lookup(x)) name_array(f, *r, x.a, x.size);
  f.size = x.size;
  f.write = x.write();
  f.distance = (long long)(x.a % x.size);
  report(f);
  x.w.exit_thread();
}

}  // namespace

// The common case, decided without a call: a read of a granule that this block wrote before the last barrier,
// or that nobody writes in this launch, and of which this reader tells nothing new.
bool sanitizer::quick_read(Thread& t, uintptr_t a, unsigned size) {
  if (t.unsettled || !s.quiet || a & (size - 1)) return false;
  if (((t.steps + 1) & 0xfff) == 0) return false;  // `access` counts it, and looks whether to stop
  ++t.steps;
  const Region* r = &s.statics;
  if (!r->holds(a)) {
    r = &s.dynamic;
    if (!r->holds(a)) {
      r = s.changes == regions::changes ? s.recent[(a >> 12) & 63] : nullptr;
      if (!r || !r->holds(a)) return false;
    }
  }
  if (size != 1u << r->shift) return false;
  Cell& c = r->cells[(a - r->base) >> r->shift];
  if (c.r_epoch != s.epoch) return false;
  if (r->space == regions::SHARED ? c.w_epoch < s.block_first || c.w_epoch >= s.epoch
                                  : !(c.w_epoch < s.launch_first && (r->initialized || c.w_epoch))) return false;
  const uint32_t who = t.number | std::min(t.stamp, MAX_STAMP) << 12;
  if (thread_of(c.r_who) / 32 == t.group) {
    // Equal stamps: nothing has synchronised the two since the other's read.
    if ((c.r_who ^ who) >> 12 || c.r_who & VOLATILE_BIT) return false;
    c.r_mask |= 1u << t.lane;
    return true;
  }
  return c.o_epoch == s.epoch && !(c.o_who & VOLATILE_BIT);
}

void sanitizer::access(Worker& w, Thread& t, uintptr_t a, unsigned size, int kind, const Where& at) {
  const Access x{w, t, a, size, kind, at};
  if ((++t.steps & 0xfff) == 0 && cancel_requested) check_cancel(at.pc);
  if (t.unsettled) settle(w, t);
  if (a & (size - 1)) misaligned(x);
  Region* r = lookup(x);
  if (!r) return outside(x);
  if (a + size > r->base + r->size) out_of_bounds(x, r, "");
  if (size & ((1u << r->shift) - 1) || a & ((1u << r->shift) - 1)) r->refine();
  if (!s.copies.empty() && r->space == regions::SHARED) {
    for (auto& copy : s.copies) {
      if (a + size <= copy.to || a >= copy.to + copy.size) continue;
      Finding f;
      f.kind = "race";
      f.detail = "async";
      f.at = at;
      fill(t, f);
      name_array(f, *r, a, size);
      f.size = size;
      f.write = x.write();
      set_other(w, f, s.epoch, copy.thread);
      f.other_at.file = copy.file;
      f.other_at.line = copy.line;
      return report(f);
    }
  }
  if (!s.flights.empty() && r->space == regions::SHARED) {
    auto it = s.flights.find(a >> 4);
    if (it != s.flights.end() && (it->second.write || x.write())) {
      Finding f;
      f.kind = "race";
      f.detail = it->second.what;
      f.at = at;
      fill(t, f);
      name_array(f, *r, a, size);
      f.size = size;
      f.write = x.write();
      set_other(w, f, s.epoch, it->second.thread);
      f.other_at.file = it->second.file;
      f.other_at.line = it->second.line;
      return report(f);
    }
  }
  const uint32_t who = t.number | std::min(t.stamp, MAX_STAMP) << 12;
  Cell* c = r->cells + ((a - r->base) >> r->shift);
  const unsigned n = size >> r->shift;
  if (x.atomic()) {
    if (kind == PNSIM_SWAP_IF && !s.guesses.empty()) confirm(t.number, a);
    if (s.clocks.any_objects()) s.clocks.acquire(w, t, reinterpret_cast<void*>(a), s.epoch);
    for (unsigned i = 0; i < n; ++i) {
      if (!r->initialized && c[i].w_epoch < (r->space == regions::SHARED ? s.block_first : 1u)) uninitialized(x, *r);
      check_write(x, *r, c[i], who);
    }
    if (t.fenced) s.clocks.release(w, t, reinterpret_cast<void*>(a), s.epoch);
  } else if (x.write()) {
    if (x.is_volatile() && t.fenced) s.clocks.release(w, t, reinterpret_cast<void*>(a), s.epoch);
    else t.fenced = false;
    for (unsigned i = 0; i < n; ++i) check_write(x, *r, c[i], who);
  } else {
    if (x.is_volatile() && s.clocks.any_objects()) s.clocks.acquire(w, t, reinterpret_cast<void*>(a), s.epoch);
    for (unsigned i = 0; i < n; ++i) {
      if (x.proxy()) check_proxy(x, *r, c[i]);
      check_read(x, *r, c[i], who);
    }
  }
}

void sanitizer::take_off(uintptr_t a, size_t size, const Flight& flight) {
  for (uintptr_t at = a >> 4; at <= (a + size - 1) >> 4; ++at) ++s.flights.emplace(at, flight).first->second.count;
  s.quiet = false;
}

void sanitizer::land(uintptr_t a, size_t size) {
  for (uintptr_t at = a >> 4; at <= (a + size - 1) >> 4; ++at) {
    auto it = s.flights.find(at);
    if (it != s.flights.end() && --it->second.count == 0) s.flights.erase(it);
  }
  s.quiet = s.copies.empty() && s.flights.empty();
}

void sanitizer::proxy_fence(Thread& t) {
  s.clocks.advance(t, s.epoch);
  if (s.fence_epoch != s.epoch) s.fence_epoch_before = s.fence_epoch;
  s.fence_epoch = s.epoch;
  t.proxy_epoch = s.epoch;
  t.proxy_stamp = t.stamp;
}

void sanitizer::settle(Worker&, Thread& t) {
  if (!t.unsettled) return;
  t.unsettled = false;
  SameValue& v = s.same[t.number];
  if (memcmp(v.before, reinterpret_cast<void*>(v.address), v.size)) report(v.finding);
  v.size = 0;
}

void sanitizer::settle_guesses(Worker& w, const Thread* t) {
  const auto over = [&](const GuessedValue& g) {
    if (t && g.thread != t->number) return false;
    if (!w.dropped) report(g.finding);
    return true;
  };
  s.guesses.erase(std::remove_if(s.guesses.begin(), s.guesses.end(), over), s.guesses.end());
}

void sanitizer::pending_copy(Worker& w, const void* to, size_t size, const char* file, int line) {
  s.copies.push_back({reinterpret_cast<uintptr_t>(to), size, w.current()->number, file, line});
  s.quiet = false;
}

void sanitizer::copy_done(Worker&, const void* to, size_t size) {
  const auto same = [&](const PendingCopy& c) { return c.to == reinterpret_cast<uintptr_t>(to) && c.size == size; };
  auto it = std::find_if(s.copies.begin(), s.copies.end(), same);
  if (it != s.copies.end()) s.copies.erase(it);
  s.quiet = s.copies.empty() && s.flights.empty();
}

void sanitizer::begin_launch(Worker& w) {
  s.launch_first = ++s.epoch;
  s.blocks.clear();
  s.same.assign(MAX_THREADS, SameValue{});
  memset(s.recent, 0, sizeof s.recent);
  s.clocks.begin_launch();
  s.module = static_cast<const Module*>(w.launch->module);
  if (s.module) s.shared.map(*s.module, w.launch->name);
  s.dynamic.unmap();
  s.dynamic = Region{};
  if (w.launch->shared) {
    s.dynamic.base = reinterpret_cast<uintptr_t>(w.dynamic_shared);
    s.dynamic.size = (w.launch->ranks() - 1) * SHARED_STRIDE + w.launch->shared;
    s.dynamic.space = regions::SHARED;
    s.dynamic.initialized = false;
    s.dynamic.element = s.module ? s.module->dynamic_element : 4;
    strncpy(s.dynamic.name, s.module ? s.module->dynamic_name.c_str() : "dynamic shared memory", sizeof s.dynamic.name - 1);
    s.dynamic.map();
  }
}

void sanitizer::begin_block(Worker& w, size_t number) {
  s.block_first = ++s.epoch;
  s.blocks.emplace_back(s.epoch, number);
  s.copies.clear();
  s.flights.clear();
  s.quiet = true;
  s.guesses.clear();
  s.clocks.begin_block(w.count, s.epoch);
}

void sanitizer::end_launch(Worker&) {
  ++s.epoch;
  s.shared.unmap();
  s.dynamic.unmap();
  s.dynamic = Region{};
}

}  // namespace pnsim
