# says: line 17: 64 memory instructions were issued; 32 do if each warp has one role: here warps go through both sides of the branch with half of their lanes
# look: docs/simulator.md, `memory_instructions`


from numba import cuda


@cuda.jit
def two_roles(x, doubled, squared, n):
    # >>> your code: role (0 or 1) and element of this thread, such that a warp has one role.
    role = cuda.threadIdx.x % 2
    i = cuda.blockIdx.x * 32 + cuda.threadIdx.x // 2
    # <<<
    if i >= n:
        return
    if role == 0:
        doubled[i] = 2 * x[i]
    else:
        squared[i] = x[i] * x[i]
