// One operating-system thread that runs blocks, one after another; every CUDA thread is a fiber.
#pragma once
#include <setjmp.h>
#include <signal.h>

#include <vector>

#include "../include/pyneural_sim/state.h"
#include "fiber.h"

namespace pnsim {

constexpr unsigned MAX_THREADS = 1024;
constexpr unsigned MAX_SHARED = 227 * 1024;
constexpr unsigned MAX_CLUSTER = 16;                    // blocks; 8 of them are portable
constexpr size_t SHARED_STRIDE = MAX_SHARED + 1024;     // from one block's dynamic shared memory to the next one's

enum State : uint8_t { READY, RUNNING, AT_BARRIER, AT_WARP, AT_ACTIVE_MASK, AT_GROUP, AT_OBJECT, EXITED };
enum Mode : int { PLAIN, SANITIZE, PROFILE };

struct Site {
  const char* file = nullptr;
  int line = 0;
  bool operator==(const Site& o) const;
};

struct Thread : pnsim_thread {
  unsigned number = 0, group = 0;  // of the thread and of its warp, among all blocks of the cluster
  unsigned block = 0;              // its block's rank in the cluster
  unsigned phase = 0;              // of the cluster's barrier, in which it arrived last
  State state = READY;
  bool fenced = false;     // has executed a fence since its last plain write
  bool unsettled = false;  // a write of it may turn out to be a race (see sanitizer.cpp)
  bool accumulating = false;  // a wgmma has yet to write its accumulators (see flight.cpp)
  Fiber* fiber = nullptr;
  Site site;               // where it waits
  // One warp operation in flight
  int op = 0, argument = 0, width = 32;
  unsigned mask = 0;
  unsigned long long value = 0, result = 0;
  const void* object = nullptr;  // what it is parked on
  // Race detector: number of the last synchronisation this thread took part in (see races.h)
  uint32_t stamp = 0;
  std::vector<uint32_t> known;  // empty until a barrier object or an atomic with fences has been used
  uint64_t steps = 0;           // accesses since the last wait
  // The last fence between the generic and the asynchronous proxy
  uint32_t proxy_epoch = 0, proxy_stamp = 0;
};

struct Launch {
  void (*entry)(void**) = nullptr;
  void** args = nullptr;          // where each argument lies
  size_t args_bytes = 0;
  const void* params = nullptr;   // the block of memory that holds them
  size_t param_bytes = 0;
  unsigned grid[3] = {1, 1, 1}, block[3] = {1, 1, 1}, cluster[3] = {1, 1, 1};
  unsigned shared = 0;
  const char* name = "";
  Mode mode = PLAIN;
  uint64_t seed = 0;  // 0: threads and blocks in order
  const void* module = nullptr;
  size_t blocks() const { return size_t(grid[0]) * grid[1] * grid[2]; }
  unsigned threads() const { return block[0] * block[1] * block[2]; }
  unsigned ranks() const { return cluster[0] * cluster[1] * cluster[2]; }  // blocks of a cluster
  size_t clusters() const { return blocks() / ranks(); }
  // Where the block of this rank stands in the grid.
  void place(size_t cluster_number, unsigned rank, unsigned (&at)[3]) const {
    for (int i = 0; i < 3; ++i) {
      const unsigned many = grid[i] / cluster[i];
      at[i] = unsigned(cluster_number % many) * cluster[i] + rank % cluster[i];
      cluster_number /= many;
      rank /= cluster[i];
    }
  }
};

class Worker {
 public:
  Worker();
  ~Worker();

  void begin(const Launch& launch);
  void run_cluster(size_t number);  // its blocks, to their end, unless something jumps to `escape`
  void recover();                 // after such a jump: forget all fibers

  // Called on fibers
  void barrier(Site site);
  int barrier_reduce(int op, int predicate, Site site);
  void group_barrier(const void* key, unsigned id, unsigned expected, Site site);
  unsigned long long warp(int op, unsigned mask, unsigned long long value, int argument, int width, Site site);
  void gather(unsigned mask, unsigned long long value, unsigned long long* values, Site site);
  unsigned active_mask(Site site);
  void park(const void* object, Site site);
  void unpark(const void* object);
  bool parked(const void* object) const;
  void named_barrier(unsigned id, unsigned expected, bool wait, Site site);
  void cluster_arrive(Site site);
  void cluster_wait(Site site);
  void yield();
  [[noreturn]] void exit_thread();                      // drops the current thread where it stands
  [[noreturn]] void abort(const char* format, ...) __attribute__((format(printf, 2, 3)));  // ends the launch

  Thread* current() const { return static_cast<Thread*>(pnsim_current); }
  uintptr_t static_window() const { return (reinterpret_cast<uintptr_t>(tls_) & ~uintptr_t(1023)) - 0x40000; }
  unsigned block_of(unsigned axis) const { return axis == 0 ? pnsim_here.block_x : axis == 1 ? pnsim_here.block_y : pnsim_here.block_z; }

  const Launch* launch = nullptr;
  std::vector<Thread> threads;
  unsigned count = 0, live = 0;  // threads of the cluster, and those that have not ended
  unsigned block_threads = 0;
  size_t cluster_number = 0;
  StackArena stacks;
  char* dynamic_shared = nullptr;
  sigjmp_buf escape;
  volatile bool inside = false;    // a kernel is running: a signal may jump out
  volatile int busy = 0;           // within the C library: it may not
  char failure[512] = "";          // why the launch ended early; a signal handler may write it
  bool dropped = false;            // a thread of this block was dropped: its absence is no new finding
  uint64_t switches = 0;

 private:
  friend void fiber_main();
  struct Pending {  // lanes of one warp that wait for each other
    unsigned mask, arrived;
    int op;
  };
  struct Warp {
    std::vector<Pending> pending;
    unsigned long long gathered[32];
  };
  struct Group {
    const void* key;
    unsigned id, expected;
    std::vector<Thread*> waiting;
  };

  void enter(Thread* thread);        // it is the current one from here on
  Thread* start_next(Fiber* fiber);
  void finish(Thread* thread);
  void wait(bool fresh_first = false);  // the current thread waits; others run until it is ready again
  void dispatch(Fiber* fiber);       // from a fiber that has nothing to do
  Fiber* idle_fiber();
  void push(Thread* thread);
  Thread* pop();
  void release_barrier(unsigned block, Thread* last);
  void release_cluster();
  void stall();                      // nobody can run: find out why
  bool release_active_masks();
  bool complete_without_exited();
  bool release_groups();
  void complete(unsigned warp, size_t slot);
  void exchange(unsigned warp, unsigned members, int op);
  [[noreturn]] void deadlock();
  uint64_t random();
  void shuffle_order();

  std::vector<Fiber> fibers_;
  std::vector<Fiber*> free_;
  unsigned made_ = 0;
  void* scheduler_ = nullptr;        // where run_cluster waits
  Fiber* starting_ = nullptr;        // the fiber that is about to run for the first time
  std::vector<uint16_t> order_;
  std::vector<uint16_t> ring_;       // ready threads, first in first out
  unsigned head_ = 0, filled_ = 0, started_ = 0;
  struct Gate {  // __syncthreads of one block
    unsigned live = 0, arrived = 0;
    Site site;
    int sum = 0, voters = 0, last_sum = 0, last_voters = 0;
  };
  Gate gates_[MAX_CLUSTER];
  unsigned cluster_arrived_ = 0, cluster_phase_ = 0;
  std::vector<Warp> warps_;
  std::vector<Group> groups_;
  struct Named {  // a barrier of bar.sync and bar.arrive; its address and phase stand for it in the race detector
    unsigned arrived = 0, phase = 0;
  };
  Named named_[MAX_CLUSTER][16];
  char* tls_ = nullptr;  // of the kernel's library
  uint64_t rng_ = 0;
};

extern __thread Worker* worker;

struct Busy {  // within the C library, or with a lock held, no signal may jump out
  Busy() { if (worker) worker->busy = worker->busy + 1; }
  ~Busy() { if (worker) worker->busy = worker->busy - 1; }
};

}  // namespace pnsim
