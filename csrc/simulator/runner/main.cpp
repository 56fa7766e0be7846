// Runs a whole program in a process of its own: `runner OPTIONS_FILE ARGUMENTS`. The options name the compiled
// program, its variables, and where the findings or counters go.
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <string>

#include "../runtime/module.h"
#include "../runtime/program.h"
#include "../runtime/profiler.h"
#include "../runtime/report.h"

namespace {

std::string output;
const char* image = nullptr;
int mode = 0;

// Runs at exit as well as at the end of main, whichever way the program goes.
void write_results() {
  fflush(stdout);
  if (output.empty()) return;
  if (FILE* f = fopen(output.c_str(), "w")) {
    fprintf(f, "{\"image\":%llu,\"findings\":%s,\"counters\":%s}", (unsigned long long)reinterpret_cast<uintptr_t>(image), pnsim_report(),
            pnsim_profile());
    fclose(f);
  }
}

}  // namespace

int main(int argc, char** argv) {
  FILE* f = argc > 1 ? fopen(argv[1], "r") : nullptr;
  if (!f) return fputs("runner: no options file\n", stderr), 125;
  std::string library, symbols;
  pnsim_program_options options = {};
  char line[8192];
  while (fgets(line, sizeof line, f)) {
    line[strcspn(line, "\n")] = 0;
    if (!strncmp(line, "library ", 8)) library = line + 8;
    else if (!strncmp(line, "output ", 7)) output = line + 7;
    else if (!strncmp(line, "mode ", 5)) options.mode = mode = atoi(line + 5);
    else if (!strncmp(line, "seed ", 5)) options.seed = strtoull(line + 5, nullptr, 10);
    else if (!strncmp(line, "timeout ", 8)) options.timeout = atof(line + 8);
    else if (!strncmp(line, "workers ", 8)) options.workers = unsigned(atoi(line + 8));
    else if (!strncmp(line, "symbol ", 7)) (symbols += line + 7) += '\n';
  }
  fclose(f);
  void* handle = dlopen(library.c_str(), RTLD_NOW | RTLD_GLOBAL);
  if (!handle) return fprintf(stderr, "runner: %s\n", dlerror()), 125;
  auto anchor = reinterpret_cast<void (*)(char**, const void**)>(dlsym(handle, "pnsim_anchor"));
  auto program = reinterpret_cast<int (*)(int, char**)>(dlsym(handle, "pnsim_program"));
  if (!anchor || !program) return fputs("runner: not a program\n", stderr), 125;
  options.module = pnsim_module_add(anchor, symbols.c_str());
  image = reinterpret_cast<const char*>(static_cast<const pnsim::Module*>(options.module)->image_base);
  pnsim_program_setup(&options);
  atexit(write_results);
  argv[1] = argv[0];
  return program(argc - 1, argv + 1);
}
