"""Devices: their names, moving between them, refusing to mix them, and the backend behind one."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import numpy as np
import pytest

import pyneural
from pyneural import Tensor, kernels
from pyneural import functional as F


def test_devices_are_singletons() -> None:
    assert pyneural.device("cpu") is pyneural.device("cpu")
    assert pyneural.device("cpu:0") is pyneural.device("cpu")
    assert pyneural.device(pyneural.device("reference")) is pyneural.device("reference")
    assert copy.deepcopy(pyneural.device("cpu")) is pyneural.device("cpu")
    assert pickle.loads(pickle.dumps(pyneural.device("cpu"))) is pyneural.device("cpu")
    assert str(pyneural.device("cpu")) == "cpu"
    assert repr(pyneural.device("cpu")) == "device('cpu')"


@pytest.mark.parametrize(
    ("name", "error", "match"),
    [
        ("tpu", ValueError, r"device: 'tpu' is none of 'cpu', 'reference'"),
        ("cpu:1", ValueError, "device: 'cpu:1' is none of"),
        ("cpu:", ValueError, "device: 'cpu:' is none of"),
        ("", ValueError, "device: '' is none of"),
        (0, TypeError, "device: name must be a str or a device, not int"),
        (None, TypeError, "device: name must be a str or a device, not NoneType"),
    ],
)
def test_wrong_names(name: Any, error: type[Exception], match: str) -> None:
    with pytest.raises(error, match=match):
        pyneural.device(name)


def test_a_device_that_is_not_here_says_why() -> None:
    for name in ("cuda", "cuda:1"):
        with pytest.raises(RuntimeError, match=f"device: '{name}' cannot be used: .+"):
            pyneural.zeros(2, device=name)


def test_default_device() -> None:
    before = pyneural.get_default_device()
    try:
        pyneural.set_default_device("reference")
        assert Tensor([1.0]).device is pyneural.device("reference")
        assert pyneural.zeros(2).device is pyneural.device("reference")
        with pytest.raises(ValueError, match="'tpu'"):
            pyneural.set_default_device("tpu")
        assert pyneural.get_default_device() is pyneural.device("reference")
    finally:
        pyneural.set_default_device(before)


def test_the_gradient_travels_back() -> None:
    x = Tensor([1.0, 2.0], device="reference", dtype="float64", requires_grad=True)
    y = x.to("cpu")
    assert y.device is pyneural.device("cpu")
    assert y.cpu() is y
    assert not np.shares_memory(y.detach().numpy(), x.detach().numpy())
    (y * y).sum().backward()
    assert x.grad.device is pyneural.device("reference")
    assert x.grad.tolist() == [2.0, 4.0]


def test_to() -> None:
    x = pyneural.ones(2, device="cpu")
    assert x.to("cpu") is x
    assert x.to("float32") is x
    assert x.to(pyneural.float64).dtype == pyneural.float64
    both = x.to("reference", pyneural.float64)
    assert both.dtype == pyneural.float64
    assert both.device is pyneural.device("reference")
    assert x.to(both).device is both.device
    copied = x.to("cpu", copy=True)
    copied[0] = 5.0
    assert x.tolist() == [1.0, 1.0]
    with pytest.raises(ValueError, match="'tpu'"):
        x.to("tpu")


@pytest.mark.parametrize(
    "function",
    [
        pytest.param(lambda a, b: a + b, id="add"),
        pytest.param(lambda a, b: a == b, id="eq"),
        pytest.param(lambda a, b: a @ b, id="matmul"),
        pytest.param(lambda a, b: F.where(a > 0.0, a, b), id="where"),
        pytest.param(lambda a, b: F.cat([a, b]), id="cat"),
        pytest.param(lambda a, b: F.linear(a, b), id="linear"),
        pytest.param(lambda a, b: F.mse_loss(a, b), id="mse_loss"),
        pytest.param(lambda a, b: F.maximum(a, b), id="maximum"),
        pytest.param(lambda a, b: a.__setitem__(slice(None), b), id="setitem"),
        pytest.param(lambda a, b: a.add_(b), id="add_"),
    ],
)
def test_mixing_devices_is_refused(function: Any) -> None:
    """A hidden copy would be a silent loss of speed, so both names are in the message."""
    a, b = pyneural.ones(2, 2, device="cpu"), pyneural.ones(2, 2, device="reference")
    with pytest.raises(ValueError, match=r"(cpu.*reference|reference.*cpu)"):
        function(a, b)
    assert a.tolist() == [[1.0, 1.0], [1.0, 1.0]]


def test_a_cotangent_on_another_device_is_refused() -> None:
    x = Tensor([1.0], device="cpu", requires_grad=True)
    with pytest.raises(RuntimeError, match=r"cotangent of shape \(1,\) on reference for a tensor .* on cpu"):
        (x * 2.0).backward(pyneural.ones(1, device="reference"))


def test_use_switches_the_backend() -> None:
    x = Tensor([1.0, -2.0], device="cpu")
    with kernels.record() as before:
        F.abs(x)
    with kernels.use("reference") as chosen:
        assert chosen is kernels.backend("reference")
        assert kernels.active("cpu") is chosen
        assert F.abs(x).tolist() == [1.0, 2.0]
    assert kernels.active("cpu") is kernels.backend("numba_cpu")
    assert before.uses["abs"].calls == 1
    with pytest.raises(ValueError, match="backend: 'numpy' is none of reference, numba_cpu, cuda, numba_cuda"):
        kernels.use("numpy").__enter__()
    assert kernels.active("cpu") is kernels.backend("numba_cpu")


def test_record_counts_and_keeps_the_first_call() -> None:
    x = Tensor([1.0, -2.0], device="reference", requires_grad=True)
    with kernels.record() as recording:
        for _ in range(3):
            (F.relu(x) * 2.0).sum().backward()
        x.array[...] = 0.0
    uses = recording.uses
    assert {name: use.calls for name, use in uses.items() if name in ("relu", "relu_backward", "sum")} == {
        "relu": 3,
        "relu_backward": 3,
        "sum": 3,
    }
    assert uses["relu"].sample.args[0].tolist() == [1.0, -2.0]
    assert all(use.seconds > 0 for use in uses.values())
    F.relu(x)
    assert uses["relu"].calls == 3
