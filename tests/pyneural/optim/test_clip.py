"""Gradient clipping against PyTorch's."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import pyneural
from pyneural import Tensor, nn, optim

pytestmark = pytest.mark.usefixtures("reference_device")


def _with_gradients(rng: np.random.Generator, dtype: str = "float64") -> list[Tensor]:
    params = []
    for shape in ((3, 4), (), (7,), (0, 2)):
        each = pyneural.zeros(shape, dtype=dtype, requires_grad=True)
        each.grad = Tensor(rng.standard_normal(shape), dtype=dtype)
        params.append(each)
    return [*params, Tensor([1.0], requires_grad=True)]  # one without a gradient


@pytest.mark.parametrize("norm_type", [2.0, 1.0, 3.5, math.inf])
@pytest.mark.parametrize("max_norm", [0.5, 1e3])
def test_norm_is_pytorch_s(norm_type: float, max_norm: float, rng: np.random.Generator):
    torch = pytest.importorskip("torch", reason="PyTorch is the oracle here and is not installed")
    ours = _with_gradients(rng)
    theirs = []
    for each in ours:
        twin = torch.nn.Parameter(torch.tensor(each.detach().numpy()))
        twin.grad = None if each.grad is None else torch.tensor(each.grad.numpy())
        theirs.append(twin)
    total = optim.clip_grad_norm_(ours, max_norm, norm_type)
    expected = torch.nn.utils.clip_grad_norm_([each for each in theirs if each.numel()], max_norm, norm_type)
    np.testing.assert_allclose(total.item(), expected.item(), rtol=1e-12)
    for each, twin in zip(ours[:3], theirs[:3], strict=True):
        np.testing.assert_allclose(each.grad.numpy(), twin.grad.numpy(), rtol=1e-12)


def test_norm_of_halves_is_taken_in_float32():
    param = pyneural.zeros(1000, dtype="float16", requires_grad=True)
    param.grad = pyneural.full((1000,), 100.0, dtype="float16")  # the sum of squares is beyond float16
    total = nn.utils.clip_grad_norm_(param, 1.0)
    np.testing.assert_allclose(total.item(), 100.0 * math.sqrt(1000), rtol=1e-6)
    assert param.grad.dtype == np.float16
    np.testing.assert_allclose(param.grad.numpy().astype(np.float64), 1.0 / math.sqrt(1000), rtol=1e-3)


def test_values_are_clipped(rng: np.random.Generator):
    params = _with_gradients(rng)
    before = [each.grad.numpy().copy() for each in params[:4]]
    versions = [each.grad._version[0] for each in params[:4]]
    optim.clip_grad_value_(params, 0.3)
    for each, old, version in zip(params, before, versions, strict=False):
        np.testing.assert_array_equal(each.grad.numpy(), np.clip(old, -0.3, 0.3))
        assert each.grad._version[0] > version


def test_nothing_to_clip():
    assert optim.clip_grad_norm_([Tensor([1.0], requires_grad=True)], 1.0).item() == 0.0


def _infinite() -> None:
    param = Tensor([1.0], requires_grad=True)
    param.grad = Tensor([math.inf])
    optim.clip_grad_norm_([param], 1.0, error_if_nonfinite=True)


_WRONG: list[tuple[Callable[[], Any], type[Exception], str]] = [
    (lambda: optim.clip_grad_norm_([], -1.0), ValueError, "clip_grad_norm_: max_norm (=-1.0) must be at least 0.0"),
    (lambda: optim.clip_grad_norm_([], 1.0, 0.0), ValueError, "clip_grad_norm_: norm_type (=0.0) must be above 0"),
    (lambda: optim.clip_grad_norm_([3.0], 1.0), TypeError, "parameters[0] must be a tensor, not float"),
    (_infinite, RuntimeError, "clip_grad_norm_: the norm (=inf) of 1 gradients is not finite"),
    (lambda: optim.clip_grad_value_([], "x"), TypeError, "clip_grad_value_: clip_value must be a number, not 'x'"),
]


@pytest.mark.parametrize(("call", "exception", "message"), _WRONG, ids=[each[2][:60] for each in _WRONG])
def test_wrong_call_is_refused(call: Callable[[], Any], exception: type[Exception], message: str):
    with pytest.raises(exception, match=re.escape(message)):
        call()
