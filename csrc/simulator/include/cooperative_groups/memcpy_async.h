#pragma once
#include "../pyneural_sim/groups.h"
