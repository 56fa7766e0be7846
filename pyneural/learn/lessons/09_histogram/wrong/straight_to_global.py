# says: line 15: 120 atomic instructions go to global memory; 6 do if each block counts in shared memory first
# look: docs/simulator.md, `atomic_global_requests`


from numba import cuda, int32

BINS = 64


@cuda.jit
def histogram(x, counts, n):
    mine = cuda.shared.array(BINS, int32)  # of this block
    # >>> your code: clear, count in shared memory, add to counts.
    for i in range(cuda.grid(1), n, cuda.gridsize(1)):
        cuda.atomic.add(counts, x[i], 1)
    # <<<
