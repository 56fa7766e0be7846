# says: line 22: 6144 times a warp comes to a barrier; 96 do: two barriers for a tile. One more than there was is enough, where it parts both pairs of accesses
# look: docs/simulator.md, `barriers`


from numba import cuda, int32

BLOCK, WARPS = 128, 4


@cuda.jit
def running_sums(x, y, width):
    part = cuda.shared.array(WARPS, int32)  # the sum of each warp's elements
    carry = cuda.shared.array(1, int32)  # the sum of the tiles before this one
    lane, warp = cuda.threadIdx.x % 32, cuda.threadIdx.x // 32
    row = cuda.blockIdx.x
    # >>> mend this kernel.
    if cuda.threadIdx.x == 0:
        carry[0] = 0
    for first in range(0, width, BLOCK):
        i = first + cuda.threadIdx.x
        for turn in range(BLOCK):
            cuda.syncthreads()
            if turn != cuda.threadIdx.x or i >= width:
                continue
            carry[0] += x[row, i]
            y[row, i] = carry[0]
    # <<<
