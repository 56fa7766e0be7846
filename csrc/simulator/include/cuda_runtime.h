// The simulator's cuda_runtime.h: what nvcc offers without any include, and the runtime API.
#pragma once
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cstdio>

#include "pyneural_sim/atomics.h"
#include "pyneural_sim/language.h"
#include "pyneural_sim/launch.h"
#include "pyneural_sim/math.h"
#include "pyneural_sim/runtime_api.h"
#include "pyneural_sim/video.h"
#include "pyneural_sim/warp.h"

// A kernel's printf is one call of the simulator's, so that no signal interrupts the C library; in host code
// it is the C library's own.
#define printf(...) pnsim_printf(__VA_ARGS__)
namespace std {
using ::pnsim_printf;
}

#include "assert.h"
