"""Wrong calls of optimizers are refused, with the offending values in the message."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import pyneural
from pyneural import Tensor, nn, optim

pytestmark = pytest.mark.usefixtures("reference_device")


def _one() -> list[Tensor]:
    return [Tensor([1.0], requires_grad=True)]


def _stepped() -> optim.Adam:
    a = Tensor([1.0, 2.0], requires_grad=True)
    a.grad = Tensor([1.0, 1.0])
    optimizer = optim.Adam([a])
    optimizer.step()
    return optimizer


def _changed_later() -> None:
    optimizer = _stepped()
    optimizer.param_groups[0]["lr"] = -3.0
    optimizer.step()


def _moved() -> None:
    layer = nn.Linear(2, 3)
    optimizer = optim.SGD(layer.parameters(), lr=0.1, momentum=0.9)
    for _ in range(2):
        optimizer.zero_grad()
        layer(pyneural.ones(1, 2, dtype=layer.weight.dtype)).sum().backward()
        optimizer.step()
        layer.double()


def _same_twice() -> None:
    (a,) = _one()
    optim.SGD([a, a])


_WRONG: list[tuple[Callable[[], Any], type[Exception], str]] = [
    (lambda: optim.RMSprop(_one(), alpha=1.5), ValueError, "RMSprop: alpha (=1.5) must be in [0.0, 1.0]"),
    (lambda: optim.RMSprop(_one(), momentum=-0.1), ValueError, "RMSprop: momentum (=-0.1) must be at least 0.0"),
    (lambda: optim.RMSprop(_one(), eps=-1.0), ValueError, "RMSprop: eps (=-1.0) must be at least 0.0"),
    (lambda: optim.SGD([]), ValueError, "SGD: params (=[]) is empty"),
    (lambda: optim.SGD([{"params": []}]), ValueError, "SGD: params (=[]) is empty"),
    (lambda: optim.SGD(_one()[0]), TypeError, "SGD: params must be an iterable of tensors or dicts, not Tensor"),
    (lambda: optim.SGD([*_one(), 3.0]), TypeError, "SGD: params[1] must be a tensor, not float"),
    (lambda: optim.Adam([Tensor([1.0])]), ValueError, "Adam: params[0] of shape (1,) does not require a gradient"),
    (lambda: optim.Adam([_one()[0] * 2]), ValueError, "Adam: params[0] of shape (1,) is no leaf"),
    (
        lambda: optim.Adam([Tensor(np.ones((2, 3))).T.detach().requires_grad_()]),
        ValueError,
        "Adam: params[0] of shape (3, 2) is not contiguous",
    ),
    (_same_twice, ValueError, "SGD: params[1] of shape (1,) is given twice"),
    (lambda: optim.SGD(_one(), lr=-0.1), ValueError, "SGD: lr (=-0.1) must be at least 0.0"),
    (lambda: optim.SGD(_one(), lr=float("nan")), ValueError, "SGD: lr (=nan) must be at least 0.0"),
    (lambda: optim.SGD(_one(), momentum=-1), ValueError, "SGD: momentum (=-1) must be at least 0.0"),
    (lambda: optim.SGD(_one(), weight_decay=-1e-4), ValueError, "SGD: weight_decay (=-0.0001) must be at least 0.0"),
    (
        lambda: optim.SGD(_one(), nesterov=True),
        ValueError,
        "SGD: nesterov needs momentum (=0.0) above 0 and dampening (=0.0) 0",
    ),
    (
        lambda: optim.SGD(_one(), momentum=0.9, dampening=0.5, nesterov=True),
        ValueError,
        "SGD: nesterov needs momentum (=0.9) above 0 and dampening (=0.5) 0",
    ),
    (lambda: optim.Adam(_one(), betas=(0.9, 1.0)), ValueError, "Adam: betas[1] (=1.0) must be in [0.0, 1.0)"),
    (lambda: optim.AdamW(_one(), betas=(0.9,)), ValueError, "AdamW: betas (=(0.9,)) must be two numbers"),
    (lambda: optim.AdamW(_one(), eps=-1e-8), ValueError, "AdamW: eps (=-1e-08) must be at least 0.0"),
    (
        lambda: optim.SGD([{"params": _one(), "rate": 0.1}]),
        ValueError,
        "SGD: unknown hyper-parameter 'rate'; known are lr, momentum",
    ),
    (
        lambda: optim.SGD(_one()).add_param_group({"lr": 1.0}),
        TypeError,
        "a parameter group must be a dict with 'params'",
    ),
    (_changed_later, ValueError, "Adam: lr (=-3.0) must be at least 0.0"),
    (_moved, RuntimeError, "is float64 on reference but its momentum_buffer is float32 on reference"),
    (lambda: optim.Adam(_one()).load_state_dict({}), ValueError, "Adam: a state dict has 'state' and 'param_groups'"),
    (
        lambda: optim.Adam([*_one(), *_one()]).load_state_dict(_stepped().state_dict()),
        ValueError,
        "Adam: the groups hold [2] parameters, those of the state [1]",
    ),
    (
        lambda: optim.Adam(_one()).load_state_dict(_stepped().state_dict()),
        ValueError,
        "Adam: exp_avg of parameter 0 has shape (2,), the parameter (1,)",
    ),
    (
        lambda: optim.SGD(_one()).load_state_dict({**optim.Adam(_one()).state_dict()}),
        ValueError,
        "SGD: unknown hyper-parameter 'betas', 'eps' in the state",
    ),
]


@pytest.mark.parametrize(("call", "exception", "message"), _WRONG, ids=[each[2][:60] for each in _WRONG])
def test_wrong_call_is_refused(call: Callable[[], Any], exception: type[Exception], message: str):
    with pytest.raises(exception, match=re.escape(message)):
        call()


def test_a_refused_state_changes_nothing():
    optimizer = _stepped()
    state = optimizer.state_dict()
    state["param_groups"][0]["lr"] = -1.0
    kept = dict(optimizer.state), [dict(each) for each in optimizer.param_groups]
    with pytest.raises(ValueError, match="lr"):
        optimizer.load_state_dict(state)
    assert optimizer.state == kept[0]
    assert [each["lr"] for each in optimizer.param_groups] == [each["lr"] for each in kept[1]]
