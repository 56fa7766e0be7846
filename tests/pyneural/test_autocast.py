"""Mixed precision: which operation computes in what, gradients in float32, and the scaler."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import pyneural
from pyneural import Tensor, amp, autocast, functional, is_autocast_enabled, kernels, nn, optim

pytestmark = pytest.mark.usefixtures("reference_device")

HALVES = ("bfloat16", "float16")


def _x(*shape: int, **options: Any) -> Tensor:
    return pyneural.randn(*shape, **options)


_LOWERED: dict[str, Callable[[], Tensor]] = {
    "matmul": lambda: _x(2, 3) @ _x(3, 4),
    "bmm": lambda: functional.bmm(_x(2, 3, 4), _x(2, 4, 5)),
    "einsum": lambda: functional.einsum("ij,jk->ik", _x(2, 3), _x(3, 4)),
    "linear": lambda: functional.linear(_x(2, 3), _x(4, 3), _x(4)),
    "conv1d": lambda: functional.conv1d(_x(1, 2, 5), _x(3, 2, 3), _x(3)),
    "conv2d": lambda: functional.conv2d(_x(1, 2, 5, 5), _x(3, 2, 3, 3), _x(3)),
    "conv3d": lambda: functional.conv3d(_x(1, 2, 3, 3, 3), _x(3, 2, 2, 2, 2)),
    "conv_transpose2d": lambda: functional.conv_transpose2d(_x(1, 2, 5, 5), _x(2, 3, 3, 3), _x(3)),
    "attention": lambda: functional.scaled_dot_product_attention(_x(1, 3, 4), _x(1, 3, 4), _x(1, 3, 4), _x(3, 3)),
}
_HALF = {"dtype": "bfloat16"}
_RAISED: dict[str, Callable[[], Tensor]] = {
    "softmax": lambda: functional.softmax(_x(2, 3, **_HALF), -1),
    "log_softmax": lambda: functional.log_softmax(_x(2, 3, **_HALF), -1),
    "cross_entropy": lambda: functional.cross_entropy(_x(2, 3, **_HALF), Tensor([1, 0])),
    "nll_loss": lambda: functional.nll_loss(_x(2, 3, **_HALF), Tensor([1, 0])),
    "mse_loss": lambda: functional.mse_loss(_x(2, 3, **_HALF), _x(2, 3)),
    "l1_loss": lambda: functional.l1_loss(_x(2, 3, **_HALF), _x(2, 3, **_HALF)),
    "smooth_l1_loss": lambda: functional.smooth_l1_loss(_x(2, 3, **_HALF), _x(2, 3)),
    "huber_loss": lambda: functional.huber_loss(_x(2, 3, **_HALF), _x(2, 3)),
    "binary cross-entropy": lambda: functional.binary_cross_entropy_with_logits(_x(2, 3, **_HALF), _x(2, 3).sigmoid()),
}


@pytest.mark.parametrize("dtype", HALVES)
@pytest.mark.parametrize("name", _LOWERED)
def test_products_are_lowered(name: str, dtype: str):
    assert str(_LOWERED[name]().dtype) == "float32"
    with autocast("reference", dtype=dtype):
        assert str(_LOWERED[name]().dtype) == dtype
    with autocast("cpu", dtype=dtype):  # of another device
        assert str(_LOWERED[name]().dtype) == "float32"


@pytest.mark.parametrize("name", _RAISED)
def test_sums_of_exponentials_and_losses_are_raised(name: str):
    with autocast("reference", dtype="bfloat16"):
        assert str(_RAISED[name]().dtype) == "float32"


def test_the_rest_computes_in_what_it_is_given():
    with autocast("reference", dtype="bfloat16"):
        assert str(functional.relu(_x(3)).dtype) == "float32"
        assert str((_x(3) + _x(3, **_HALF)).dtype) == "float32"
        assert str((_x(2, 3, dtype="float64") @ _x(3, 2, dtype="float64")).dtype) == "float64"
        assert str(functional.cross_entropy(_x(2, 3, dtype="float64"), Tensor([0, 1])).dtype) == "float64"


@pytest.mark.parametrize("layer", [lambda: nn.BatchNorm2d(3), lambda: nn.GroupNorm(1, 3), lambda: nn.LayerNorm(4)])
def test_norms_keep_statistics_and_gradients_in_float32(layer: Callable[[], nn.Module]):
    norm = layer()
    model = nn.Sequential(nn.Conv2d(2, 3, 3, padding=1), norm)
    with autocast("reference", dtype="float16"):
        y = model(_x(4, 2, 4, 4) * 100.0)
        assert np.isfinite(y.detach().numpy().astype(np.float32)).all()
    y.to("float32").sum().backward()
    assert {str(each.grad.dtype) for each in model.parameters()} == {"float32"}
    assert {str(each.dtype) for each in norm.buffers() if each.is_floating_point()} <= {"float32"}
    if isinstance(norm, nn.BatchNorm2d):
        norm.eval()
        for each in model.parameters():
            each.grad = None
        with autocast("reference", dtype="float16"):
            y = model(_x(4, 2, 4, 4))
        y.to("float32").sum().backward()
        assert {str(each.grad.dtype) for each in model.parameters()} == {"float32"}


def test_sums_are_accumulated_in_float32():
    ones = pyneural.ones(1, 5000)
    with autocast("reference", dtype="bfloat16"):
        assert (ones @ ones.T).item() == 4992.0  # 5000 rounded once; added up in bfloat16 it would stay at 256


def test_a_parameter_is_converted_once_in_a_block():
    cell = nn.Linear(4, 4)
    x = _x(1, 4)
    for cached, expected in ((True, 2), (False, 6)):
        with kernels.record() as recording, autocast("reference", dtype="bfloat16", cache_enabled=cached):
            y = x.to("bfloat16")
            for _ in range(3):
                y = cell(y)
        assert recording.uses["cast"].calls - 1 == expected
    y.to("float32").sum().backward()
    assert str(cell.weight.grad.dtype) == "float32"


def test_a_changed_parameter_is_converted_anew():
    cell = nn.Linear(1, 1, bias=False)
    with autocast("reference", dtype="bfloat16"):
        nn.init.constant_(cell.weight, 2.0)
        assert cell(pyneural.ones(1, 1)).item() == 2.0
        nn.init.constant_(cell.weight, 3.0)
        assert cell(pyneural.ones(1, 1)).item() == 3.0


def test_no_grad_inside_leaves_the_graph_whole():
    cell = nn.Linear(2, 2)
    with autocast("reference", dtype="bfloat16"):
        with pyneural.no_grad():
            assert not cell(_x(1, 2)).requires_grad
        cell(_x(1, 2)).sum().backward()  # backward takes no notice of the block
    assert str(cell.weight.grad.dtype) == "float32"


def test_backward_inside_a_block_keeps_the_dtype_of_the_forward():
    cell = nn.Linear(2, 2)
    y = cell(_x(1, 2)).sum()
    with autocast("reference", dtype="bfloat16"):
        y.backward()
    assert str(cell.weight.grad.dtype) == "float32"


def test_blocks_nest_and_end():
    a, b = _x(2, 2), _x(2, 2)
    assert not is_autocast_enabled("reference")
    with autocast("reference", dtype="bfloat16"):
        assert is_autocast_enabled("reference")
        assert not is_autocast_enabled("cpu")
        with autocast("reference", dtype="float16"):
            assert str((a @ b).dtype) == "float16"
        with autocast("reference", enabled=False):
            assert not is_autocast_enabled("reference")
            assert str((a @ b).dtype) == "float32"
        assert str((a @ b).dtype) == "bfloat16"

    @autocast("reference")
    def product() -> Tensor:
        return a @ b

    assert str(product().dtype) == "bfloat16"
    with pytest.raises(ZeroDivisionError), autocast("reference"):
        raise ZeroDivisionError
    assert not is_autocast_enabled("reference")


# The scaler


def _step(scaler: amp.GradScaler, optimizer: optim.Optimizer, param: Tensor, gradient: float) -> None:
    optimizer.zero_grad()
    scaler.scale((param * gradient).sum()).backward()
    scaler.step(optimizer)
    scaler.update()


def _param() -> tuple[Tensor, optim.SGD]:
    param = Tensor([1.0], requires_grad=True)
    return param, optim.SGD([param], 0.5)


def test_scaled_steps_are_the_plain_ones():
    param, optimizer = _param()
    scaler = amp.GradScaler(init_scale=1024.0)
    assert scaler.scale([Tensor(2.0), {"a": Tensor(3.0)}])[1]["a"].item() == 3072.0
    _step(scaler, optimizer, param, 0.25)
    assert param.item() == 1.0 - 0.5 * 0.25
    assert scaler.get_scale() == 1024.0


@pytest.mark.parametrize("bad", [math.inf, -math.inf, math.nan])
def test_a_step_that_overflowed_is_skipped(bad: float):
    param, optimizer = _param()
    scaler = amp.GradScaler(init_scale=8.0, growth_interval=2)
    _step(scaler, optimizer, param, bad)
    assert param.item() == 1.0
    assert scaler.get_scale() == 4.0
    for _ in range(2):
        _step(scaler, optimizer, param, 1.0)
    assert scaler.get_scale() == 8.0
    assert param.item() == 0.0


def test_small_gradients_survive_float16():
    layer = nn.Linear(1, 1, bias=False)
    nn.init.ones_(layer.weight)
    tiny = 2.0**-26  # below float16's smallest number
    found = []
    for scale in (1.0, 2.0**16):
        layer.weight.grad = None
        scaler = amp.GradScaler(init_scale=scale)
        optimizer = optim.SGD(layer.parameters(), 0.0)
        with autocast("reference", dtype="float16"):
            loss = layer(pyneural.ones(1, 1)).to("float32").sum() * tiny
        scaler.scale(loss).backward()
        scaler.unscale_(optimizer)
        found.append(layer.weight.grad.item())
    assert found == [0.0, tiny]


def test_clipping_sees_unscaled_gradients():
    param, optimizer = _param()
    scaler = amp.GradScaler(init_scale=1024.0)
    scaler.scale((param * 3.0).sum()).backward()
    scaler.unscale_(optimizer)
    assert optim.clip_grad_norm_([param], 1.0).item() == 3.0
    scaler.step(optimizer)
    scaler.update()
    assert param.item() == pytest.approx(0.5)


def test_scaler_s_state_goes_on():
    param, optimizer = _param()
    scaler = amp.GradScaler(init_scale=8.0, growth_interval=3)
    _step(scaler, optimizer, param, math.inf)
    _step(scaler, optimizer, param, 1.0)
    other = amp.GradScaler()
    other.load_state_dict(scaler.state_dict())
    assert other.state_dict() == scaler.state_dict()
    assert other.state_dict()["growth_tracker"] == 1
    disabled = amp.GradScaler(enabled=False)
    assert disabled.state_dict() == {}
    assert disabled.get_scale() == 1.0
    _step(disabled, optimizer, param, 1.0)
    assert param.item() == 0.0


def _twice(name: str) -> Callable[[], None]:
    def call() -> None:
        param, optimizer = _param()
        scaler = amp.GradScaler()
        scaler.scale(param.sum()).backward()
        for _ in range(2):
            getattr(scaler, name)(optimizer)

    return call


_WRONG: list[tuple[Callable[[], Any], type[Exception], str]] = [
    (lambda: autocast("gpu"), ValueError, "autocast: device_type (='gpu') must be one of 'cpu', 'reference'"),
    (lambda: autocast("cpu", "float32"), TypeError, "autocast: dtype must be float16 or bfloat16, not float32"),
    (lambda: autocast("cpu", "int8"), TypeError, "autocast: dtype must be float16 or bfloat16, not int8"),
    (lambda: amp.GradScaler(0.0), ValueError, "GradScaler: scale (=0.0) must be positive and finite"),
    (lambda: amp.GradScaler(growth_factor=1.0), ValueError, "GradScaler: growth_factor (=1.0) must be above 1"),
    (lambda: amp.GradScaler(backoff_factor=1.0), ValueError, "GradScaler: backoff_factor (=1.0) must be in (0, 1)"),
    (lambda: amp.GradScaler(growth_interval=0), ValueError, "GradScaler: growth_interval (=0) must be at least 1"),
    (lambda: amp.GradScaler("big"), TypeError, "GradScaler: scale must be a number, not 'big'"),
    (lambda: amp.GradScaler().scale(3.0), TypeError, "GradScaler: scale takes tensors, not float"),
    (lambda: amp.GradScaler().update(), RuntimeError, "GradScaler: update was called before any step or unscale_"),
    (lambda: amp.GradScaler().update(-1.0), ValueError, "GradScaler: scale (=-1.0) must be positive and finite"),
    (_twice("unscale_"), RuntimeError, "GradScaler: unscale_ was already called for SGD since the last update"),
    (_twice("step"), RuntimeError, "GradScaler: step was already called for SGD since the last update"),
    (lambda: amp.GradScaler().step(_param()[1], int), ValueError, "GradScaler: step takes no closure while it scales"),
    (lambda: amp.GradScaler().load_state_dict({}), ValueError, "GradScaler: the state lacks scale, growth_factor"),
]


@pytest.mark.parametrize(("call", "exception", "message"), _WRONG, ids=[each[2][:60] for each in _WRONG])
def test_wrong_call_is_refused(call: Callable[[], Any], exception: type[Exception], message: str):
    with pytest.raises(exception, match=re.escape(message)):
        call()
