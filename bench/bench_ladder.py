"""The CPU's ladder of matrix products, each rung against NumPy's OpenBLAS: ``python -m bench.bench_ladder``.

All rungs but the last have one thread, and so has the NumPy they are held against; the last has two, and so has its.
All of them write into one array for each size.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

from . import bench_matmul, harness

SIZES = (256, 512, 1024, 2048)
SLOWEST = 512
"""Side up to which the rungs without vectors take part: beyond, a call of the first takes seconds."""


def _contestants(n: int) -> list[harness.Contestant]:
    from pyneural.kernels.matmul.ladder_cpu import RUNGS

    one = {**bench_matmul.PLAIN, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    names = list(RUNGS) if n <= SLOWEST else list(RUNGS)[1:]
    rungs = [harness.Contestant(name, name, bench_matmul.PLAIN) for name in names]
    return [
        *rungs,
        harness.Contestant("NumPy, 1 thread", "numpy", one),
        harness.Contestant("NumPy, 2 threads", "numpy", bench_matmul.PLAIN),
    ]


def prepare(kind: str, options: dict[str, Any]) -> harness.Subject:
    from pyneural.kernels.matmul.ladder_cpu import RUNGS

    a, b = bench_matmul.operands(options)
    out, product = harness.shared_result((a.shape[0], b.shape[1])), np.matmul if kind == "numpy" else RUNGS[kind]

    def run() -> np.ndarray:
        product(a, b, out)
        return out

    return harness.Subject(run, np.asarray, (a, b), lambda result: result.fill(np.nan))


def describe(kind: str) -> dict[str, Any]:
    return bench_matmul.describe("numpy" if kind == "numpy" else "pyneural")


def main() -> None:
    seed = int(np.random.SeedSequence().generate_state(1)[0])
    reports = []
    for n in SIZES:
        case = harness.Case(f"{n} x {n} x {n}", 2.0 * n**3, {"shape": (n, n, n), "seed": seed})
        reports.append(
            harness.race(
                "bench.bench_ladder",
                _contestants(n),
                [case],
                bench_matmul.truth,
                threads=2,
                rounds=6,
                round_seconds=0.1,
            )
        )
        harness.show("the ladder", reports[-1], "parallel")
    print(harness.write("ladder", reports))


if __name__ == "__main__":
    if sys.argv[1:2] == ["--contestant"]:
        harness.serve(prepare, describe)
    else:
        main()
