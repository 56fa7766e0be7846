"""The normalisations' CUDA kernels: every path that a size takes, arrays that 16-byte accesses cannot read."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from pyneural import kernels
from pyneural.kernels import OPERATIONS, Sample, accuracy, cuda_launch, dtypes

pytestmark = pytest.mark.simulator

CUDA = kernels.backend("cuda")
Check = Callable[..., None]


@pytest.fixture
def check(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """A call that must be right and without a finding, by a kernel whose name contains ``uses``."""
    launched: list[str] = []
    kernel_of = cuda_launch._kernel

    def noting(source: str, kernel: str, dtype: np.dtype[Any] | None, target: str) -> Any:
        launched.append(kernel)
        return kernel_of(source, kernel, dtype, target)

    monkeypatch.setattr(cuda_launch, "_kernel", noting)

    def run(name: str, *args: Any, uses: str, **attributes: Any) -> None:
        launched.clear()
        with cuda_launch.sanitized(7) as reports:
            verdict = accuracy.compare(OPERATIONS[name], Sample(args, attributes), CUDA)
        assert verdict.ok, verdict.message
        assert any(uses in each for each in launched), f"{uses} is none of {launched}"
        assert all(each.ok for each in reports), "\n".join(map(str, reports))

    return run


def normal(rng: np.random.Generator, shape: tuple[int, ...], dtype: np.dtype[Any], shift: int = 0) -> np.ndarray:
    """Not centred, and ``shift`` elements behind where memory begins."""
    size = int(np.prod(shape))
    memory = np.empty(size + shift, dtype)
    memory[shift:] = rng.standard_normal(size) + 0.7
    return memory[shift:].reshape(shape)


def sanitized(name: str, *args: Any, **attributes: Any) -> None:
    """The arrays as they lie in memory: without a finding, and near what the reference gives."""
    with cuda_launch.sanitized() as reports:
        results = getattr(CUDA, name)(*args, **attributes)
    assert all(each.ok for each in reports), "\n".join(map(str, reports))
    expected = getattr(kernels.backend("reference"), name)(*args, **attributes)
    for result, right in zip(results, expected, strict=True):
        unit = dtypes.epsilon(args[0].dtype)
        scale = max(float(np.abs(right).max()), 1.0)
        np.testing.assert_allclose(result.astype(float), right.astype(float), rtol=8 * unit, atol=8 * unit * scale)


LAYERS = [
    # rows, n, forward kernel, backward kernel of 16 elements a thread
    (5, 512, "_warp", "_warp"),
    (40, 127, "_warp", "_warp"),
    (5, 768, "_block", "_block"),
    (3, 1001, "_block", "_block"),
    (3, 8192, "_block", "_block"),
    (2, 12_288, "_large_block", "_long"),
    (3, 9_001, "_large_block", "_long"),
    (2, 16_388, "_long", "_long"),
    (2, 40_003, "_long", "_long"),
    (2, 40_008, "_long", "_long"),
]


@pytest.mark.parametrize(("rows", "n", "forward", "backward"), LAYERS)
def test_layer_norm_takes_every_kernel(
    rows: int, n: int, forward: str, backward: str, check: Check, rng: np.random.Generator
) -> None:
    dtype = dtypes.float16 if n % 8 else dtypes.float32
    x, grad = normal(rng, (rows, n), dtype), normal(rng, (rows, n), dtype)
    weight, bias = rng.standard_normal((2, n)).astype(dtype)
    check("layer_norm", x, weight, bias, normalized_shape=n, eps=1e-5, uses=forward)
    check("rms_norm", x, weight, normalized_shape=n, eps=1e-5, uses=forward)
    wide = x.astype(np.float64)
    mean, kept = wide.mean(-1), dtypes.accumulator(dtype)
    rstd, root = 1 / np.sqrt(wide.var(-1) + 1e-5), 1 / np.sqrt((wide**2).mean(-1) + 1e-5)
    check("layer_norm_backward", grad, x, weight, mean.astype(kept), rstd.astype(kept), uses=backward)
    check("rms_norm_backward", grad, x, weight, root.astype(kept), uses=backward)


@pytest.mark.parametrize("n", [256, 1024, 17_000])
def test_layer_norm_of_unaligned_rows(n: int, rng: np.random.Generator) -> None:
    """Each array in turn begins where 16 bytes cannot be read at once; parameters are wider than the rows."""
    for dtype in (dtypes.float32, dtypes.float16):
        for shifts in ((1, 0, 0), (0, 1, 0), (0, 0, 3)):
            x = normal(rng, (3, n), dtype, shifts[0])
            weight = normal(rng, (n,), dtypes.float32, shifts[1])
            grad = normal(rng, (3, n), dtype, shifts[2])
            sanitized("layer_norm", x, weight, None, normalized_shape=n)
            mean, rstd = x.astype(np.float32).mean(-1), 1 / np.sqrt(x.astype(np.float32).var(-1) + 1e-5)
            sanitized("layer_norm_backward", grad, x, weight, mean, rstd)


def test_narrow_statistics(check: Check, rng: np.random.Generator) -> None:
    """Statistics, and so the parameters' gradients, of the 16-bit rows' own dtype."""
    x, grad = (normal(rng, (6, 33), dtypes.float16) for _ in range(2))
    mean, rstd = x.mean(-1), (1 / x.std(-1)).astype(np.float16)
    check("layer_norm_backward", grad, x, x[0], mean, rstd, uses="parameters_final")
    check("batch_norm_train_backward", grad, x, x[0], x.mean(0), (1 / x.std(0)).astype(np.float16), uses="columns")
    groups = (x.reshape(6, 3, 11).mean(-1), (1 / x.reshape(6, 3, 11).std(-1)).astype(np.float16))
    check("group_norm_backward", grad, x, x[0], *groups, uses="held")


CHANNELS = [
    # shape, kernel of the sums, kernel that normalises
    ((700, 33), "columns", "columns"),
    ((2_100, 64), "columns", "columns"),
    ((300, 6, 3), "columns", "columns"),
    ((300, 5, 7, 7), "columns", "columns"),
    ((9, 5, 7, 7), "held", "columns"),
    ((50, 3, 8, 8), "held", "planes"),
    ((8, 3, 32, 32), "held", "planes"),
    ((1, 7, 3), "planes", "planes"),
    ((200, 2, 7, 8), "planes", "planes"),
    ((5, 3, 70, 66), "planes", "planes"),
    ((40, 2, 32, 32), "planes", "planes"),
    ((2, 2, 20_001), "planes", "planes"),
]


@pytest.mark.parametrize(("shape", "sums", "maps"), CHANNELS, ids=str)
def test_batch_norm_takes_every_walk(
    shape: tuple[int, ...], sums: str, maps: str, check: Check, rng: np.random.Generator
) -> None:
    dtype = dtypes.float32
    x, grad = normal(rng, shape, dtype), normal(rng, shape, dtype)
    weight, bias = rng.standard_normal((2, shape[1])).astype(dtype)
    axes = (0, *range(2, x.ndim))
    mean, variance = x.mean(axes), x.var(axes)
    check("batch_norm_train", x, weight, bias, uses="held" if sums == "held" else f"moments_{sums}")
    check("batch_norm_infer", x, weight, bias, mean, variance, eps=1e-5, uses=maps)
    rstd = 1 / np.sqrt(variance + dtype.type(1e-5))
    check("batch_norm_train_backward", grad, x, weight, mean, rstd, uses="held" if sums == "held" else f"sums_{sums}")


def test_batch_norm_far_from_zero(rng: np.random.Generator) -> None:
    """Mean 1000, deviation 1: sums of squares would lose the variance to rounding."""
    for shape in ((4_000, 8), (3, 4, 50, 51)):
        x = (rng.standard_normal(shape) + 1000).astype(np.float32)
        _, mean, rstd = CUDA.batch_norm_train(x, eps=0.0)
        axes = (0, *range(2, x.ndim))
        np.testing.assert_allclose(mean, x.mean(axes, dtype=np.float64), rtol=1e-6)
        np.testing.assert_allclose(rstd, 1 / x.std(axes, dtype=np.float64), rtol=2e-5)


GROUPS = [
    # shape, groups, kernel
    ((3, 8, 16, 16), 2, "held"),
    ((30, 6, 7, 7), 3, "held"),
    ((300, 12, 4), 3, "held"),
    ((2, 2048, 3), 1, "planes"),  # more channels than a block keeps parameters of
    ((2, 4, 70, 65), 2, "planes"),
    ((2, 3, 90, 92), 1, "planes"),
    ((40, 6, 16, 16), 6, "held"),
]


@pytest.mark.parametrize(("shape", "groups", "uses"), GROUPS, ids=str)
def test_group_norm_takes_every_kernel(
    shape: tuple[int, ...], groups: int, uses: str, check: Check, rng: np.random.Generator
) -> None:
    for dtype in (dtypes.float32, dtypes.float16):
        x, grad = normal(rng, shape, dtype), normal(rng, shape, dtype)
        weight, bias = rng.standard_normal((2, shape[1])).astype(dtype)
        check("group_norm", x, weight, bias, num_groups=groups, eps=1e-5, uses=uses)
        rows = x.astype(np.float64).reshape(shape[0], groups, -1)
        kept = dtypes.accumulator(dtype)
        mean, rstd = rows.mean(-1).astype(kept), (1 / np.sqrt(rows.var(-1) + 1e-5)).astype(kept)
        check("group_norm_backward", grad, x, weight, mean, rstd, uses=uses)


def test_gradients_repeat(rng: np.random.Generator) -> None:
    """The same bits at every launch: nothing is summed by atomics, whatever the order of blocks."""
    x, grad = normal(rng, (300, 320), dtypes.float32), normal(rng, (300, 320), dtypes.float32)
    mean, rstd = x.mean(-1), 1 / x.std(-1)
    results = []
    for schedule in (None, 3, 9):
        with cuda_launch.sanitized(schedule):
            results.append([each.tobytes() for each in CUDA.layer_norm_backward(grad, x, x[0], mean, rstd)])
    assert results[0] == results[1] == results[2]
