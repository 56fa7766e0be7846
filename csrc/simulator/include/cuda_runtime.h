// The simulator's cuda_runtime.h: what nvcc offers without any include.
#pragma once
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pyneural_sim/language.h"
#include "pyneural_sim/launch.h"
