"""The moving average of weights."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import pyneural
from pyneural import nn, optim

pytestmark = pytest.mark.usefixtures("reference_device")


def _move(model: nn.Module, by: float) -> None:
    with pyneural.no_grad():
        for each in model.parameters():
            each.add_(by)


def _weights(model: nn.Module) -> list[np.ndarray]:
    return [each.detach().numpy().copy() for each in model.parameters()]


def test_average_is_pytorch_s():
    torch = pytest.importorskip("torch", reason="PyTorch is the oracle here and is not installed")
    from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

    model, oracle = nn.Linear(3, 2).double(), torch.nn.Linear(3, 2).double()
    oracle.load_state_dict({name: torch.tensor(each.numpy()) for name, each in model.state_dict().items()})
    ema = optim.EMA(model, 0.9)
    averaged = AveragedModel(oracle, multi_avg_fn=get_ema_multi_avg_fn(0.9))
    averaged.update_parameters(oracle)  # the first call only copies
    for step in range(5):
        _move(model, 0.1 * step)
        ema.update()
        with torch.no_grad():
            for each in oracle.parameters():
                each.add_(0.1 * step)
        averaged.update_parameters(oracle)
    for ours, theirs in zip(ema.averages.values(), averaged.module.parameters(), strict=True):
        np.testing.assert_allclose(ours.numpy(), theirs.detach().numpy(), rtol=1e-12)


def test_applied_gives_the_weights_back_bit_for_bit():
    model = nn.Linear(4, 3)
    ema = optim.EMA(model, 0.5)
    _move(model, 1.0 / 3.0)
    ema.update()
    own = _weights(model)
    with ema.applied() as applied:
        assert applied is model
        for each, average in zip(_weights(model), ema.averages.values(), strict=True):
            np.testing.assert_array_equal(each, average.numpy())
    with pytest.raises(ZeroDivisionError), ema.applied():
        raise ZeroDivisionError
    for each, before in zip(_weights(model), own, strict=True):
        np.testing.assert_array_equal(each, before)


def test_warmup_follows_more_closely_at_first():
    model = nn.Linear(1, 1, bias=False)
    ema = optim.EMA(model, 0.999, warmup=True)
    start = model.weight.item()
    _move(model, 1.0)
    ema.update()
    np.testing.assert_allclose(ema.averages["weight"].item(), start + 1.0 - 2.0 / 11.0, rtol=1e-6)


def test_buffers_if_wanted():
    model = nn.BatchNorm2d(2)
    plain, full = optim.EMA(model), optim.EMA(model, 0.75, use_buffers=True)
    assert set(full.averages) - set(plain.averages) == {"running_mean", "running_var"}
    nn.init.constant_(model.running_mean, 4.0)
    full.update()
    assert full.averages["running_mean"].tolist() == [1.0, 1.0]


def test_state_goes_on_exactly():
    model = nn.Linear(3, 2)
    ema = optim.EMA(model, 0.9, warmup=True)
    _move(model, 0.5)
    ema.update()
    other = optim.EMA(nn.Linear(3, 2), 0.9, warmup=True)
    other.load_state_dict(ema.state_dict())
    assert other.updates == 1
    for name, each in ema.averages.items():
        np.testing.assert_array_equal(each.numpy(), other.averages[name].numpy())
        assert not np.shares_memory(each.numpy(), other.averages[name].numpy())
    target = nn.Linear(3, 2)
    ema.copy_to(target)
    np.testing.assert_array_equal(target.weight.detach().numpy(), ema.averages["weight"].numpy())


def _changed() -> None:
    model = nn.Linear(3, 2)
    ema = optim.EMA(model)
    model.extra = nn.Parameter(pyneural.ones(1))
    ema.update()


_WRONG: list[tuple[Callable[[], Any], type[Exception], str]] = [
    (lambda: optim.EMA([]), TypeError, "EMA: model must be a Module, not list"),
    (lambda: optim.EMA(nn.ReLU(), 1.5), ValueError, "EMA: decay (=1.5) must be in [0.0, 1.0]"),
    (lambda: optim.EMA(nn.ReLU(), "slow"), TypeError, "EMA: decay must be a number, not 'slow'"),
    (_changed, RuntimeError, "EMA: the model's parameters have changed: extra"),
    (lambda: optim.EMA(nn.Linear(1, 1)).copy_to(nn.Linear(2, 1)), ValueError, "Linear has no weight of shape (1, 1)"),
    (lambda: optim.EMA(nn.Linear(1, 1)).load_state_dict({}), ValueError, "EMA: a state has 'updates' and 'averages'"),
    (
        lambda: optim.EMA(nn.Linear(1, 1)).load_state_dict(optim.EMA(nn.Linear(1, 1, bias=False)).state_dict()),
        ValueError,
        "EMA: the state differs in bias",
    ),
]


@pytest.mark.parametrize(("call", "exception", "message"), _WRONG, ids=[each[2][:60] for each in _WRONG])
def test_wrong_call_is_refused(call: Callable[[], Any], exception: type[Exception], message: str):
    with pytest.raises(exception, match=re.escape(message)):
        call()
