# says: line 22: nothing takes the value of cuda.shfl_down_sync
# look: a shuffle changes no variable: it only gives a value
# says: line 25: sums[0] is ..., not ...; 8 of 8 elements are wrong (8 rows of 32); this one is the work of lane 0 of warp 0 of block 0
# look: which element each thread computes, for the thread named


from numba import cuda


@cuda.jit
def row_sums(x, sums, height, width):
    lane = cuda.threadIdx.x % 32
    row = cuda.blockIdx.x * 4 + cuda.threadIdx.x // 32
    if row >= height:  # whole warps
        return
    # >>> your code: each lane a sum of its own, then the sum of the warp by shuffles; lane 0 stores it.
    total = 0
    for column in range(lane, width, 32):
        total += x[row, column]
    distance = 16
    while distance > 0:
        cuda.shfl_down_sync(0xFFFFFFFF, total, distance)
        distance //= 2
    if lane == 0:
        sums[row] = total
    # <<<
