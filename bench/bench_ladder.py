"""The CPU's ladder of matrix products, each rung against NumPy's OpenBLAS: ``python -m bench.bench_ladder``.

All of them write into one array for each size.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

from . import bench_matmul, harness

SIZES = (256, 512, 1024, 2048)
SLOWEST = 512
"""Side up to which the first rung takes part: beyond, a call of it takes seconds."""


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
    from pyneural.kernels.matmul.ladder_cpu import RUNGS

    seed = int(np.random.SeedSequence().generate_state(1)[0])
    rungs = [harness.Contestant(name, name, bench_matmul.PLAIN) for name in RUNGS]
    rival = harness.Contestant("NumPy", "numpy", bench_matmul.PLAIN)
    cases = []
    for n in SIZES:
        names = tuple(each.name for each in (*(rungs[:-1] if n <= SLOWEST else rungs[1:-1]), rival))
        cases.append(
            harness.Case(f"{n} x {n} x {n}", 2.0 * n**3, {"shape": (n, n, n), "seed": seed}, contestants=names)
        )
    print(harness.write("ladder", harness.climb("bench.bench_ladder", rungs, rival, cases, bench_matmul.truth)))


if __name__ == "__main__":
    if sys.argv[1:2] == ["--contestant"]:
        harness.serve(prepare, describe)
    else:
        main()
