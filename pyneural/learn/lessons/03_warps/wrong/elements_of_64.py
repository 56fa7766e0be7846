# says: line 19: squared[0] is never written; it must be ...; 32 of 150 elements are wrong (n = 150)
# look: cuda.threadIdx.x of the second warp is 32 to 63, its first element that of the block


from numba import cuda


@cuda.jit
def two_roles(x, doubled, squared, n):
    # >>> your code: role (0 or 1) and element of this thread, such that a warp has one role.
    role = cuda.threadIdx.x // 32
    i = cuda.blockIdx.x * 32 + cuda.threadIdx.x
    # <<<
    if i >= n:
        return
    if role == 0:
        doubled[i] = 2 * x[i]
    else:
        squared[i] = x[i] * x[i]
