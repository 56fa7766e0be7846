"""The shortest way through everything: each stage by itself, so that the first one that fails is named."""

from __future__ import annotations

import sys
from collections.abc import Callable

import numpy as np

from .run import Findings, stages


def memory() -> None:
    import pyneural

    x = np.arange(1000, dtype=np.float32)
    there = pyneural.Tensor(x, device="cuda")
    np.testing.assert_array_equal(there.cpu().numpy(), x)


def compile_and_launch() -> None:
    import cupy

    from pyneural import cuda

    source = "__global__ void twice(const float* x, float* y) { y[threadIdx.x] = 2 * x[threadIdx.x]; }"
    x, y = cupy.asarray(np.arange(32, dtype=np.float32)), cupy.asarray(np.zeros(32, np.float32))
    cuda.compile(source, "gpu")["twice"][1, 32](x, y)
    np.testing.assert_array_equal(y.get(), 2 * np.arange(32, dtype=np.float32))


def own_kernels() -> None:
    import pyneural

    rng = np.random.default_rng(0)
    a, b = rng.standard_normal((70, 90)).astype(np.float32), rng.standard_normal((90, 33)).astype(np.float32)
    there, beside = (pyneural.Tensor(each, device="cuda") for each in (a, b))
    np.testing.assert_allclose((there @ beside).cpu().numpy(), a @ b, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose((there + 1.0).cpu().numpy(), a + 1.0)


def tensor_cores() -> None:
    import pyneural

    rng = np.random.default_rng(0)
    a, b = rng.standard_normal((256, 256)).astype(np.float32), rng.standard_normal((256, 256)).astype(np.float32)
    for dtype in (pyneural.float16, pyneural.bfloat16):
        there, beside = (pyneural.Tensor(each, dtype=dtype, device="cuda") for each in (a, b))
        found = (there @ beside).cpu().numpy().astype(np.float32)
        rounded = [each.astype(dtype).astype(np.float32) for each in (a, b)]
        np.testing.assert_allclose(found, rounded[0] @ rounded[1], rtol=2e-2, atol=2e-1)


def gradient() -> None:
    import pyneural

    x = pyneural.Tensor([1.0, 2.0, 3.0], device="cuda", requires_grad=True)
    (x * x).sum().backward()
    assert x.grad is not None
    assert x.grad.tolist() == [2.0, 4.0, 6.0]


STAGES: tuple[Callable[[], None], ...] = (memory, compile_and_launch, own_kernels, tensor_cores, gradient)


def main() -> int:
    return stages(STAGES, Findings())


if __name__ == "__main__":
    sys.exit(main())
