// The block scheduler: which fiber runs next, barriers, and what to do when nobody can run.
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <algorithm>
#include <numeric>

#include "checker.h"
#include "flight.h"
#include "module.h"

namespace pnsim {

__thread Worker* worker = nullptr;

bool Site::operator==(const Site& o) const {
  return line == o.line && (file == o.file || (file && o.file && strcmp(file, o.file) == 0));
}

Worker::Worker() : threads(MAX_THREADS), stacks(MAX_THREADS), fibers_(MAX_THREADS), order_(MAX_THREADS), ring_(MAX_THREADS) {
  free_.reserve(MAX_THREADS);
  warps_.resize(MAX_THREADS / 32);
  dynamic_shared = static_cast<char*>(aligned_alloc(1024, MAX_CLUSTER * SHARED_STRIDE));
}

Worker::~Worker() { ::free(dynamic_shared); }

// A plain build does not check where a wrong kernel writes. Past the end of a local array it reaches the frames above its
// own, and in them the registers that it has to restore: what this function knows after the call comes from thread-local
// memory, by calls that are not inlined, so that no register holds any of it across the call.
void fiber_main() {
  const auto next = [](Fiber* fiber) __attribute__((noinline)) { return worker->start_next(fiber) != nullptr; };
  const auto run = []() __attribute__((noinline)) {
    worker->current()->fiber->frames = reinterpret_cast<uintptr_t>(__builtin_frame_address(0));
    worker->launch->entry(worker->launch->args);
  };
  const auto finished = []() __attribute__((noinline)) {
    Thread* t = worker->current();
    Fiber* fiber = t->fiber;
    worker->finish(t);
    return fiber;
  };
  const auto filled = []() __attribute__((noinline)) { return worker->filled_; };
  Fiber* me = worker->starting_;
  for (;;) {
    while (next(me)) {
      run();
      me = finished();
      if (filled()) break;
    }
    pnsim_current = nullptr;
    worker->dispatch(me);
  }
}

Fiber* Worker::idle_fiber() {
  if (!free_.empty()) {
    Fiber* fiber = free_.back();
    free_.pop_back();
    return fiber;
  }
  Fiber& fiber = fibers_[made_];
  stacks.prepare(fiber, made_++, fiber_main);
  return &fiber;
}

void Worker::recover() {
  made_ = 0;
  free_.clear();
  for (auto& warp : warps_) warp.pending.clear();
  groups_.clear();
  pnsim_current = nullptr;
  inside = false;
  busy = 0;
}

uint64_t Worker::random() {  // splitmix64 (Steele, Lea, Flood 2014)
  uint64_t z = (rng_ += 0x9e3779b97f4a7c15ull);
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
  return z ^ (z >> 31);
}

void Worker::begin(const Launch& l) {
  launch = &l;
  block_threads = l.threads();
  count = block_threads * l.ranks();
  rng_ = l.seed;
  failure[0] = 0;
  checker::forget_copies();
  // The shared arrays of this thread exist from here on. Their first use in a kernel would allocate them, and
  // glibc before 2.39 loses vector registers on that way.
  if (l.module) {
    const void* image;
    static_cast<const Module*>(l.module)->anchor(&tls_, &image);
  }
  for (unsigned i = 0; i < count; ++i) {
    Thread& t = threads[i];
    const unsigned k = i % block_threads;
    t.x = k % l.block[0];
    t.y = k / l.block[0] % l.block[1];
    t.z = k / l.block[0] / l.block[1];
    t.linear = k;
    t.lane = k % 32;
    t.warp = k / 32;
    t.number = i;
    t.group = i / 32;
    t.block = i / block_threads;
    order_[i] = uint16_t(i);
  }
  pnsim_here = {l.block[0], l.block[1], l.block[2], 0, 0, 0, l.grid[0], l.grid[1], l.grid[2], l.shared, dynamic_shared,
                {l.cluster[0], l.cluster[1], l.cluster[2]}, 0};
}

// Warps in any order, and the lanes of each in any order.
void Worker::shuffle_order() {
  const unsigned warps = (count + 31) / 32;
  unsigned sequence[MAX_THREADS / 32], at = 0;
  std::iota(sequence, sequence + warps, 0u);
  for (unsigned i = warps; i > 1; --i) std::swap(sequence[i - 1], sequence[random() % i]);
  for (unsigned i = 0; i < warps; ++i) {
    const unsigned first = sequence[i] * 32, lanes = std::min(32u, count - first);
    for (unsigned k = 0; k < lanes; ++k) order_[at + k] = uint16_t(first + k);
    for (unsigned k = lanes; k > 1; --k) std::swap(order_[at + k - 1], order_[at + random() % k]);
    at += lanes;
  }
}

// From here on `t` runs: its block is the current one.
void Worker::enter(Thread* t) {
  pnsim_current = t;
  if (t->block == pnsim_here.rank) return;
  unsigned at[3];
  launch->place(cluster_number, t->block, at);
  pnsim_here.block_x = at[0];
  pnsim_here.block_y = at[1];
  pnsim_here.block_z = at[2];
  pnsim_here.shared = dynamic_shared + t->block * SHARED_STRIDE;
  pnsim_here.rank = t->block;
}

void Worker::run_cluster(size_t number) {
  const Launch& l = *launch;
  cluster_number = number;
  pnsim_here.rank = ~0u;
  enter(&threads[0]);
  pnsim_current = nullptr;
  live = count;
  started_ = head_ = filled_ = 0;
  for (unsigned block = 0; block < l.ranks(); ++block) {
    gates_[block] = Gate{};
    gates_[block].live = block_threads;
    for (Named& each : named_[block]) each = Named{};
  }
  cluster_arrived_ = cluster_phase_ = 0;
  dropped = false;
  flight::begin_block();
  for (unsigned i = 0; i < count; ++i) {
    Thread& t = threads[i];
    t.state = READY;
    t.fenced = t.unsettled = t.accumulating = false;
    t.proxy_epoch = t.proxy_stamp = 0;
    t.site = Site{};
    t.spins = 0;
    t.stamp = 0;
    t.steps = 0;
    t.phase = 0;
    if (!t.known.empty()) t.known.clear();
  }
  if (l.seed) shuffle_order();
  if (l.mode != PLAIN) checker::begin_block(*this, number);
  inside = true;
  starting_ = idle_fiber();
  pnsim_switch(&scheduler_, starting_->sp);
  inside = false;
  if (l.mode != PLAIN) checker::end_block(*this);
}

Thread* Worker::start_next(Fiber* fiber) {
  if (started_ == count) return nullptr;
  Thread* t = &threads[order_[started_++]];
  t->state = RUNNING;
  t->fiber = fiber;
  enter(t);
  return t;
}

void Worker::push(Thread* t) {
  t->state = READY;
  ring_[(head_ + filled_++) % MAX_THREADS] = uint16_t(t->number);
}

Thread* Worker::pop() {
  if (launch->seed) std::swap(ring_[head_], ring_[(head_ + random() % filled_) % MAX_THREADS]);
  Thread* t = &threads[ring_[head_]];
  head_ = (head_ + 1) % MAX_THREADS;
  if (--filled_) {
    // The next switch will read from a stack that has left the cache: fetch its frames while this thread runs.
    const char* next = static_cast<const char*>(threads[ring_[head_]].fiber->sp);
    for (int line = 0; line < 5; ++line) __builtin_prefetch(next + 64 * line);
  }
  t->state = RUNNING;
  return t;
}

void Worker::wait(bool fresh_first) {
  Thread* me = current();
  me->spins = 0;
  ++switches;
  if (started_ < count && (fresh_first || !filled_)) {
    starting_ = idle_fiber();
    pnsim_switch(&me->fiber->sp, starting_->sp);
    return;
  }
  if (!filled_) stall();
  Thread* next = pop();
  enter(next);
  if (next != me) pnsim_switch(&me->fiber->sp, next->fiber->sp);
}

void Worker::dispatch(Fiber* me) {
  if (!filled_ && started_ == count && live > 0) stall();
  if (filled_) {
    Thread* next = pop();
    free_.push_back(me);
    enter(next);
    pnsim_switch(&me->sp, next->fiber->sp);
  } else if (started_ == count) {
    free_.push_back(me);
    pnsim_switch(&me->sp, scheduler_);
  }
}

void Worker::finish(Thread* t) {
  flight::thread_ended(*this, *t);
  if (launch->mode != PLAIN) checker::thread_ended(*this, *t);
  t->state = EXITED;
  --live;
  Gate& gate = gates_[t->block];
  --gate.live;
  if (gate.arrived && gate.arrived == gate.live) release_barrier(t->block, nullptr);
  if (cluster_arrived_ && cluster_arrived_ == live) release_cluster();
}

void Worker::exit_thread() {
  Thread* me = current();
  Fiber* fiber = me->fiber;
  dropped = true;
  finish(me);
  pnsim_current = nullptr;
  if (!filled_ && started_ == count && live > 0) stall();
  void* next_sp;
  if (filled_) {
    Thread* next = pop();
    enter(next);
    next_sp = next->fiber->sp;
  } else if (started_ < count) {
    starting_ = idle_fiber();
    next_sp = starting_->sp;
  } else {
    next_sp = scheduler_;
  }
  // This stack starts afresh when it is used again; the frames below are never returned to.
  stacks.prepare(*fiber, unsigned((fiber->stack - stacks.base()) / STACK_BYTES), fiber_main);
  free_.push_back(fiber);
  void* nowhere;
  pnsim_switch(&nowhere, next_sp);
  __builtin_unreachable();
}

void Worker::abort(const char* format, ...) {
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(failure, sizeof failure, format, arguments);
  va_end(arguments);
  siglongjmp(escape, 1);
}

void Worker::yield() {
  push(current());
  wait(true);
}

void Worker::park(const void* object, Site site) {
  Thread* me = current();
  me->object = object;
  me->site = site;
  me->state = AT_OBJECT;
  wait();
}

void Worker::unpark(const void* object) {
  for (unsigned i = 0; i < count; ++i)
    if (threads[i].state == AT_OBJECT && threads[i].object == object) push(&threads[i]);
}

bool Worker::parked(const void* object) const {
  for (unsigned i = 0; i < count; ++i)
    if (threads[i].state == AT_OBJECT && threads[i].object == object) return true;
  return false;
}

// Whoever waits is ordered after all that have arrived in the same phase.
void Worker::named_barrier(unsigned id, unsigned expected, bool waits, Site site) {
  if (id > 15 || expected == 0 || expected % 32 || expected > block_threads)
    abort("barrier %u of %u threads: the number must be below 16, and the threads a multiple of 32 and at most the block's %u (line %d)",
          id, expected, block_threads, site.line);
  Named& barrier = named_[current()->block][id];
  const char* order = reinterpret_cast<const char*>(&barrier) + (barrier.phase & 1);
  pnsim_release(order);
  if (++barrier.arrived == expected) {
    barrier.arrived = 0;
    ++barrier.phase;
    unpark(&barrier);
  } else if (waits) {
    park(&barrier, site);
  }
  if (waits) pnsim_acquire(order);
}

void Worker::barrier(Site site) {
  Thread* me = current();
  Gate& gate = gates_[me->block];
  if (launch->mode != PLAIN) checker::barrier_reached(*this, *me, site);
  if (gate.arrived++ == 0) {
    gate.site = site;
  } else if (launch->mode == SANITIZE && !(site == gate.site)) {
    for (unsigned i = 0; i < count; ++i) {
      if (threads[i].block != me->block || threads[i].state != AT_BARRIER || threads[i].site == site) continue;
      checker::divergent_barrier(*this, threads[i], threads[i].site, *me, site);
      break;
    }
  }
  me->site = site;
  if (gate.arrived == gate.live) return release_barrier(me->block, me);
  me->state = AT_BARRIER;
  wait();
}

int Worker::barrier_reduce(int op, int predicate, Site site) {
  Gate& gate = gates_[current()->block];
  gate.sum += predicate != 0;
  ++gate.voters;
  barrier(site);
  return op == 0 ? gate.last_sum : op == 1 ? gate.last_sum == gate.last_voters : gate.last_sum != 0;
}

// `last` arrives last and goes on at once; null if the others only waited for a thread that has ended.
void Worker::release_barrier(unsigned block, Thread* last) {
  Gate& gate = gates_[block];
  const unsigned first = block * block_threads, end = first + block_threads;
  if (launch->mode == SANITIZE && gate.live < block_threads && !dropped) {
    const Thread *gone = nullptr, *here = last;
    for (unsigned i = first; i < end; ++i) {
      if (threads[i].state == EXITED && !gone) gone = &threads[i];
      if (threads[i].state == AT_BARRIER && !here) here = &threads[i];
    }
    if (gone && here) checker::divergent_barrier(*this, *here, here->site, *gone, Site{});
  }
  gate.arrived = 0;
  gate.last_sum = gate.sum;
  gate.last_voters = gate.voters;
  gate.sum = gate.voters = 0;
  if (count == block_threads) {
    if (launch->mode != PLAIN) checker::barrier_released(*this);
    for (unsigned i = 0; i < count; ++i) threads[i].stamp = 0;
  } else if (launch->mode == SANITIZE) {  // other blocks of the cluster are in no order with this one
    std::vector<Thread*> members;
    for (unsigned i = first; i < end; ++i)
      if (threads[i].state != EXITED) members.push_back(&threads[i]);
    checker::group_synced(*this, members.data(), members.size());
  }
  for (unsigned i = first; i < end; ++i) {
    threads[i].steps = 0;
    if (threads[i].state == AT_BARRIER) push(&threads[i]);
  }
}

// The barrier of all threads of a cluster: who waits is ordered after all that have arrived in the same phase.
void Worker::cluster_arrive(Site site) {
  Thread* me = current();
  me->site = site;
  if (me->phase > cluster_phase_) abort("a thread arrived twice at the barrier of its cluster, without a wait (line %d)", site.line);
  pnsim_release(reinterpret_cast<const char*>(&cluster_phase_) + (cluster_phase_ & 1));
  me->phase = cluster_phase_ + 1;
  if (++cluster_arrived_ == live) release_cluster();
}

void Worker::cluster_wait(Site site) {
  const unsigned mine = current()->phase;
  if (mine == 0) abort("a thread waits at the barrier of its cluster where it has not arrived (line %d)", site.line);
  while (cluster_phase_ < mine) park(&cluster_phase_, site);
  pnsim_acquire(reinterpret_cast<const char*>(&cluster_phase_) + ((mine - 1) & 1));
}

void Worker::release_cluster() {
  cluster_arrived_ = 0;
  ++cluster_phase_;
  pnsim_forget(reinterpret_cast<const char*>(&cluster_phase_) + (cluster_phase_ & 1));  // that of the phase before the last
  unpark(&cluster_phase_);
}

void Worker::group_barrier(const void* key, unsigned id, unsigned expected, Site site) {
  Thread* me = current();
  auto group = std::find_if(groups_.begin(), groups_.end(), [&](const Group& g) {
    return g.key == key && g.id == id && g.waiting[0]->block == me->block;
  });
  if (group == groups_.end()) group = groups_.insert(groups_.end(), Group{key, id, expected, {}});
  group->waiting.push_back(me);
  me->site = site;
  if (group->waiting.size() < expected) {
    me->state = AT_GROUP;
    return wait();
  }
  if (launch->mode == SANITIZE) checker::group_synced(*this, group->waiting.data(), group->waiting.size());
  for (Thread* t : group->waiting)
    if (t != me) push(t);
  groups_.erase(group);
}

// Nobody can run. In order: lanes that only asked who else is here; lanes that wait for lanes that have
// ended (the hardware does not wait for those); otherwise the kernel cannot go on.
void Worker::stall() {
  if (release_active_masks() || complete_without_exited() || release_groups()) return;
  deadlock();
}

bool Worker::release_groups() {
  for (auto group = groups_.begin(); group != groups_.end(); ++group) {
    const unsigned gone = block_threads - gates_[group->waiting[0]->block].live;
    if (group->waiting.size() + gone < group->expected || gone == 0) continue;
    std::vector<Thread*> waiting = std::move(group->waiting);
    groups_.erase(group);
    if (launch->mode == SANITIZE) checker::group_synced(*this, waiting.data(), waiting.size());
    for (Thread* t : waiting) push(t);
    return true;
  }
  return false;
}

void Worker::deadlock() {
  const Thread *at_barrier = nullptr, *elsewhere = nullptr;
  for (unsigned i = 0; i < count; ++i) {
    const Thread& t = threads[i];
    if (t.state == AT_BARRIER && !at_barrier) at_barrier = &t;
    if ((t.state == AT_WARP || t.state == AT_GROUP || t.state == AT_OBJECT) && !elsewhere) elsewhere = &t;
  }
  if (launch->mode == SANITIZE && !dropped) {
    if (elsewhere && elsewhere->state == AT_WARP) {
      unsigned present = 0;
      const Warp& warp = warps_[elsewhere->group];
      for (const Pending& p : warp.pending)
        if (p.mask == elsewhere->mask && p.op == elsewhere->op) present = p.arrived;
      checker::invalid_warp_sync(*this, *elsewhere, elsewhere->site, "never", elsewhere->mask, elsewhere->mask & ~present);
    } else if (at_barrier && elsewhere && elsewhere->state == AT_GROUP) {
      checker::divergent_barrier(*this, *at_barrier, at_barrier->site, *elsewhere, elsewhere->site);
    } else if (elsewhere) {
      checker::divergent_barrier(*this, *elsewhere, elsewhere->site, *elsewhere, elsewhere->site);
    }
  }
  const Thread* t = elsewhere ? elsewhere : at_barrier;
  abort("deadlock: thread (%u, %u, %u) of block (%u, %u, %u) waits at line %d of %s for threads that never arrive", t->x,
        t->y, t->z, pnsim_here.block_x, pnsim_here.block_y, pnsim_here.block_z, t->site.line,
        t->site.file ? t->site.file : "?");
}

}  // namespace pnsim
