"""What the Python layer costs: tiny operations against PyTorch, on one thread: ``python -m bench.bench_overhead``."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

from . import harness

CONTESTANTS = (
    harness.Contestant("pyneural", "pyneural", {}),
    harness.Contestant("PyTorch", "torch", {}),
)
CASES = {
    "add": "add of 10 elements",
    "add_grad": "add of 10 elements, recorded",
    "matmul": "matmul of 10 x 10",
    "linear": "linear 10 to 10, batch 10, recorded",
    "backward": "add, sum and backward of 10 elements",
}


def operands(options: dict[str, Any]) -> tuple[np.ndarray, ...]:
    rng = np.random.default_rng(options["seed"])
    return tuple(rng.standard_normal(shape, np.float32) for shape in ((10,), (10,), (10, 10), (10, 10)))


def prepare(kind: str, options: dict[str, Any]) -> harness.Subject:
    arrays = operands(options)
    library: Any
    if kind == "torch":
        import torch as library

        linear = library.nn.functional.linear
        a, b, m, w = (library.from_numpy(each) for each in arrays)
    else:
        import pyneural as library

        linear = library.linear
        a, b, m, w = (library.from_numpy(each) for each in arrays)
    x = library.from_numpy(arrays[0]).requires_grad_()
    weight = library.from_numpy(arrays[3]).requires_grad_()

    def backward() -> Any:
        x.grad = None
        (x + b).sum().backward()
        return x.grad

    runs = {
        "add": lambda: a + b,
        "add_grad": lambda: x + b,
        "matmul": lambda: m @ w,
        "linear": lambda: linear(m, weight),
        "backward": backward,
    }
    return harness.Subject(runs[options["case"]], lambda result: result.detach().numpy(), arrays)


def describe(kind: str) -> dict[str, Any]:
    return harness.versions("torch" if kind == "torch" else "numba")


def truth(options: dict[str, Any], inputs: tuple[np.ndarray, ...]) -> np.ndarray:
    a, b, m, w = inputs
    results = {"add": a + b, "add_grad": a + b, "matmul": m @ w, "linear": m @ w.T, "backward": np.ones(10)}
    return results[options["case"]]


def main() -> None:
    seed = int(np.random.SeedSequence().generate_state(1)[0])
    cases = [harness.Case(name, 0.0, {"case": case, "seed": seed}) for case, name in CASES.items()]
    report = harness.race("bench.bench_overhead", CONTESTANTS, cases, truth, threads=1, rounds=10, round_seconds=0.05)
    harness.show("overhead", report, "pyneural")
    print(harness.write("overhead", [report]))


if __name__ == "__main__":
    if sys.argv[1:2] == ["--contestant"]:
        harness.serve(prepare, describe, lambda kind: 0)  # as few inputs as can be: not memory is measured
    else:
        main()
