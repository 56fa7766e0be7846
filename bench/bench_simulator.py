"""The CUDA simulator's speed against that of Numba's: `python -m bench.bench_simulator [--size 128]`.

Both run the same matrix product, in tiles of 16 x 16 in shared memory, on the same numbers, one after the other in one
run; each result is held against float64 before it is timed. Numba's takes most of a minute at the full size, and is run
once; of ours the best and the median of several launches are kept, plain and checked by the sanitizer. Processor time
is that of all cores together: a plain launch spreads over them, and what else the machine does is not in it.

Thread-instructions per second count what each thread must execute at the least, whatever the compiler: a multiply-add
for each product, and the loads and stores of global and shared memory. What else a GPU would issue (addresses, loops,
barriers) is left out.
"""

from __future__ import annotations

import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from . import harness

TILE = 16
GOALS = {"plain": 5000.0, "sanitize": 500.0}
"""How many times faster than Numba's simulator ours has to be."""

SOURCE = """
#define TILE 16
__global__ void matmul(const float* a, const float* b, float* c, int n) {
  __shared__ float sa[TILE][TILE];
  __shared__ float sb[TILE][TILE];
  const int tx = threadIdx.x, ty = threadIdx.y;
  const int row = blockIdx.y * TILE + ty, column = blockIdx.x * TILE + tx;
  float sum = 0;
  for (int tile = 0; tile < n / TILE; ++tile) {
    sa[ty][tx] = a[row * n + tile * TILE + tx];
    sb[ty][tx] = b[(tile * TILE + ty) * n + column];
    __syncthreads();
    for (int k = 0; k < TILE; ++k) sum += sa[ty][k] * sb[k][tx];
    __syncthreads();
  }
  c[row * n + column] = sum;
}
"""


def operands(size: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.standard_normal((size, size), np.float32), rng.standard_normal((size, size), np.float32)


def thread_instructions(size: int) -> int:
    """Multiply-adds, and the accesses of global and shared memory, of all threads."""
    products = size**3
    loads = 2 * size * size * (size // TILE)  # of global memory, each stored to shared memory
    return products + 2 * products + 2 * loads + size * size


def verified(name: str, result: np.ndarray, size: int, seed: int) -> float:
    a, b = operands(size, seed)
    error = harness.relative_error(result, a.astype(np.float64) @ b.astype(np.float64))
    if not error <= harness.TOLERANCE:
        raise ArithmeticError(f"{name}: error {error:.3g} is above {harness.TOLERANCE:.3g}")
    return error


cuda: Any = None  # numba.cuda and numba.float32, where Numba's side runs: its simulator replaces the global
float32: Any = None


def numba_matmul(a: Any, b: Any, c: Any, n: int) -> None:
    """The same kernel as `SOURCE`."""
    sa = cuda.shared.array((TILE, TILE), float32)
    sb = cuda.shared.array((TILE, TILE), float32)
    tx, ty = cuda.threadIdx.x, cuda.threadIdx.y
    row, column = cuda.blockIdx.y * TILE + ty, cuda.blockIdx.x * TILE + tx
    total = np.float32(0)
    for tile in range(n // TILE):
        sa[ty, tx] = a[row, tile * TILE + tx]
        sb[ty, tx] = b[tile * TILE + ty, column]
        cuda.syncthreads()
        for k in range(TILE):
            total += sa[ty, k] * sb[k, tx]
        cuda.syncthreads()
    c[row, column] = total


def numba_side(size: int, seed: int) -> None:
    """In a process of its own, which NUMBA_ENABLE_CUDASIM=1 gives Numba's simulator: prints the seconds as JSON."""
    global cuda, float32
    import numba
    import numba.cuda

    cuda, float32 = numba.cuda, numba.float32
    matmul = cuda.jit(numba_matmul)
    a, b = operands(size, seed)
    c = np.zeros((size, size), np.float32)
    start, before = time.perf_counter(), time.process_time()
    matmul[(size // TILE, size // TILE), (TILE, TILE)](a, b, c, size)
    seconds, processor = time.perf_counter() - start, time.process_time() - before
    error = verified("Numba's simulator", c, size, seed)
    print(json.dumps({"version": numba.__version__, "seconds": seconds, "processor": processor, "error": error}))


def numba_times(size: int, seed: int) -> dict[str, Any]:
    environment = {**os.environ, "NUMBA_ENABLE_CUDASIM": "1"}
    command = [sys.executable, "-W", "ignore", "-m", "bench.bench_simulator", "--size", str(size), "--numba", str(seed)]
    done = subprocess.run(command, env=environment, cwd=harness.ROOT, stdout=subprocess.PIPE, text=True, check=True)
    answer: dict[str, Any] = json.loads(done.stdout.strip().split("\n")[-1])
    return answer


def our_times(size: int, seed: int, rounds: int) -> dict[str, Any]:
    from pyneural import cuda as simulator

    kernel = simulator.compile(SOURCE, "simulator")["matmul"]
    a, b = operands(size, seed)
    c = np.zeros((size, size), np.float32)
    blocks = size // TILE

    def plain() -> None:
        kernel[(blocks, blocks), (TILE, TILE)](a, b, c, size)

    def checked() -> None:
        report = simulator.sanitize(kernel)[(blocks, blocks), (TILE, TILE)](a, b, c, size)
        if not report.ok:
            raise AssertionError(str(report))

    modes: dict[str, Callable[[], None]] = {"plain": plain, "sanitize": checked}
    times: dict[str, Any] = {}
    for name, launch in modes.items():
        c[:] = 0
        launch()  # compiles
        error = verified(f"simulator, {name}", c, size, seed)
        measured, processor = [], []
        for _ in range(rounds):
            start, before = time.perf_counter(), time.process_time()
            launch()
            measured.append(time.perf_counter() - start)
            processor.append(time.process_time() - before)
        verified(f"simulator, {name}", c, size, seed)
        times[name] = {
            "median": statistics.median(measured), "best": min(measured), "processor": statistics.median(processor),
            "launches": rounds, "error": error,
        }  # fmt: skip
    return times


def show(report: dict[str, Any]) -> None:
    size = report["size"]
    table = Table(title=f"{size} x {size} x {size} matrix product, tiles of {TILE} x {TILE}")
    for column in (
        "simulator",
        "median ms",
        "best ms",
        "processor ms",
        "times faster",
        "to be",
        "less processor",
        "instructions/s",
    ):
        table.add_column(column, justify="left" if column == "simulator" else "right")
    slow = report["numba"]["seconds"]
    rate = report["thread_instructions"] / slow
    processor = f"{1e3 * report['numba']['processor']:.0f}"
    table.add_row(f"Numba {report['numba']['version']}", f"{1e3 * slow:.0f}", "", processor, "", "", "", f"{rate:.3g}")
    for name, each in report["pyneural"].items():
        table.add_row(
            f"pyneural, {name}", f"{1e3 * each['median']:.2f}", f"{1e3 * each['best']:.2f}",
            f"{1e3 * each['processor']:.2f}", f"{each['faster']:.0f}", f"{GOALS[name]:.0f}",
            f"{each['less_processor']:.0f}", f"{each['thread_instructions_per_second']:.3g}",
        )  # fmt: skip
    Console(width=120).print(table)
    count = f"{report['thread_instructions']:,} thread-instructions"
    print(f"{count}: multiply-adds, and loads and stores of global and shared memory, of all threads")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=128, help=f"rows and columns, a multiple of {TILE}")
    parser.add_argument("--rounds", type=int, default=21, help="launches that are timed")
    parser.add_argument("--out", type=pathlib.Path, default=None, help="the result file")
    parser.add_argument("--numba", type=int, default=None, metavar="SEED", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.size < TILE or chosen.size % TILE:
        parser.error(f"--size (={chosen.size}) must be a positive multiple of {TILE}")
    if chosen.rounds < 1:
        parser.error(f"--rounds (={chosen.rounds}) must be at least 1")
    if chosen.numba is not None:
        numba_side(chosen.size, chosen.numba)
        return
    seed = int(np.random.SeedSequence().generate_state(1)[0])
    work = thread_instructions(chosen.size)
    report: dict[str, Any] = {"size": chosen.size, "seed": seed, "thread_instructions": work}
    report["pyneural"] = our_times(chosen.size, seed, chosen.rounds)
    report["numba"] = numba_times(chosen.size, seed)
    for each in report["pyneural"].values():
        each["faster"] = report["numba"]["seconds"] / each["median"]
        each["less_processor"] = report["numba"]["processor"] / each["processor"]
        each["thread_instructions_per_second"] = work / each["median"]
    show(report)
    path = chosen.out or harness.RESULTS / "simulator.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"machine": harness.machine(), **report}, indent=1) + "\n")
    print(path)


if __name__ == "__main__":
    main()
