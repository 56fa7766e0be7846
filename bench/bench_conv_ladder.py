"""The CPU's ladder of convolutions, each rung against PyTorch: ``python -m bench.bench_conv_ladder``.

PyTorch is at its best here: its allocator keeps memory, and its tensors are channels_last.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

from . import bench_conv, harness

SHAPES = [((8, 16, 34, 34), 32), ((8, 64, 34, 34), 64), ((8, 128, 18, 18), 128)]
"""x and output channels; filters of 3x3, no border."""

FIXED = {"kernel": 3, "stride": 1, "padding": 0, "groups": 1, "pass": "forward"}


def prepare(kind: str, options: dict[str, Any]) -> harness.Subject:
    if kind == "torch_channels_last":
        return bench_conv.prepare(kind, options)
    from pyneural.kernels.conv.ladder_cpu import RUNGS

    x, weight, grad = bench_conv.arrays(options)
    rung, out = RUNGS[kind], harness.shared_result(grad.shape)

    def run() -> np.ndarray:
        rung(x, weight, out)
        return out

    return harness.Subject(run, np.asarray, (x, weight), lambda result: result.fill(np.nan))


def describe(kind: str) -> dict[str, Any]:
    return bench_conv.describe(kind if kind == "torch_channels_last" else "pyneural")


def truth(options: dict[str, Any], inputs: tuple[np.ndarray, ...]) -> np.ndarray:
    x, weight = inputs[:2]
    return bench_conv.truth(options, (x, weight, x))


def main() -> None:
    from pyneural.kernels.conv.ladder_cpu import RUNGS

    seed = int(np.random.SeedSequence().generate_state(1)[0])
    cases = []
    for x, outs in SHAPES:
        work = 2.0 * x[0] * outs * (x[2] - 2) * (x[3] - 2) * x[1] * 9
        name = f"{'x'.join(map(str, x))} to {outs}"
        cases.append(harness.Case(name, work, {"x": x, "outs": outs, **FIXED, "seed": seed}))
    rungs = [harness.Contestant(name, name, {}) for name in RUNGS]
    rival = harness.Contestant("PyTorch", "torch_channels_last", bench_conv.TUNED)
    print(harness.write("conv_ladder", harness.climb("bench.bench_conv_ladder", rungs, rival, cases, truth)))


if __name__ == "__main__":
    if sys.argv[1:2] == ["--contestant"]:
        harness.serve(prepare, describe)
    else:
        main()
