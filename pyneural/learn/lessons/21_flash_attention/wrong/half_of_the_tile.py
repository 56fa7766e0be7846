# says: line 57: uninitialized_read: thread 510 of block 0 reads shared kt[30, 0], which nothing has written (17 rows of q, 70 of k and v)
# look: a tile has 32 rows for 16 warps, and the last tile has rows past the end
# says: line 64: uninitialized_read: thread 31 of block 0 reads shared vt[16, 31], which nothing has written (17 rows of q, 70 of k and v)
# look: a tile has 32 rows for 16 warps, and the last tile has rows past the end
# says: line 68: o[...] is ..., not ...; ... of 544 elements are wrong (17 rows of q, 70 of k and v); this one is the work of ...
# look: which element each thread computes, for the thread named


import math

from numba import cuda, float32

D, TILE, WARPS, PADDED = 32, 32, 16, 33
ALL = 0xFFFFFFFF
LOWEST = -1e30  # below every score
SCALE = 1 / math.sqrt(D)


@cuda.jit(device=True)
def warp_max(x):
    distance = 16
    while distance > 0:
        x = max(x, cuda.shfl_xor_sync(ALL, x, distance))
        distance //= 2
    return x


@cuda.jit(device=True)
def warp_sum(x):
    distance = 16
    while distance > 0:
        x += cuda.shfl_xor_sync(ALL, x, distance)
        distance //= 2
    return x


@cuda.jit
def attention(q, k, v, o, m, n):
    kt = cuda.shared.array((TILE, PADDED), float32)
    vt = cuda.shared.array((TILE, D), float32)
    qt = cuda.shared.array((WARPS, D), float32)
    lane, warp = cuda.threadIdx.x % 32, cuda.threadIdx.x // 32
    row = cuda.blockIdx.x * WARPS + warp
    qt[warp, lane] = q[row, lane] if row < m else 0
    most, total = float32(LOWEST), float32(0)  # of the scores so far, as in lesson 15
    out = float32(0)  # so far, of column `lane` of o
    # >>> your code: for each tile of k and v: load, scores, weights, output so far.
    for first in range(0, n, TILE):
        cuda.syncthreads()
        t = warp
        if t < TILE:
            kt[t, lane] = k[first + t, lane] if first + t < n else 0
            vt[t, lane] = v[first + t, lane] if first + t < n else 0
        cuda.syncthreads()
        score = float32(0)
        for j in range(D):
            score += qt[warp, j] * kt[lane, j]
        score = score * float32(SCALE) if first + lane < n else float32(LOWEST)
        higher = max(most, warp_max(score))
        weight, fade = math.exp(score - higher), math.exp(most - higher)
        total = total * fade + warp_sum(weight)
        out *= fade
        for j in range(TILE):
            out += cuda.shfl_sync(ALL, weight, j) * vt[j, lane]
        most = higher
    # <<<
    if row < m:
        o[row, lane] = out / total
