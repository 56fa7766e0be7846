# Blocks of 64 threads for 32 elements: every element gets two threads, one for each result.

from numba import cuda


@cuda.jit
def two_roles(x, doubled, squared, n):
    # >>> your code: role (0 or 1) and element of this thread, such that a warp has one role.
    role = cuda.threadIdx.x // 32
    i = cuda.blockIdx.x * 32 + cuda.threadIdx.x % 32
    #: role, i = 0, n
    # <<<
    if i >= n:
        return
    if role == 0:
        doubled[i] = 2 * x[i]
    else:
        squared[i] = x[i] * x[i]
