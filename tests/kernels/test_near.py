"""Arrays so large that kernels fetch their elements ahead: results as of their parts, which are not."""

from __future__ import annotations

import inspect

import numpy as np
import pytest

from pyneural.kernels import OPERATIONS, near
from pyneural.kernels.backend import backend
from pyneural.kernels.contract import Operation

SIZE = near.FAR + 1039
"""Elements: no multiple of `near.NEAR`, the last part shorter than it."""


def _arrays(operation: Operation) -> int:
    """How many arrays it takes and nothing else; 0 where it must have more, or takes no floating numbers."""
    needed = [each for each in operation.signature.parameters.values() if each.default is inspect.Parameter.empty]
    sample = np.ones((2, 2), np.float32)
    try:
        operation.check(*[sample] * len(needed))
    except (TypeError, ValueError):
        return 0
    return len(needed)


ELEMENTWISE = {
    name: _arrays(operation)
    for name, operation in OPERATIONS.items()
    if operation.family in ("elementwise", "activation") and 1 <= _arrays(operation) <= 2
}


def test_most_operations_are_tried() -> None:
    assert {"exp", "gelu", "gelu_backward", "add", "where"} - set(ELEMENTWISE) == {"where"}
    assert len(ELEMENTWISE) > 40


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_elements_of_a_large_array(name: str, rng: np.random.Generator) -> None:
    """The same bits as of two halves."""
    arrays = [rng.uniform(0.1, 0.9, SIZE).astype(np.float32) for _ in range(ELEMENTWISE[name])]
    kernel = getattr(backend("numba_cpu"), name)
    assert SIZE // 2 + 1 < near.FAR
    parts = [kernel(*(each[half] for each in arrays)) for half in (slice(SIZE // 2), slice(SIZE // 2, None))]
    np.testing.assert_array_equal(kernel(*arrays), np.concatenate(parts))


@pytest.mark.parametrize("length", [7, 1000])
def test_an_operand_that_repeats(length: int, rng: np.random.Generator) -> None:
    """Each row as by itself, whichever operand has one alone."""
    rows = SIZE // length + 1
    x, row = rng.standard_normal((rows, length)).astype(np.float32), rng.standard_normal(length).astype(np.float32)
    sub = backend("numba_cpu").sub
    np.testing.assert_array_equal(sub(x, row), np.stack([sub(each, row) for each in x]))
    np.testing.assert_array_equal(sub(row, x), np.stack([sub(row, each) for each in x]))


@pytest.mark.parametrize("length", [97, 1000])
@pytest.mark.parametrize("name", ["softmax", "log_softmax", "layer_norm", "sum"])
def test_rows_of_a_large_array(name: str, length: int, rng: np.random.Generator) -> None:
    """Each row as by itself; sums over columns, where the next rows are fetched, as of half of them."""
    rows = SIZE // length + 1
    x = rng.standard_normal((rows, length)).astype(np.float32)
    one = backend("numba_cpu")
    if name == "sum":
        whole, some = one.sum(x, dim=0), one.sum(np.ascontiguousarray(x[:, : length // 2]), dim=0)
        np.testing.assert_array_equal(whole[: length // 2], some)
        return
    if name == "layer_norm":
        weight, bias = rng.standard_normal((2, length)).astype(np.float32)

        def call(part: np.ndarray) -> np.ndarray:
            result = one.layer_norm(part, weight, bias, normalized_shape=(length,), eps=1e-5)
            return result[0] if isinstance(result, tuple) else result
    else:

        def call(part: np.ndarray) -> np.ndarray:
            return getattr(one, name)(part, dim=1)

    halves = [call(np.ascontiguousarray(part)) for part in (x[: rows // 2], x[rows // 2 :])]
    np.testing.assert_allclose(call(x), np.concatenate(halves), rtol=2e-6, atol=1e-6)


@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_a_large_step_of_adam(kind: type, rng: np.random.Generator) -> None:
    """As of one parameter for each part."""
    start = [rng.uniform(0.1, 0.9, SIZE).astype(kind) for _ in range(4)]
    options = {"step": 3, "lr": 0.1, "weight_decay": 0.01}
    whole, parts = [[each.copy()] for each in start], [np.array_split(each.copy(), 5) for each in start]
    backend("numba_cpu").adam_step(*whole, **options)
    backend("numba_cpu").adam_step(*parts, **options)
    for one, many in zip(whole, parts, strict=True):
        np.testing.assert_array_equal(one[0], np.concatenate(many))
