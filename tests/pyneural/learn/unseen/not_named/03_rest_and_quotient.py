# line 10 or 11: // gives the warp and % the lane: the two are exchanged
# words: %
# later: not named at first sight
from numba import cuda


@cuda.jit
def two_roles(x, doubled, squared, n):
    # >>> your code: role (0 or 1) and element of this thread, such that a warp has one role.
    role = cuda.threadIdx.x % 32
    i = cuda.blockIdx.x * 32 + cuda.threadIdx.x // 32
    # <<<
    if i >= n:
        return
    if role == 0:
        doubled[i] = 2 * x[i]
    else:
        squared[i] = x[i] * x[i]
