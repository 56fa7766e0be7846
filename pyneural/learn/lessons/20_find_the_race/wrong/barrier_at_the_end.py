# says: line 41: race: thread 127 of block 0 writes shared carry[0], which thread 96 of the same block read (line 35) with no cuda.syncwarp() or cuda.syncthreads() between (2 rows of 600)
# look: what a thread that is already past this line may do, while another one is not there yet
# says: line 35: race: thread 0 of block 0 reads shared carry[0], which thread 127 of the same block wrote (line 41) with no cuda.syncthreads() between (2 rows of 600)
# look: what a thread that is already past this line may do, while another one is not there yet
# says: line 39: y[0, 128] is ..., not ...; 508 of 1200 elements are wrong (2 rows of 600); this one is the work of thread 0 of block 0, in its tile 1
# look: which element each thread computes, for the thread named


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
        if cuda.threadIdx.x == BLOCK - 1:
            carry[0] = total
        cuda.syncthreads()
    # <<<
