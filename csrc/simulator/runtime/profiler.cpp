#include "profiler.h"

#include <stdio.h>
#include <string.h>

#include <algorithm>
#include <deque>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "launch.h"
#include "module.h"
#include "regions.h"
#include "trace.h"

namespace pnsim {

namespace {

enum Kind : unsigned { GLOBAL_LOAD, GLOBAL_STORE, SHARED_LOAD, SHARED_STORE, GLOBAL_ATOMIC, SHARED_ATOMIC, LOCAL_LOAD, LOCAL_STORE, CONSTANT_LOAD, BARRIER, KINDS };
const char* const NAMES[] = {"global_load", "global_store", "shared_load", "shared_store", "global_atomic",
                             "shared_atomic", "local_load", "local_store", "constant_load", "barrier"};

// One instruction (a program counter and what it touches) over the whole launch.
struct Counter {
  Where at;
  Kind kind;
  uint64_t requests = 0, lanes = 0;
  uint64_t sectors = 0;      // of 32 bytes
  uint64_t wavefronts = 0, ideal_wavefronts = 0;
  double ways = 0;           // summed over requests
  uint64_t contention = 0;   // most lanes at one address, summed over requests
  uint64_t bytes = 0;        // distinct bytes asked for
};

struct Request {
  unsigned mask = 0, size = 0;
  uintptr_t address[32];
  trace::Moment first = {~0u, 0}, last = {0, 0};  // only while it is traced
};

// One instruction in one warp: the k-th execution by each lane belongs to request k.
struct Stream {
  uint32_t executed[32] = {};
  uint32_t done = 0;  // requests already counted
  std::deque<Request> open;
};

struct Profiler {
  std::vector<Counter> counters;
  std::unordered_map<uint64_t, unsigned> index;
  uint64_t recent_key[256];
  unsigned recent_value[256];
  std::vector<std::unique_ptr<Stream>> streams[MAX_THREADS / 32];
  SharedArrays shared;
  trace::Moment now[MAX_THREADS] = {};  // of each thread, while its block is traced
} p;

unsigned ways_of(const Request& r, unsigned first, unsigned last, uint64_t* distinct_words) {
  uintptr_t words[32 * 4];
  unsigned n = 0;
  for (unsigned lane = first; lane < last; ++lane) {
    if (!(r.mask >> lane & 1)) continue;
    for (uintptr_t word = r.address[lane] / 4; word <= (r.address[lane] + r.size - 1) / 4; ++word) words[n++] = word;
  }
  std::sort(words, words + n);
  n = unsigned(std::unique(words, words + n) - words);
  unsigned banks[32] = {}, most = 0;
  for (unsigned i = 0; i < n; ++i) most = std::max(most, ++banks[words[i] % 32]);
  *distinct_words += n;
  return most;
}

void count(Counter& c, const Request& r) {
  const unsigned lanes = unsigned(__builtin_popcount(r.mask));
  ++c.requests;
  c.lanes += lanes;
  if (c.kind == BARRIER) return;  // it has no address
  uintptr_t addresses[32];
  unsigned n = 0;
  for (unsigned m = r.mask; m; m &= m - 1) addresses[n++] = r.address[__builtin_ctz(m)];
  std::sort(addresses, addresses + n);
  if (c.kind == GLOBAL_ATOMIC || c.kind == SHARED_ATOMIC) {
    unsigned most = 0, run = 0;
    for (unsigned i = 0; i < n; ++i) {
      run = i && addresses[i] == addresses[i - 1] ? run + 1 : 1;
      most = std::max(most, run);
    }
    c.contention += most;
  }
  n = unsigned(std::unique(addresses, addresses + n) - addresses);
  uintptr_t end = 0, last_sector = ~uintptr_t(0);
  for (unsigned i = 0; i < n; ++i) {
    const uintptr_t from = std::max(addresses[i], end), to = addresses[i] + r.size;
    if (to > from) c.bytes += to - from;
    end = std::max(end, to);
    for (uintptr_t sector = addresses[i] / 32; sector <= (to - 1) / 32; ++sector) {
      if (sector == last_sector) continue;
      if (last_sector != ~uintptr_t(0) && sector < last_sector) continue;
      ++c.sectors;
      last_sector = sector;
    }
  }
  if (c.kind != SHARED_LOAD && c.kind != SHARED_STORE && c.kind != SHARED_ATOMIC) return;
  // Accesses of 8 bytes go in two halves of the warp, of 16 bytes in four quarters.
  const unsigned phases = r.size >= 16 ? 4 : r.size == 8 ? 2 : 1, width = 32 / phases;
  unsigned used = 0, total = 0;
  for (unsigned i = 0; i < phases; ++i) {
    uint64_t words = 0;
    const unsigned ways = ways_of(r, i * width, (i + 1) * width, &words);
    used += ways > 0;
    total += ways;
  }
  c.wavefronts += total;
  c.ideal_wavefronts += used;
  c.ways += double(total) / (used ? used : 1);
}

// The array at an address, or the one that a stray access was nearest to.
int array_at(const Worker& w, Kind kind, uintptr_t a) {
  if (kind == SHARED_LOAD || kind == SHARED_STORE || kind == SHARED_ATOMIC) {
    const uintptr_t first = reinterpret_cast<uintptr_t>(w.dynamic_shared);
    if (a - first < w.launch->ranks() * SHARED_STRIDE) {
      const Module* m = static_cast<const Module*>(w.launch->module);
      const uintptr_t base = first + (a - first) / SHARED_STRIDE * SHARED_STRIDE;
      return trace::array(m ? m->dynamic_name.c_str() : "", "shared", base, w.launch->shared, m ? m->dynamic_element : 4);
    }
    const Symbol* s = p.shared.at(a);
    return s ? trace::array(s->name.c_str(), "shared", p.shared.region.base + s->offset, s->size, s->element) : -1;
  }
  if (regions::is_null(a)) return -1;
  long long distance = 0;
  const regions::Region* r = regions::find(a);
  if (!r) r = regions::nearest(a, &distance);
  if (!r || distance > 65536 || distance < -65536) return -1;  // so far away belongs to no array
  return trace::array(r->name, r->space == regions::CONSTANT ? "constant" : "global", r->base, r->size, r->element);
}

void keep(const Worker& w, unsigned group, unsigned id, const Request& r) {
  const Kind kind = p.counters[id].kind;
  const Thread& leader = w.threads[group * 32 + unsigned(__builtin_ctz(r.mask))];
  unsigned at[3];
  w.launch->place(w.cluster_number, leader.block, at);
  trace::Request t = {};
  t.block = at[0] + w.launch->grid[0] * (at[1] + w.launch->grid[1] * at[2]);
  t.warp = leader.warp;
  t.instruction = id;
  t.first_epoch = r.first.epoch;
  t.last_epoch = r.last.epoch;
  t.order = r.last.order;
  t.mask = r.mask;
  t.size = r.size;
  t.array = -1;
  if (kind != BARRIER && kind != LOCAL_LOAD && kind != LOCAL_STORE) {
    t.array = array_at(w, kind, r.address[leader.lane]);
    const uintptr_t base = trace::base_of(t.array);
    for (unsigned m = r.mask; m; m &= m - 1) {
      const unsigned lane = unsigned(__builtin_ctz(m));
      t.offset[lane] = int64_t(r.address[lane] - base);
    }
  }
  trace::add(t);
}

void close(const Worker& w, unsigned group, unsigned id, const Request& r) {
  count(p.counters[id], r);
  if (r.first.epoch != ~0u) keep(w, group, id, r);
}

unsigned counter_of(const Where& at, Kind kind) {
  uint64_t key = reinterpret_cast<uintptr_t>(at.pc) * KINDS + kind;
  if (at.file) key ^= uint64_t(at.line) << 40;
  const unsigned slot = unsigned(key * 0x9e3779b97f4a7c15ull >> 56);
  if (p.recent_key[slot] == key) return p.recent_value[slot];
  auto [it, fresh] = p.index.try_emplace(key, unsigned(p.counters.size()));
  if (fresh) {
    Counter c;
    c.at = at;
    c.kind = kind;
    p.counters.push_back(c);
  }
  p.recent_key[slot] = key;
  p.recent_value[slot] = it->second;
  return it->second;
}

void record(const Thread& t, unsigned id, uintptr_t a, unsigned size) {
  auto& streams = p.streams[t.group];
  if (streams.size() <= id) streams.resize(id + 16);
  if (!streams[id]) streams[id].reset(new Stream);
  Stream& stream = *streams[id];
  const uint32_t k = stream.executed[t.lane]++ - stream.done;
  while (stream.open.size() <= k) stream.open.emplace_back();
  Request& r = stream.open[k];
  r.mask |= 1u << t.lane;
  r.size = size;
  r.address[t.lane] = a;
  if (trace::on && trace::wanted()) {
    trace::Moment& now = p.now[t.number];
    r.first.epoch = std::min(r.first.epoch, now.epoch);
    r.last.epoch = std::max(r.last.epoch, now.epoch);
    r.last.order = std::max(r.last.order, ++now.order);
  }
  while (!stream.open.empty() && stream.open.front().mask == ~0u) {
    close(*worker, t.group, id, stream.open.front());
    stream.open.pop_front();
    ++stream.done;
  }
}

}  // namespace

void profiler::access(Worker& w, Thread& t, uintptr_t a, unsigned size, int access, const Where& at) {
  if ((++t.steps & 0xfff) == 0) {
    if (cancel_requested) check_cancel(at.pc);
    w.yield();  // no lane runs far ahead of its warp, so that few requests stay open
  }
  const uintptr_t params = reinterpret_cast<uintptr_t>(w.launch->params);
  const bool atomic = (access & 3) == PNSIM_ATOMIC, store = (access & 3) == PNSIM_WRITE;
  Kind kind;
  if (p.shared.guard(a)) return;
  if (a - reinterpret_cast<uintptr_t>(w.stacks.base()) < w.stacks.size()) {
    kind = store ? LOCAL_STORE : LOCAL_LOAD;
  } else if (p.shared.region.holds(a) || a - reinterpret_cast<uintptr_t>(w.dynamic_shared) < w.launch->ranks() * SHARED_STRIDE) {
    kind = atomic ? SHARED_ATOMIC : store ? SHARED_STORE : SHARED_LOAD;
  } else if (a - params < w.launch->param_bytes || a - reinterpret_cast<uintptr_t>(w.launch->args) < w.launch->args_bytes) {
    return;  // parameters travel in the constant bank
  } else {
    const regions::Region* r = regions::find(a);
    if (r && r->space == regions::CONSTANT) kind = CONSTANT_LOAD;
    else kind = atomic ? GLOBAL_ATOMIC : store ? GLOBAL_STORE : GLOBAL_LOAD;
  }
  record(t, counter_of(at, kind), a, size);
}

void profiler::barrier(Thread& t, Site site) {
  const Where at{const_cast<char*>(site.file), site.file, site.line};
  record(t, counter_of(at, BARRIER), 0, 0);
  ++p.now[t.number].epoch;
}

void profiler::begin_launch(Worker& w) {
  memset(p.recent_key, 0xff, sizeof p.recent_key);
  if (w.launch->module) p.shared.map(*static_cast<const Module*>(w.launch->module), w.launch->name);
}

void profiler::end_block(Worker& w) {
  for (unsigned warp = 0; warp * 32 < w.count; ++warp) {
    for (size_t id = 0; id < p.streams[warp].size(); ++id) {
      Stream* stream = p.streams[warp][id].get();
      if (!stream) continue;
      for (const Request& r : stream->open) close(w, warp, unsigned(id), r);
      stream->open.clear();
      stream->done = 0;
      memset(stream->executed, 0, sizeof stream->executed);
    }
  }
  memset(p.now, 0, sizeof p.now);
}

void profiler::end_launch(Worker& w) {
  if (trace::on) end_block(w);  // of a launch that ended early
  for (auto& streams : p.streams) streams.clear();
  p.shared.unmap();
}

}  // namespace pnsim

extern "C" void pnsim_profile_clear(void) {
  pnsim::p.counters.clear();
  pnsim::p.index.clear();
}

extern "C" const char* pnsim_profile(void) {
  static std::string out;
  char text[512];
  out = "[";
  for (const pnsim::Counter& c : pnsim::p.counters) {
    if (out.size() > 1) out += ',';
    snprintf(text, sizeof text,
             "{\"kind\":\"%s\",\"requests\":%llu,\"lanes\":%llu,\"sectors\":%llu,\"wavefronts\":%llu,"
             "\"ideal_wavefronts\":%llu,\"ways\":%.17g,\"contention\":%llu,\"bytes\":%llu,\"at\":",
             pnsim::NAMES[c.kind], (unsigned long long)c.requests, (unsigned long long)c.lanes, (unsigned long long)c.sectors,
             (unsigned long long)c.wavefronts, (unsigned long long)c.ideal_wavefronts, c.ways,
             (unsigned long long)c.contention, (unsigned long long)c.bytes);
    out += text;
    if (c.at.file) {
      snprintf(text, sizeof text, "{\"line\":%d,\"file\":\"", c.at.line);
      out += text;
      for (const char* q = c.at.file; *q; ++q) {
        if (*q == '"' || *q == '\\') out += '\\';
        out += *q;
      }
      out += "\"}}";
    } else {
      snprintf(text, sizeof text, "{\"pc\":%llu}}", (unsigned long long)reinterpret_cast<uintptr_t>(c.at.pc));
      out += text;
    }
  }
  out += ']';
  return out.c_str();
}
