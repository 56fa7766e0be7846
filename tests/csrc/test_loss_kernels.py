"""The losses' and optimizers' CUDA kernels: every path that a size takes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pyneural import cuda, kernels
from pyneural.kernels import OPERATIONS, Sample, accuracy, cuda_launch, dtypes

pytestmark = pytest.mark.simulator

CUDA = kernels.backend("cuda")


def check(name: str, *args: Any, **attributes: Any) -> int:
    """Right and without a finding; how many kernels were launched."""
    with cuda_launch.sanitized(7) as reports:
        verdict = accuracy.compare(OPERATIONS[name], Sample(args, attributes), CUDA)
    assert verdict.ok, verdict.message
    assert all(each.ok for each in reports), "\n".join(map(str, reports))
    return len(reports)


SHAPES = [(9, 3), (70, 10), (33, 128), (5, 512), (4, 513), (3, 1000), (2, 8192), (3, 8193), (2, 30_001),
          (3, 21, 16, 16), (2, 300, 5, 7)]  # fmt: skip


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_cross_entropy_takes_every_kernel(shape: tuple[int, ...], rng: np.random.Generator) -> None:
    """A few lanes, a block, or "online" by rows and by columns, with and without smoothing, ignored targets."""
    dtype = dtypes.bfloat16 if shape[1] % 2 else dtypes.float32
    x = (rng.standard_normal(shape) * 3).astype(dtype)
    positions = shape[:1] + shape[2:]
    target = rng.integers(0, shape[1], positions)
    target.reshape(-1)[1::3] = -100
    weight = (rng.random(shape[1]) + 0.5).astype(dtype)
    grad = rng.standard_normal(positions).astype(dtype)
    for attributes in ({}, {"label_smoothing": 0.1}):
        check("cross_entropy", x, target, weight, **attributes)
        _, logsumexp = CUDA.cross_entropy(x, target)
        check("cross_entropy_backward", grad, x, target, logsumexp, weight, **attributes)
    for reduction in ("mean", "sum", "none"):
        check("nll_loss", x, target, weight, reduction=reduction)
        one = grad if reduction == "none" else grad.reshape(-1)[0]
        total = np.asarray(2.5, dtypes.accumulator(dtype))
        sizes = {"input_shape": shape, "reduction": reduction}
        check("nll_loss_backward", np.asarray(one), target, total, weight, **sizes)


@pytest.mark.parametrize("shape", [(3, 300), (2, 9_000), (2, 9_001), (2, 70, 4)], ids=str)
def test_masked_and_infinite_logits(shape: tuple[int, ...], rng: np.random.Generator) -> None:
    """Minus infinity has no probability, wherever it stands; a position of nothing else has none at all."""
    x = rng.standard_normal(shape).astype(np.float32)
    x[0, : shape[1] - 2] = -np.inf
    x[1, 1:3] = -np.inf
    target = np.full(shape[:1] + shape[2:], shape[1] - 1)
    check("cross_entropy", x, target)
    x[1] = -np.inf
    check("cross_entropy", x, target)
    x[1, 5] = np.inf
    check("cross_entropy", x, target)
    x[1, 5] = np.nan
    check("cross_entropy", x, target, label_smoothing=0.2)


def test_smoothing_of_a_large_offset(rng: np.random.Generator) -> None:
    """Logits near 1000: what smoothing sums is taken from the largest, not from zero."""
    for shape in ((2, 9_001), (2, 33, 4)):
        x = (rng.standard_normal(shape) + 1000).astype(np.float32)
        check("cross_entropy", x, np.zeros(shape[:1] + shape[2:], np.int64), label_smoothing=0.5)


@pytest.mark.parametrize("name", ["mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss"])
def test_totals_of_one_block_and_of_many(name: str, rng: np.random.Generator) -> None:
    for size, launches in ((0, 1), (1, 1), (8_191, 1), (100_003, 2)):
        x, target = rng.standard_normal((2, size)).astype(np.float32)
        assert check(name, x, target, reduction="mean") == launches
    x, target = rng.standard_normal((2, 1_002)).astype(np.float32)[:, 1:]  # not aligned to 16 bytes
    for reduction in ("sum", "none"):
        with cuda_launch.sanitized() as reports:
            result = getattr(CUDA, name)(x, target, reduction=reduction)
        assert all(each.ok for each in reports), "\n".join(map(str, reports))
        expected = getattr(kernels.backend("reference"), name)(x, target, reduction=reduction)
        np.testing.assert_allclose(result, expected, rtol=1e-5, atol=1e-6)
    check(f"{name}_backward", target, x, target[::-1], reduction="none")


def test_weights_across_the_end_of_rows(rng: np.random.Generator) -> None:
    """Rows of 6 are no multiple of an access: weights of columns are looked up element by element there."""
    name = "binary_cross_entropy_with_logits"
    for columns in (4, 6, 8, 31):
        x, target = rng.standard_normal((9, columns)).astype(np.float32), rng.random((9, columns)).astype(np.float32)
        rows, classes = rng.random((9, 1)).astype(np.float32), rng.random(columns).astype(np.float32)
        for weight, positive in ((rows, classes), (classes[::-1], None), (None, rows), (x * x, rows)):
            check(name, x, target, weight, positive, reduction="sum")
            check(f"{name}_backward", np.float32([2.0])[0:1].reshape(()), x, target, weight, positive, reduction="sum")


def test_losses_repeat(rng: np.random.Generator) -> None:
    """The same bits whatever the order of blocks."""
    x, target = rng.standard_normal((2, 60_000)).astype(np.float32)
    results = set()
    for schedule in (None, 3, 9):
        with cuda_launch.sanitized(schedule):
            results.add(CUDA.mse_loss(x, target, reduction="mean").tobytes())
    assert len(results) == 1


def _lists(rng: np.random.Generator, sizes: list[int], count: int) -> list[list[np.ndarray]]:
    return [[rng.random(n).astype(np.float32) + 0.1 for n in sizes] for _ in range(count)]


def test_optimizers_take_many_tensors_at_once(rng: np.random.Generator) -> None:
    """One launch for 64 parameters that are not empty, whole and partial chunks of them."""
    sizes = [int(n) for n in rng.integers(0, 60, 130)] + [4_096, 4_097, 8_191, 0, 1]
    launches = -(-sum(n > 0 for n in sizes) // 64)
    assert check("sgd_step", *_lists(rng, sizes, 2), (), lr=0.1) == launches
    assert check("sgd_step", *_lists(rng, sizes, 3), lr=0.1, momentum=0.9, nesterov=True) == launches
    assert check("adam_step", *_lists(rng, sizes, 4), lr=0.1, step=2) == launches
    assert check("rmsprop_step", *_lists(rng, sizes, 3), (), (), lr=0.1) == launches


def test_optimizers_take_unaligned_parameters(rng: np.random.Generator) -> None:
    ranges = ((1_001, 1), (64, 3), (5_000, 0))
    lists = [[rng.random(n + 3).astype(np.float32)[start:] for n, start in ranges] for _ in range(4)]
    expected = [[each.copy() for each in some] for some in lists]
    kernels.backend("reference").adam_step(*expected, lr=0.1, step=1)
    with cuda_launch.sanitized() as reports:
        CUDA.adam_step(*lists, lr=0.1, step=1)
    assert all(each.ok for each in reports), "\n".join(map(str, reports))
    for results, right in zip(lists, expected, strict=True):
        for a, b in zip(results, right, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


def test_a_struct_of_pointers() -> None:
    """Arrays whose addresses a struct holds are checked like others, and refused when they are none."""
    source = """
    struct Pair { float* to; const float* from; int n; };
    __global__ void add(Pair pair, int beyond) {
      if (threadIdx.x < pair.n + beyond) pair.to[threadIdx.x] += pair.from[threadIdx.x];
    }
    """
    kernel = cuda.compile(source, "simulator")["add"]
    record = np.zeros((), np.dtype([("to", "u8"), ("from", "u8"), ("n", "i4")], align=True))
    record["n"] = 5
    to, origin = np.ones(5, np.float32), np.arange(5, dtype=np.float32)
    pair = cuda.Struct(record[()], {0: to, 8: origin})
    kernel[1, 32](pair, 0)
    assert to.tolist() == [1, 2, 3, 4, 5]
    report = cuda.sanitize(kernel)[1, 32](pair, 1)
    assert {each.kind for each in report.findings} == {"out_of_bounds"}
    assert to.tolist() == [1, 3, 5, 7, 9]
    with pytest.raises(TypeError, match=r"add: .*pair takes contiguous NumPy arrays at byte 8"):
        kernel[1, 32](cuda.Struct(record[()], {0: to, 8: [1.0]}), 0)
    filled = pair.filled(lambda array: 17 if array is to else 19)
    assert filled["to"] == 17
    assert filled["from"] == 19
    assert filled["n"] == 5
