"""Attention on CUDA beyond the contract's samples: each width of a block, on tensor cores and without, tiles of all
kinds, and what is never written."""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np
import pytest

from pyneural import cuda
from pyneural.kernels import OPERATIONS, Sample, accuracy, backend, cuda_launch, dtypes

pytestmark = pytest.mark.simulator

CUDA = backend("cuda")
FORWARD, BACKWARD = "scaled_dot_product_attention", "scaled_dot_product_attention_backward"
EACH_DTYPE = pytest.mark.parametrize("dtype", [*dtypes.HALVES, dtypes.float32], ids=str)


def _check(name: str, args: tuple[Any, ...], kwargs: dict[str, Any], schedule: int | None) -> None:
    with cuda_launch.sanitized(schedule) as reports:
        verdict = accuracy.compare(OPERATIONS[name], Sample(args, kwargs), CUDA)
    assert verdict.ok, verdict.message
    assert reports
    assert all(each.ok for each in reports), [str(each) for each in reports if not each.ok]


def _check_both(inputs: tuple[Any, ...], rng: np.random.Generator, schedule: int | None, **kwargs: Any) -> None:
    _check(FORWARD, inputs, kwargs, schedule)
    output, logsumexp = getattr(backend("reference"), FORWARD)(*inputs, **kwargs)
    grad = rng.standard_normal(output.shape).astype(output.dtype)
    query, key, value, *mask = inputs
    _check(BACKWARD, (grad, query, key, value, output, logsumexp, *mask), kwargs, schedule)


def _inputs(rng: np.random.Generator, dtype: Any, queries: int, keys: int, features: int, values: int) -> Any:
    shapes = (2, queries, features), (2, keys, features), (2, keys, values)
    return tuple(rng.standard_normal(shape).astype(dtype) for shape in shapes)


@EACH_DTYPE
@pytest.mark.parametrize(("features", "values"), [(16, 8), (64, 40), (24, 64), (128, 128), (121, 7), (136, 24)])
def test_each_width(dtype: Any, features: int, values: int, rng: np.random.Generator) -> None:
    """Features that are whole 16 bytes and not, up to and beyond what tensor cores take; several tiles."""
    _check_both(_inputs(rng, dtype, 70, 133, features, values), rng, 3)


@EACH_DTYPE
def test_tiles_that_need_no_mask(dtype: Any, rng: np.random.Generator) -> None:
    """Whole tiles, all below the diagonal but the last; and rows of zeros where a mask leaves no key."""
    inputs = _inputs(rng, dtype, 128, 128, 32, 32)
    _check_both(inputs, rng, None, is_causal=True)
    mask = rng.random((128, 128)) < 0.7
    mask[5] = mask[100] = False
    _check_both((*inputs, mask), rng, 11, is_causal=True, scale=0.5)


def test_rows_that_are_not_whole_vectors(rng: np.random.Generator) -> None:
    """Heads side by side, features reversed, and memory that begins anywhere."""
    half = dtypes.float16
    query, key, value = (rng.standard_normal((1, 65, 3, 16)).astype(half).transpose(0, 2, 1, 3) for _ in range(3))
    _check_both((query, key[..., ::-1], value), rng, 7)
    flat = rng.standard_normal(3 * 33 * 16 + 1).astype(half)[1:]
    _check_both(tuple(flat.reshape(3, 33, 16)), rng, None)


def test_scores_are_not_written(monkeypatch: pytest.MonkeyPatch, rng: np.random.Generator) -> None:
    """What is written is the results, nothing of the size of all scores; and shared memory has no bank conflicts."""
    module, totals = importlib.import_module("pyneural.kernels.attention.cuda"), []

    def launch(source: str, name: str, dtype: Any, grid: Any, block: Any, *arguments: Any) -> None:
        kernel = cuda_launch._kernel(source, name, dtype, "simulator")
        totals.append(cuda.profile(kernel)[grid, block](*arguments).total)

    monkeypatch.setattr(module, "launch", launch)
    for dtype in (dtypes.float16, dtypes.float32):
        query, key, value = _inputs(rng, dtype, 256, 256, 64, 64)
        totals.clear()
        output, logsumexp = np.empty(query.shape, dtype), np.empty(query.shape[:-1], dtypes.float32)
        getattr(CUDA, FORWARD)(query, key, value, out=(output, logsumexp))
        assert sum(each["global_store_bytes"] for each in totals) <= 1.1 * (output.nbytes + logsumexp.nbytes)
        totals.clear()
        # Not from the pool, whose arrays begin within a sector of the simulated memory.
        results = tuple(np.empty(each.shape, each.dtype) for each in (query, key, value))
        getattr(CUDA, BACKWARD)(output, query, key, value, output, logsumexp, out=results)
        written = sum(each.nbytes for each in results) + logsumexp.nbytes
        assert sum(each["global_store_bytes"] for each in totals) <= 1.15 * written
        for each in totals:
            assert each["shared_load_bank_conflict_ways"] <= 1.1
            assert each["shared_store_bank_conflict_ways"] <= 1.1
