"""float32 matrix products against NumPy's OpenBLAS and PyTorch: ``python -m bench.bench_matmul``.

OpenBLAS runs with ``OPENBLAS_CORETYPE`` and ``OPENBLAS_L2_SIZE`` unset, so that it chooses its kernel for
this processor; the result names the kernel.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

from . import harness

PLAIN: dict[str, str | None] = {"OPENBLAS_CORETYPE": None, "OPENBLAS_L2_SIZE": None}
CONTESTANTS = (
    harness.Contestant("pyneural", "pyneural", PLAIN),
    harness.Contestant("NumPy", "numpy", PLAIN),
    harness.Contestant("PyTorch", "torch", PLAIN),
)
SHAPES = [(n, n, n) for n in (256, 512, 1024, 2048)] + [(128, 784, 512), (64, 10, 128)]


def operands(options: dict[str, Any]) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(options["seed"])
    m, k, n = options["shape"]
    return rng.standard_normal((m, k), np.float32), rng.standard_normal((k, n), np.float32)


def prepare(kind: str, options: dict[str, Any]) -> harness.Subject:
    a, b = operands(options)
    if kind == "torch":
        import torch

        torch_a, torch_b = torch.from_numpy(a), torch.from_numpy(b)
        return harness.Subject(lambda: torch.matmul(torch_a, torch_b), lambda result: result.numpy(), (a, b))
    if kind == "numpy":
        return harness.Subject(lambda: np.matmul(a, b), np.asarray, (a, b))
    from pyneural import kernels

    backend = kernels.backend("numba_cpu")
    return harness.Subject(lambda: backend.matmul(a, b), np.asarray, (a, b))


def describe(kind: str) -> dict[str, Any]:
    if kind == "torch":
        return harness.versions("torch")
    if kind == "numpy":
        import threadpoolctl  # type: ignore[import-untyped]

        np.ones((64, 64), np.float32) @ np.ones((64, 64), np.float32)
        found = [each for each in threadpoolctl.threadpool_info() if each["user_api"] == "blas"]
        return {**harness.versions("numpy"), "blas": [f"{e['internal_api']} {e['architecture']}" for e in found]}
    from pyneural.kernels import simd

    return {**harness.versions("numba", "llvmlite"), "simd": simd.CHOSEN.name}


def truth(options: dict[str, Any], inputs: tuple[np.ndarray, ...]) -> np.ndarray:
    from pyneural.kernels.matmul import reference

    product: np.ndarray = reference.matmul(*inputs)
    return product


def main() -> None:
    seed = int(np.random.SeedSequence().generate_state(1)[0])
    cases = [
        harness.Case(f"{m} x {k} x {n}", 2.0 * m * k * n, {"shape": (m, k, n), "seed": seed}) for m, k, n in SHAPES
    ]
    reports = []
    for threads in (2, 1):
        report = harness.race(
            "bench.bench_matmul", CONTESTANTS, cases, truth, threads=threads, rounds=8, round_seconds=0.1
        )
        harness.show("matmul, float32", report, "pyneural")
        reports.append(report)
    print(harness.write("matmul", reports))


if __name__ == "__main__":
    if sys.argv[1:2] == ["--contestant"]:
        harness.serve(prepare, describe)
    else:
        main()
