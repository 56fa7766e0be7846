# says: line 27: out_of_bounds: thread (11, 1) of block 1 reads global x[2, 0, 0], 4 bytes past the end of its 70 elements (2 channels of 5 by 7, 3 filters)
# look: the image's four edges, the last pixel, and the last row of the columns: all need a guard
# says: line 34: y[...] is ..., not ...; ... of 105 elements are wrong (2 channels of 5 by 7, 3 filters)
# look: which element each thread computes, for the thread named


from numba import cuda, float32

SIDE = 16


@cuda.jit
def conv(x, f, y, channels, height, width, filters):
    at = cuda.shared.array((SIDE, SIDE), float32)
    bt = cuda.shared.array((SIDE, SIDE), float32)
    tx, ty = cuda.threadIdx.x, cuda.threadIdx.y
    pixel, one = cuda.grid(2)  # and one of the filters
    pixels, k = height * width, 9 * channels
    total = float32(0)
    for first in range(0, k, SIDE):
        p = first + tx
        at[ty, tx] = f[one, p // 9, p % 9 // 3, p % 3] if one < filters and p < k else 0
        # >>> your code: bt[ty, tx] is what row first + ty of the columns has for this pixel.
        place = first + ty
        channel, row, column = place // 9, pixel // width + place % 9 // 3 - 1, pixel % width + place % 3 - 1
        inside = place < k and pixel < pixels and row >= 0 and row < height
        bt[ty, tx] = x[channel, row, column] if inside else 0
        # <<<
        cuda.syncthreads()
        for j in range(SIDE):
            total += at[ty, j] * bt[j, tx]
        cuda.syncthreads()
    if one < filters and pixel < pixels:
        y[one, pixel // width, pixel % width] = total
