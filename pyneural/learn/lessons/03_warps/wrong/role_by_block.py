# says: line 17: doubled[32] is never written; it must be ...; 64 of 150 elements are wrong (n = 150)
# look: every other block has nothing in doubled: both roles are in each block


from numba import cuda


@cuda.jit
def two_roles(x, doubled, squared, n):
    # >>> your code: role (0 or 1) and element of this thread, such that a warp has one role.
    role = cuda.blockIdx.x % 2
    i = cuda.blockIdx.x * 32 + cuda.threadIdx.x % 32
    # <<<
    if i >= n:
        return
    if role == 0:
        doubled[i] = 2 * x[i]
    else:
        squared[i] = x[i] * x[i]
