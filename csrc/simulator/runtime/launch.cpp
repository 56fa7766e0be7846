#include "launch.h"

#ifdef __ELF__
#include <link.h>
#endif
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <atomic>
#include <memory>

#include "checker.h"

extern "C" {
__thread pnsim_thread* pnsim_current __attribute__((tls_model("initial-exec"))) = nullptr;
__thread pnsim_block pnsim_here __attribute__((tls_model("initial-exec"))) = {};
}

namespace pnsim {

volatile int cancel_requested = 0;

namespace {

constexpr int CANCEL_SIGNAL = SIGURG;
const int FAULTS[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL};

struct Pool {
  pid_t owner = 0;
  pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
  pthread_cond_t work = PTHREAD_COND_INITIALIZER, done = PTHREAD_COND_INITIALIZER;
  pthread_t ids[64];
  unsigned made = 0, wanted = 0, running = 0;
  uint64_t generation = 0;
  Launch launch;
  std::atomic<size_t> next{0};
  std::atomic<bool> stop{false};
  char failure[512] = "";
  uint64_t switches = 0;
  struct sigaction before[5];
  uintptr_t code = 0, code_end = 0;        // of the kernel's library; empty where that cannot be told
  std::atomic<bool> anywhere{false};       // a signal may stop a kernel wherever it is
};
Pool* pool = nullptr;

const char* describe_fault(int number, const siginfo_t* info) {
  if (number == SIGSEGV && info->si_code == SI_KERNEL)
    return "an illegal memory access was encountered: a misaligned vector access or an address that cannot be";
  switch (number) {
    case SIGFPE: return "integer division by zero";
    case SIGILL: return "an illegal instruction was executed (__trap or a failed check)";
    default: return "an illegal memory access was encountered";
  }
}

// A fault on a fiber ends the launch, as a sticky error ends a CUDA context, and not the process.
void on_fault(int number, siginfo_t* info, void*) {
  Worker* w = worker;
  if (w && w->inside) {
    const pnsim_thread* t = pnsim_current;
    snprintf(w->failure, sizeof w->failure, "%s (address %p, block (%u, %u, %u), thread (%u, %u, %u))",
             describe_fault(number, info), info->si_addr, pnsim_here.block_x, pnsim_here.block_y, pnsim_here.block_z,
             t ? t->x : 0, t ? t->y : 0, t ? t->z : 0);
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, number);
    pthread_sigmask(SIG_UNBLOCK, &set, nullptr);
    siglongjmp(w->escape, 1);
  }
  signal(number, SIG_DFL);  // not ours: fault again, with the default ending
}

void find_code(const void* entry) {
  pool->code = pool->code_end = 0;
#ifdef __ELF__
  const auto look = [](dl_phdr_info* info, size_t, void* wanted) {
    for (int i = 0; i < info->dlpi_phnum; ++i) {
      const auto& segment = info->dlpi_phdr[i];
      const uintptr_t from = info->dlpi_addr + segment.p_vaddr;
      if (segment.p_type != PT_LOAD || reinterpret_cast<uintptr_t>(wanted) - from >= segment.p_memsz) continue;
      pool->code = from;
      pool->code_end = from + segment.p_memsz;
      return 1;
    }
    return 0;
  };
  dl_iterate_phdr(look, const_cast<void*>(entry));
#endif
}

// Only the kernel's own code has a line, and holds nothing that a jump would leave half done: not this library, nor the
// C library below it, nor a stub on the way to them.
bool in_kernel(const void* pc) {
  const uintptr_t at = reinterpret_cast<uintptr_t>(pc);
  if (pool->anywhere || !pc || !pool->code) return true;
  if (at < pool->code || at >= pool->code_end) return false;
#if defined(__x86_64__)
  const unsigned char* code = static_cast<const unsigned char*>(pc);
  if (memcmp(code, "\xf3\x0f\x1e\xfa", 4) == 0) code += 4;  // endbr64
  if (*code == 0xf2) ++code;                                 // bnd
  if (code[0] == 0xff && code[1] == 0x25) return false;      // jmp *[rip + ...]
#endif
  return true;
}

void on_cancel(int, siginfo_t*, void* context) {
  Worker* w = worker;
  if (!w || !w->inside || w->busy || !pnsim_current) return;
  void* pc = nullptr;
#if defined(__x86_64__)
  pc = reinterpret_cast<void*>(static_cast<ucontext_t*>(context)->uc_mcontext.gregs[16]);
#elif defined(__aarch64__) && defined(__linux__)
  pc = reinterpret_cast<void*>(static_cast<ucontext_t*>(context)->uc_mcontext.pc);
#else
  (void)context;
#endif
  if (!in_kernel(pc)) return;  // the signal comes again
  Busy once;  // and again, while this one is on its way out
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, CANCEL_SIGNAL);
  pthread_sigmask(SIG_UNBLOCK, &set, nullptr);
  check_cancel(pc ? static_cast<char*>(pc) + 1 : nullptr);  // elsewhere it is a return address, behind the instruction
}

void catch_signals(bool on) {
  int at = 0;
  for (int number : FAULTS) {
    struct sigaction action = {};
    action.sa_sigaction = on_fault;
    action.sa_flags = SA_SIGINFO | SA_ONSTACK;
    sigaction(number, on ? &action : &pool->before[at], on ? &pool->before[at] : nullptr);
    ++at;
  }
  struct sigaction action = {};
  action.sa_sigaction = on_cancel;
  action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART;
  sigaction(CANCEL_SIGNAL, on ? &action : &pool->before[at], on ? &pool->before[at] : nullptr);
}

void run_share(Worker& w, const Launch& launch) {
  w.begin(launch);
  if (launch.mode != PLAIN) checker::begin_launch(w);
  const size_t blocks = launch.clusters();
  // With a seed the blocks go in the order first + i * step, a permutation since step is prime to their number.
  size_t first = 0, step = 1;
  if (launch.seed) {
    first = launch.seed * 0x9e3779b97f4a7c15ull % blocks;
    step = launch.seed * 0xd1342543de82ef95ull % blocks | 1;
    const auto gcd = [](size_t a, size_t b) { for (; b; ) { const size_t r = a % b; a = b; b = r; } return a; };
    while (gcd(step, blocks) != 1) ++step;
  }
  if (sigsetjmp(w.escape, 0) == 0) {
    for (;;) {
      const size_t i = pool->next.fetch_add(1, std::memory_order_relaxed);
      if (i >= blocks || pool->stop.load(std::memory_order_relaxed)) break;
      w.run_cluster(launch.seed ? size_t((first + (unsigned __int128)i * step) % blocks) : i);
    }
  } else {
    w.recover();
    pool->stop = true;
  }
  if (launch.mode != PLAIN) checker::end_launch(w);
}

void* work(void* argument) {
  const unsigned number = unsigned(reinterpret_cast<uintptr_t>(argument));
  std::unique_ptr<Worker> mine(new Worker);
  worker = mine.get();
  stack_t alternate = {};
  alternate.ss_size = 256 * 1024;  // a frame alone may hold 11 KiB of vector registers
  alternate.ss_sp = malloc(alternate.ss_size);
  sigaltstack(&alternate, nullptr);
  uint64_t seen = 0;
  pthread_mutex_lock(&pool->lock);
  for (;;) {
    while (pool->generation == seen || number >= pool->wanted) {
      if (pool->generation != seen) seen = pool->generation;
      pthread_cond_wait(&pool->work, &pool->lock);
    }
    seen = pool->generation;
    pthread_mutex_unlock(&pool->lock);
    mine->switches = 0;
    run_share(*mine, pool->launch);
    pthread_mutex_lock(&pool->lock);
    if (mine->failure[0] && !pool->failure[0]) memcpy(pool->failure, mine->failure, sizeof pool->failure);
    pool->switches += mine->switches;
    if (--pool->running == 0) pthread_cond_broadcast(&pool->done);
  }
  return nullptr;
}

const char* check_limits(const pnsim_request& r) {
  static thread_local char text[256];
  const unsigned long long threads = 1ull * r.block[0] * r.block[1] * r.block[2];
  const unsigned block_limit[3] = {1024, 1024, 64}, grid_limit[3] = {2147483647u, 65535, 65535};
  for (int i = 0; i < 3; ++i) {
    if (r.block[i] < 1 || r.block[i] > block_limit[i]) {
      snprintf(text, sizeof text, "block.%c (=%u) must be between 1 and %u", "xyz"[i], r.block[i], block_limit[i]);
      return text;
    }
    if (r.grid[i] < 1 || r.grid[i] > grid_limit[i]) {
      snprintf(text, sizeof text, "grid.%c (=%u) must be between 1 and %u", "xyz"[i], r.grid[i], grid_limit[i]);
      return text;
    }
  }
  if (threads > MAX_THREADS) {
    snprintf(text, sizeof text, "block (%u, %u, %u) has %llu threads; the limit is 1024", r.block[0], r.block[1], r.block[2],
             threads);
    return text;
  }
  const unsigned long long cluster[3] = {r.cluster[0] ? r.cluster[0] : 1u, r.cluster[1] ? r.cluster[1] : 1u, r.cluster[2] ? r.cluster[2] : 1u};
  const unsigned long long ranks = cluster[0] * cluster[1] * cluster[2];
  for (int i = 0; i < 3; ++i) {
    if (r.grid[i] % cluster[i]) {
      snprintf(text, sizeof text, "grid.%c (=%u) must be a multiple of the cluster's %llu blocks", "xyz"[i], r.grid[i], cluster[i]);
      return text;
    }
  }
  if (ranks > MAX_CLUSTER) {
    snprintf(text, sizeof text, "a cluster of %llu blocks; the limit is %u", ranks, MAX_CLUSTER);
    return text;
  }
  if (ranks > 1 && (ranks * threads > MAX_THREADS || threads % 32)) {
    snprintf(text, sizeof text, "a cluster of %llu blocks of %llu threads: the simulator runs those of %u threads at most in all, whole warps in each block",
             ranks, threads, MAX_THREADS);
    return text;
  }
  if (r.shared > MAX_SHARED) {
    snprintf(text, sizeof text, "dynamic shared memory (=%u bytes) must be at most %u bytes", r.shared, MAX_SHARED);
    return text;
  }
  return nullptr;
}

}  // namespace

void check_cancel(void* pc) {
  const int request = cancel_requested;
  Worker* w = worker;
  if (!request || !w || !w->inside) return;
  if (request == 2) checker::hang(*w, *w->current(), pc);
  w->abort("the launch was stopped before its end");
}

}  // namespace pnsim

using namespace pnsim;

extern "C" const char* pnsim_start(const pnsim_request* request) {
  if (const char* wrong = check_limits(*request)) return wrong;
  if (!pool || pool->owner != getpid()) {  // after a fork the threads of the parent are gone
    pool = new Pool;
    pool->owner = getpid();
  }
  pthread_mutex_lock(&pool->lock);
  if (pool->running) {
    pthread_mutex_unlock(&pool->lock);
    return "another launch is still running";
  }
  Launch& l = pool->launch;
  l.entry = request->entry;
  l.args = request->args;
  l.args_bytes = request->args_bytes;
  l.params = request->params;
  l.param_bytes = request->param_bytes;
  memcpy(l.grid, request->grid, sizeof l.grid);
  memcpy(l.block, request->block, sizeof l.block);
  for (int i = 0; i < 3; ++i) l.cluster[i] = request->cluster[i] ? request->cluster[i] : 1;
  l.shared = request->shared;
  l.name = request->name;
  l.mode = Mode(request->mode);
  l.seed = request->seed;
  l.module = request->module;
  const long cores = sysconf(_SC_NPROCESSORS_ONLN);
  size_t workers = request->workers ? request->workers : size_t(cores < 1 ? 1 : cores);
  if (l.mode != PLAIN || l.blocks() * l.threads() < 4096) workers = 1;
  if (workers > l.clusters()) workers = l.clusters();
  if (workers > 64) workers = 64;
  for (; pool->made < workers; ++pool->made) {
    pthread_create(&pool->ids[pool->made], nullptr, work, reinterpret_cast<void*>(uintptr_t(pool->made)));
    pthread_detach(pool->ids[pool->made]);
  }
  pool->wanted = pool->running = unsigned(workers);
  pool->next = 0;
  pool->stop = false;
  pool->failure[0] = 0;
  pool->switches = 0;
  cancel_requested = 0;
  pool->anywhere = false;
  find_code(reinterpret_cast<const void*>(l.entry));
  catch_signals(true);
  ++pool->generation;
  pthread_cond_broadcast(&pool->work);
  pthread_mutex_unlock(&pool->lock);
  return nullptr;
}

extern "C" int pnsim_wait(unsigned milliseconds) {
  timespec until;
  clock_gettime(CLOCK_REALTIME, &until);
  until.tv_sec += milliseconds / 1000;
  until.tv_nsec += long(milliseconds % 1000) * 1000000;
  if (until.tv_nsec >= 1000000000) {
    until.tv_nsec -= 1000000000;
    ++until.tv_sec;
  }
  pthread_mutex_lock(&pool->lock);
  int rc = 0;
  while (pool->running && rc == 0) rc = pthread_cond_timedwait(&pool->done, &pool->lock, &until);
  const bool ended = pool->running == 0;
  pthread_mutex_unlock(&pool->lock);
  if (ended) catch_signals(false);
  return ended;
}

extern "C" void pnsim_cancel(int hang) {
  cancel_requested = hang ? 2 : 1;
  pool->stop = true;
  // Hooks notice the request by themselves, and know their line; code without any is interrupted. Half a second, so
  // that a machine with other work has let every thread come to a hook; then until a signal finds it in its own code,
  // and in the end wherever it is.
  for (int i = 0; i < 20; ++i)
    if (pnsim_wait(25)) return;
  for (int i = 0; i < 400; ++i) {
    if (i == 399) pool->anywhere = true;
    for (unsigned k = 0; k < pool->wanted; ++k) pthread_kill(pool->ids[k], CANCEL_SIGNAL);
    if (pnsim_wait(5)) return;
  }
}

extern "C" const char* pnsim_failure(void) { return pool && pool->failure[0] ? pool->failure : nullptr; }
extern "C" uint64_t pnsim_switches(void) { return pool ? pool->switches : 0; }
