#include "flight.h"

#include <string.h>

#include <vector>

#include "../include/pyneural_sim/mbarrier_word.h"
#include "checker.h"
#include "sanitizer.h"
#include "sanitizer_state.h"

namespace pnsim {

namespace {

using Pieces = std::vector<pnsim_piece>;

struct Load {
  const void* object;
  Pieces pieces;
  unsigned bytes;
};
struct Store {
  Pieces pieces;
  const char* file;
  int line;
};
struct Range {
  uintptr_t a;
  size_t size;
};
struct Product {
  pnsim_product work;
  std::vector<Range> reads;  // by this thread on behalf of its warp; only of checked runs
  const char* file;
  int line;
};
template <typename T>
struct Groups {
  std::vector<std::vector<T>> committed;  // oldest first
  std::vector<T> open;
  void commit() {
    committed.push_back(std::move(open));
    open.clear();
  }
  bool empty() const { return committed.empty() && open.empty(); }
};
struct PerThread {
  Groups<Store> stores;
  Groups<Product> products;
  std::vector<Range> reads;  // of the product that is about to be issued
  bool fenced = false;       // has executed a wgmma.fence
};

struct State {
  std::vector<Load> loads;
  std::vector<PerThread> threads;
  bool used = false;
};
thread_local State state;

PerThread& mine(const Thread& t) {
  if (state.threads.empty()) state.threads.resize(MAX_THREADS);
  state.used = true;
  return state.threads[t.number];
}

bool checked(const Worker& w) { return w.launch->mode == SANITIZE; }

// In pieces as large as the address allows.
void check(Worker& w, Thread& t, const void* p, size_t size, int kind, const Where& at) {
  uintptr_t a = reinterpret_cast<uintptr_t>(p);
  for (unsigned piece = 16; size; a += piece, size -= piece) {
    for (piece = 16; piece > size || a % piece;) piece /= 2;
    sanitizer::access(w, t, a, piece, kind, at);
  }
}

void copy(const pnsim_piece& p) {
  if (p.from) {
    memcpy(p.to, p.from, p.size);
  } else if (p.fill == 0) {
    memset(p.to, 0, p.size);
  } else {
    memset(p.to, 0xff, p.size);  // every bit set is a NaN in each floating type
  }
}

void perform(Worker& w, Thread& t, const Store& s) {
  for (const pnsim_piece& p : s.pieces) {
    if (checked(w)) {
      sanitizer::land(reinterpret_cast<uintptr_t>(p.from), p.size);
      check(w, t, p.to, p.size, PNSIM_WRITE | sanitizer::PROXY, {nullptr, s.file, s.line});
    }
    copy(p);
  }
}

void forget(Worker& w, const Product& p) {
  if (checked(w))
    for (const Range& r : p.reads) sanitizer::land(r.a, r.size);
}

void land(Worker& w, const void* object) {
  for (size_t i = 0; i < state.loads.size();) {
    if (state.loads[i].object != object) {
      ++i;
      continue;
    }
    const Load load = std::move(state.loads[i]);
    state.loads.erase(state.loads.begin() + long(i));
    for (const pnsim_piece& p : load.pieces) {
      if (checked(w)) sanitizer::land(reinterpret_cast<uintptr_t>(p.to), p.size);
      copy(p);
    }
    unsigned long long* word = static_cast<unsigned long long*>(const_cast<void*>(object));
    MBarrier b = MBarrier::read(*word);
    b.bytes -= int(load.bytes);
    const bool over = b.turn();
    *word = b.word();
    if (!over) continue;
    pnsim_forget(mbarrier_order(object, b.phase));
    w.unpark(object);
  }
}

}  // namespace

void flight::begin_block() {
  if (!state.used) return;
  state.loads.clear();
  for (PerThread& p : state.threads) p = PerThread{};
  state.used = false;
}

// A store that nobody waited for still happens; a product's accumulators are gone.
void flight::thread_ended(Worker& w, Thread& t) {
  if (!state.used) return;
  PerThread& p = mine(t);
  if (!p.stores.empty()) {
    p.stores.commit();
    const auto groups = std::move(p.stores.committed);
    p.stores.committed.clear();
    for (const auto& group : groups)
      for (const Store& s : group) perform(w, t, s);
  }
  p.products.commit();
  for (const auto& group : p.products.committed)
    for (const Product& product : group) forget(w, product);
  p.products.committed.clear();
  t.accumulating = false;
}

void flight::check_accumulators(Worker& w, Thread& t, uintptr_t a, unsigned size, int kind, const Where& at) {
  PerThread& p = mine(t);
  const Product* found = nullptr;
  const auto look = [&](const std::vector<Product>& group) {
    for (const Product& product : group) {
      const uintptr_t d = reinterpret_cast<uintptr_t>(product.work.d);
      if (a < d + product.work.columns * 2 && d < a + size) found = &product;
    }
  };
  for (const auto& group : p.products.committed) look(group);
  look(p.products.open);
  if (!found || w.dropped) return;
  Finding f;
  f.kind = "race";
  f.detail = "accumulators";
  f.at = at;
  sanitizer::fill(t, f);
  f.space = "local";
  f.write = (kind & 3) != PNSIM_READ;
  sanitizer::set_other(w, f, sanitizer::state.epoch, t.number);
  f.other_at.file = found->file;
  f.other_at.line = found->line;
  report(f);
}

}  // namespace pnsim

using namespace pnsim;

extern "C" {

void pnsim_bulk_load(const pnsim_piece* pieces, size_t count, void* object, const char* file, int line) {
  if (!pnsim_current) return;
  Worker& w = *worker;
  Thread& t = *w.current();
  mine(t);
  Load load{object, Pieces(pieces, pieces + count), 0};
  for (const pnsim_piece& p : load.pieces) load.bytes += p.size;
  if (checked(w)) {
    const Where at{nullptr, file, line};
    check(w, t, object, 8, PNSIM_ATOMIC, at);
    for (const pnsim_piece& p : load.pieces) {
      if (p.from) check(w, t, p.from, p.size, PNSIM_READ, at);
      check(w, t, p.to, p.size, PNSIM_WRITE | sanitizer::PROXY, at);
    }
    const MBarrier b = MBarrier::read(*static_cast<const unsigned long long*>(object));
    pnsim_release(mbarrier_order(object, b.phase));
    for (const pnsim_piece& p : load.pieces)
      sanitizer::take_off(reinterpret_cast<uintptr_t>(p.to), p.size, {t.number, true, "async", file, line, 0});
  }
  state.loads.push_back(std::move(load));
  if (w.parked(object)) land(w, object);
}

void pnsim_bulk_land(const void* object) {
  if (pnsim_current && !state.loads.empty()) land(*worker, object);
}

void pnsim_bulk_store(const pnsim_piece* pieces, size_t count, const char* file, int line) {
  if (!pnsim_current) return;
  Worker& w = *worker;
  Thread& t = *w.current();
  if (checked(w))
    for (size_t i = 0; i < count; ++i) {
      check(w, t, pieces[i].from, pieces[i].size, PNSIM_READ | sanitizer::PROXY, {nullptr, file, line});
      sanitizer::take_off(reinterpret_cast<uintptr_t>(pieces[i].from), pieces[i].size, {t.number, false, "bulk", file, line, 0});
    }
  mine(t).stores.open.push_back({Pieces(pieces, pieces + count), file, line});
}

void pnsim_bulk_commit(void) {
  if (pnsim_current) mine(*worker->current()).stores.commit();
}

// To have been read and to have been written is one here: both are done now.
void pnsim_bulk_wait(unsigned newest, int) {
  if (!pnsim_current) return;
  Worker& w = *worker;
  Thread& t = *w.current();
  auto& groups = mine(t).stores.committed;
  while (groups.size() > newest) {
    const std::vector<Store> group = std::move(groups.front());
    groups.erase(groups.begin());
    for (const Store& s : group) perform(w, t, s);
  }
}

void pnsim_wgmma_reads(const void* address, size_t size, const char* file, int line) {
  Worker& w = *worker;
  if (!pnsim_current || !checked(w)) return;
  Thread& t = *w.current();
  check(w, t, address, size, PNSIM_READ | sanitizer::PROXY, {nullptr, file, line});
  sanitizer::take_off(reinterpret_cast<uintptr_t>(address), size, {t.number, false, "wgmma", file, line, 0});
  mine(t).reads.push_back({reinterpret_cast<uintptr_t>(address), size});
}

void pnsim_wgmma(const pnsim_product* product, const char* file, int line) {
  if (!pnsim_current) return;
  Worker& w = *worker;
  Thread& t = *w.current();
  PerThread& p = mine(t);
  if (checked(w) && !p.fenced && !w.dropped) {
    Finding f;
    f.kind = "race";
    f.detail = "fence";
    f.at.file = file;
    f.at.line = line;
    sanitizer::fill(t, f);
    report(f);
  }
  p.products.open.push_back({*product, std::move(p.reads), file, line});
  p.reads.clear();
  t.accumulating = true;
}

void pnsim_wgmma_fence(void) {
  if (pnsim_current) mine(*worker->current()).fenced = true;
}

void pnsim_wgmma_commit(void) {
  if (pnsim_current) mine(*worker->current()).products.commit();
}

void pnsim_wgmma_wait(unsigned newest) {
  if (!pnsim_current) return;
  Worker& w = *worker;
  Thread& t = *w.current();
  auto& products = mine(t).products;
  while (products.committed.size() > newest) {
    for (const Product& p : products.committed.front()) {
      p.work.compute(&p.work);
      forget(w, p);
    }
    products.committed.erase(products.committed.begin());
  }
  t.accumulating = !products.empty();
}

void pnsim_proxy_fence(void) {
  if (pnsim_current && checked(*worker)) sanitizer::proxy_fence(*worker->current());
}

// Static arrays lie around the thread-local storage of the kernel's library, dynamic memory elsewhere: each gets
// one half of the window.
unsigned pnsim_shared_address(const void* pointer) {
  const Worker& w = *worker;
  const uintptr_t a = reinterpret_cast<uintptr_t>(pointer);
  const uintptr_t dynamic = a - reinterpret_cast<uintptr_t>(pnsim_here.shared);
  if (dynamic < MAX_SHARED + 1024) return 0x80000u + unsigned(dynamic);
  const uintptr_t fixed = a - w.static_window();
  if (!w.launch->module || fixed >= 0x80000u) pnsim_trap("an address that is not in shared memory was handed to wgmma", "", 0);
  return unsigned(fixed);
}

const char* pnsim_shared_pointer(unsigned address) {
  const Worker& w = *worker;
  if (address >= 0x80000u) return pnsim_here.shared + (address - 0x80000u);
  return reinterpret_cast<const char*>(w.static_window() + address);
}

}  // extern "C"
