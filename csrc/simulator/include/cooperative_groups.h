// The simulator's cooperative_groups.h; the headers below cooperative_groups/ are part of it.
#pragma once
#include "pyneural_sim/groups.h"
