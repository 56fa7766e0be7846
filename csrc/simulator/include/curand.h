// The simulator's curand.h: names only. Numbers are made in kernels, by curand_kernel.h; the host API is refused by name.
#pragma once
#include "cuda_runtime.h"

typedef enum { CURAND_STATUS_SUCCESS = 0 } curandStatus_t;
