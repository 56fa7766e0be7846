# says: line 17: does not compile: error: an index must be whole numbers, not float64
# look: `/` gives a fraction, also of whole numbers: `//` rounds down: `i = cuda.blockIdx.x * 32 + (cuda.threadIdx.x - 32 * role) / 1` (line 12)


from numba import cuda


@cuda.jit
def two_roles(x, doubled, squared, n):
    # >>> your code: role (0 or 1) and element of this thread, such that a warp has one role.
    role = cuda.threadIdx.x // 32
    i = cuda.blockIdx.x * 32 + (cuda.threadIdx.x - 32 * role) / 1
    # <<<
    if i >= n:
        return
    if role == 0:
        doubled[i] = 2 * x[i]
    else:
        squared[i] = x[i] * x[i]
