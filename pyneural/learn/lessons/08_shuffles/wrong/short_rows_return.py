# says: line 24: invalid_warp_sync: thread 0 of block 0 names 25 lanes (7 to 31) in mask 0xffffffff, which has returned and has no value to give (1 rows of 7)
# look: the branch or loop around the shuffle: all 32 lanes that the mask names must come
# says: line 27: sums[0] is ..., not ...; 1 of 1 elements are wrong (1 rows of 7); this one is the work of lane 0 of warp 0 of block 0
# look: which element each thread computes, for the thread named


from numba import cuda


@cuda.jit
def row_sums(x, sums, height, width):
    lane = cuda.threadIdx.x % 32
    row = cuda.blockIdx.x * 4 + cuda.threadIdx.x // 32
    if row >= height:  # whole warps
        return
    # >>> your code: each lane a sum of its own, then the sum of the warp by shuffles; lane 0 stores it.
    if lane >= width:
        return
    total = 0
    for column in range(lane, width, 32):
        total += x[row, column]
    distance = 16
    while distance > 0:
        total += cuda.shfl_down_sync(0xFFFFFFFF, total, distance)
        distance //= 2
    if lane == 0:
        sums[row] = total
    # <<<
