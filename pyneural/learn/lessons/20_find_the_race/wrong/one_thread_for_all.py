# says: line 21: 98304 bytes move to and from global memory; 12288 would do (3 rows of 512)
# look: this line, which moves most of them


from numba import cuda, int32

BLOCK, WARPS = 128, 4


@cuda.jit
def running_sums(x, y, width):
    part = cuda.shared.array(WARPS, int32)  # the sum of each warp's elements
    carry = cuda.shared.array(1, int32)  # the sum of the tiles before this one
    lane, warp = cuda.threadIdx.x % 32, cuda.threadIdx.x // 32
    row = cuda.blockIdx.x
    # >>> mend this kernel.
    if cuda.threadIdx.x > 0:
        return
    total = 0
    for i in range(width):
        total += x[row, i]
        y[row, i] = total
    # <<<
