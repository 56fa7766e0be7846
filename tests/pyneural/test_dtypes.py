"""The dtype of results, by PyTorch's table: every pair of dtypes, tensors, 0-d tensors and numbers."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

import pyneural
from pyneural import Tensor
from pyneural import functional as F
from pyneural.kernels import dtypes

torch = pytest.importorskip("torch", reason="the table of dtypes comes from PyTorch")


def in_torch(dtype: np.dtype[Any]) -> Any:
    return getattr(torch, dtype.name)


def ours(dtype: np.dtype[Any], shape: tuple[int, ...]) -> Tensor:
    return pyneural.ones(shape, dtype=dtype, device="reference")


def theirs(dtype: np.dtype[Any], shape: tuple[int, ...]) -> Any:
    return torch.ones(shape, dtype=in_torch(dtype))


@pytest.mark.parametrize("shapes", list(itertools.product([(), (2,)], repeat=2)), ids=str)
def test_promotion_of_two_tensors(shapes: tuple[tuple[int, ...], tuple[int, ...]]) -> None:
    for a, b in itertools.product(dtypes.ALL, repeat=2):
        if a == b == dtypes.bool_:
            continue
        mine = (ours(a, shapes[0]) * ours(b, shapes[1])).dtype
        assert in_torch(mine) == (theirs(a, shapes[0]) * theirs(b, shapes[1])).dtype, f"{a} and {b}: {mine}"


@pytest.mark.parametrize("number", [True, 2, 0.5])
@pytest.mark.parametrize("shape", [(), (2,)], ids=str)
def test_promotion_with_a_number(number: Any, shape: tuple[int, ...]) -> None:
    for dtype in dtypes.ALL:
        if dtype == dtypes.bool_ and number is True:
            continue
        mine = (ours(dtype, shape) * number).dtype
        assert in_torch(mine) == (theirs(dtype, shape) * number).dtype, f"{dtype} and {number}: {mine}"
        assert (number * ours(dtype, shape)).dtype == mine


def test_arithmetic_of_two_bools_is_refused() -> None:
    yes = Tensor([True], device="reference")
    for function in (F.add, F.sub, F.mul):
        with pytest.raises(TypeError, match=f"{function.__name__}: a and b must have a number dtype, not bool"):
            function(yes, yes)


def test_promotion_is_symmetric() -> None:
    for a, b in itertools.product(dtypes.ALL, repeat=2):
        assert dtypes.promote(a, b) == dtypes.promote(b, a)
        assert in_torch(dtypes.promote(a, b)) == torch.promote_types(in_torch(a), in_torch(b))


@pytest.mark.parametrize("name", ["exp", "sqrt", "sum", "mean", "amax", "argmax", "neg", "abs", "sign"])
def test_dtype_of_results(name: str) -> None:
    for dtype in dtypes.ALL:
        if dtype == dtypes.bool_ and name in ("abs", "sign", "amax", "argmax"):
            continue  # PyTorch takes some of these for bools and pyneural others
        try:
            expected = getattr(torch, name)(theirs(dtype, (3,))).dtype
        except RuntimeError:
            with pytest.raises((TypeError, RuntimeError), match=name):
                getattr(F, name)(ours(dtype, (3,)))
            continue
        assert in_torch(getattr(F, name)(ours(dtype, (3,))).dtype) == expected, f"{name} of {dtype}"


def test_division_of_integers() -> None:
    quotient = Tensor([7, -7]) / Tensor([2, 2])
    assert quotient.dtype == pyneural.float32
    assert quotient.tolist() == [3.5, -3.5]
    before = pyneural.get_default_dtype()
    try:
        pyneural.set_default_dtype("float64")
        assert (Tensor([7]) / 2).dtype == pyneural.float64
        assert Tensor([1.0]).dtype == pyneural.float64
    finally:
        pyneural.set_default_dtype(before)
    with pytest.raises(TypeError, match="set_default_dtype: int32 is not a floating dtype"):
        pyneural.set_default_dtype("int32")


def test_the_default_dtype_of_data() -> None:
    assert Tensor([1.0, 2.0]).dtype == pyneural.float32
    assert Tensor(1).dtype == pyneural.int64
    assert Tensor([True]).dtype == pyneural.bool_
    assert Tensor(np.array([1.0])).dtype == pyneural.float64
    assert Tensor(np.float64(1.0)).dtype == pyneural.float64
    assert Tensor(np.array([1], np.int16)).dtype == pyneural.int16
    assert Tensor([Tensor(1.5), Tensor(2.5)]).tolist() == [1.5, 2.5]


@pytest.mark.parametrize("dtype", dtypes.FLOATS, ids=str)
def test_gradients_have_the_dtype_of_their_tensor(dtype: np.dtype[Any]) -> None:
    """Through a cast the gradient comes back in the source's dtype."""
    x = Tensor([1.5, -2.0], dtype=dtype, device="reference", requires_grad=True)
    y = Tensor([2.0, 4.0], dtype="float64", device="reference", requires_grad=True)
    (x * y).sum().backward()
    assert x.grad.dtype == dtype
    assert y.grad.dtype == pyneural.float64
    assert x.grad.tolist() == [2.0, 4.0]


def test_casts_between_all_dtypes(rng: np.random.Generator) -> None:
    source = torch.from_numpy(rng.integers(0, 100, 7).astype(np.float64) + 0.25)
    for a, b in itertools.product(dtypes.ALL, repeat=2):
        mine = Tensor(source.numpy(), dtype=a, device="reference").to(b)
        expected = source.to(in_torch(a)).to(in_torch(b))
        assert in_torch(mine.dtype) == expected.dtype
        assert mine.tolist() == expected.tolist(), f"{a} to {b}"
