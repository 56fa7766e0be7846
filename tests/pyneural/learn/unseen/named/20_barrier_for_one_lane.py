# line 29: a barrier that only lane 31 comes to: it belongs behind the if
# words: barrier
# later: named at first sight
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
        total = x[row, i] if i < width else 0
        distance = 1
        while distance < 32:
            before = cuda.shfl_up_sync(0xFFFFFFFF, total, distance)
            if lane >= distance:
                total += before
            distance *= 2
        if lane == 31:
            part[warp] = total
            cuda.syncthreads()
        total += carry[0]
        for w in range(warp):
            total += part[w]
        if i < width:
            y[row, i] = total
        cuda.syncthreads()
        if cuda.threadIdx.x == BLOCK - 1:
            carry[0] = total
    # <<<
