# line 10: the second warp begins at thread 32: >= and not >
# words: `>`

from numba import cuda


@cuda.jit
def two_roles(x, doubled, squared, n):
    # >>> your code: role (0 or 1) and element of this thread, such that a warp has one role.
    role = 1 if cuda.threadIdx.x > 32 else 0
    i = cuda.blockIdx.x * 32 + cuda.threadIdx.x % 32
    # <<<
    if i >= n:
        return
    if role == 0:
        doubled[i] = 2 * x[i]
    else:
        squared[i] = x[i] * x[i]
