"""Wrong calls of layers are refused, with the offending values in the message."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import pyneural
from pyneural import Tensor, nn
from pyneural.nn import init

pytestmark = pytest.mark.usefixtures("reference_device")


class Forgetful(nn.Module):
    def __init__(self) -> None:
        self.layer = nn.ReLU()


def _assign(name: str, value: Any) -> Callable[[], None]:
    return lambda: setattr(nn.Linear(2, 2), name, value)


_WRONG: list[tuple[Callable[[], Any], type[Exception], str]] = [
    (lambda: nn.Linear(0, 3), ValueError, "Linear: in_features (=0) must be at least 1"),
    (lambda: nn.Linear(3, -1), ValueError, "Linear: out_features (=-1) must be at least 1"),
    (lambda: nn.Linear(2.5, 3), TypeError, "Linear: in_features must be an int, not 2.5"),
    (
        lambda: nn.Linear(2, 3, activation="swish"),
        ValueError,
        "Linear: activation (='swish') must be one of None, 'relu'",
    ),
    (lambda: nn.Conv2d(3, 4, 3, groups=2), ValueError, "Conv2d: in_channels (=3) must be divisible by groups (=2)"),
    (lambda: nn.Conv2d(4, 3, 3, groups=2), ValueError, "Conv2d: out_channels (=3) must be divisible by groups (=2)"),
    (lambda: nn.Conv2d(4, 4, 0), ValueError, "Conv2d: kernel_size (=0) must be at least 1"),
    (lambda: nn.Conv2d(4, 4, (3, 3, 3)), TypeError, "Conv2d: kernel_size (=(3, 3, 3)) must be an int or two ints"),
    (lambda: nn.Conv2d(4, 4, 3, stride=0), ValueError, "Conv2d: stride (=0) must be at least 1"),
    (lambda: nn.Conv2d(4, 4, 3, padding=-1), ValueError, "Conv2d: padding (=-1) must be at least 0"),
    (lambda: nn.Conv2d(4, 4, 3, dilation=0), ValueError, "Conv2d: dilation (=0) must be at least 1"),
    (
        lambda: nn.Conv2d(4, 4, 3, activation="tanh"),
        ValueError,
        "Conv2d: activation (='tanh') must be one of None, 'relu'",
    ),
    (lambda: nn.BatchNorm2d(-3), ValueError, "BatchNorm2d: num_features (=-3) must be at least 1"),
    (lambda: nn.BatchNorm2d(3, momentum=1.5), ValueError, "BatchNorm2d: momentum (=1.5) must be in [0.0, 1.0]"),
    (lambda: nn.BatchNorm2d(3, eps=-1e-5), ValueError, "BatchNorm2d: eps (=-1e-05) must be at least 0.0"),
    (
        lambda: nn.BatchNorm2d(3)(pyneural.ones(2, 4, 5, 5)),
        ValueError,
        "BatchNorm2d: input must have shape (N, 3, H, W), not (2, 4, 5, 5)",
    ),
    (lambda: nn.BatchNorm2d(3)(pyneural.ones(2, 3)), ValueError, "must have shape (N, 3, H, W), not (2, 3)"),
    (
        lambda: nn.BatchNorm2d(3)(pyneural.ones(1, 3, 1, 1)),
        ValueError,
        "batch_norm: training needs more than 1 element a channel, got shape (1, 3, 1, 1)",
    ),
    (lambda: nn.MaxPool2d(0), ValueError, "MaxPool2d: kernel_size (=0) must be at least 1"),
    (
        lambda: nn.MaxPool2d(3, padding=2),
        ValueError,
        "MaxPool2d: padding (=2) must be at most half of kernel_size (=3)",
    ),
    (lambda: nn.AvgPool2d(2, stride=-2), ValueError, "AvgPool2d: stride (=-2) must be at least 1"),
    (lambda: nn.AvgPool2d(2, divisor_override=0), ValueError, "AvgPool2d: divisor_override (=0) must not be 0"),
    (lambda: nn.Dropout(1.5), ValueError, "Dropout: p (=1.5) must be in [0.0, 1.0]"),
    (lambda: nn.Dropout("half"), TypeError, "Dropout: p must be a number, not 'half'"),
    (lambda: nn.GELU("erf"), ValueError, "GELU: approximate (='erf') must be one of 'none', 'tanh'"),
    (lambda: nn.Softplus(beta=0), ValueError, "Softplus: beta (=0) must not be 0"),
    (lambda: nn.Softmax(1.0), TypeError, "Softmax: dim must be an int, not 1.0"),
    (
        lambda: nn.CrossEntropyLoss(reduction="avg"),
        ValueError,
        "reduction (='avg') must be one of 'mean', 'sum', 'none'",
    ),
    (lambda: nn.CrossEntropyLoss(label_smoothing=2), ValueError, "label_smoothing (=2) must be in [0.0, 1.0]"),
    (lambda: nn.MSELoss("max"), ValueError, "MSELoss: reduction (='max') must be one of"),
    (lambda: nn.Sequential(nn.ReLU(), "relu"), TypeError, "Sequential: '1' must be a Module, not str"),
    (lambda: nn.Sequential(nn.ReLU())[3], IndexError, "Sequential: index (=3) is out of range for 1 modules"),
    (lambda: nn.Linear(4, 2)(pyneural.ones(3, 5)), ValueError, "5"),
    (lambda: nn.Conv2d(3, 2, 3)(pyneural.ones(1, 4, 8, 8)), ValueError, "4"),
    (_assign("weight", Tensor([1.0])), TypeError, "Linear: 'weight' must be a Parameter or None, not Tensor"),
    (lambda: nn.ReLU().register_buffer("b", 3.0), TypeError, "ReLU: buffer 'b' must be a tensor or None, not float"),
    (
        lambda: nn.ReLU().register_parameter("p", Tensor([1.0])),
        TypeError,
        "'p' must be a Parameter or None, not Tensor",
    ),
    (lambda: nn.ReLU().add_module("a.b", nn.ReLU()), ValueError, "name (='a.b') must be a string without dots"),
    (lambda: nn.ReLU().add_module("forward", nn.ReLU()), ValueError, "'forward' is an attribute of the class"),
    (lambda: nn.Linear(2, 2).register_buffer("weight", Tensor([1.0])), ValueError, "'weight' is already registered"),
    (Forgetful, AttributeError, "Forgetful: call super().__init__() before assigning 'layer'"),
    (lambda: nn.ReLU().weight, AttributeError, "ReLU has no attribute 'weight'"),
    (lambda: nn.Module()(1), NotImplementedError, "Module: forward is not defined"),
    (lambda: nn.Linear(2, 2).to("int64"), TypeError, "Linear: to: dtype must be floating, not int64"),
    (lambda: nn.Linear(2, 2).to("gpu"), ValueError, "device: 'gpu' is none of"),
    (lambda: nn.Linear(2, 2).train("yes"), TypeError, "train: mode must be a bool, not str"),
    (
        lambda: nn.BatchNorm2d(1).load_state_dict({"num_batches_tracked": Tensor(1.5)}, strict=False),
        TypeError,
        "num_batches_tracked has dtype int64, the given tensor float32",
    ),
    (
        lambda: nn.Linear(1, 1).load_state_dict({"weight": np.ones((1, 1))}, strict=False),
        TypeError,
        "load_state_dict: weight must be a tensor, not ndarray",
    ),
    (lambda: nn.Linear(2, 2).summary(), ValueError, "summary: Linear needs the shape of at least one input"),
    (lambda: nn.Parameter(Tensor([1, 2])), RuntimeError, "only floating tensors have gradients, not int64"),
    (lambda: init.kaiming_normal_(pyneural.empty(3)), ValueError, "a tensor of shape (3,) has no fans"),
    (lambda: init.kaiming_normal_(pyneural.empty(3, 3), mode="fan"), ValueError, "mode (='fan') must be 'fan_in' or"),
    (lambda: init.calculate_gain("swish"), ValueError, "nonlinearity (='swish') must be one of 'linear'"),
    (lambda: init.uniform_(pyneural.zeros(2, dtype="int32")), TypeError, "floating dtype, not int32"),
    (lambda: init.normal_(pyneural.empty(2), std=-1.0), ValueError, "std (=-1.0)"),
]


@pytest.mark.parametrize(("call", "exception", "message"), _WRONG, ids=[each[2][:60] for each in _WRONG])
def test_wrong_call_is_refused(call: Callable[[], Any], exception: type[Exception], message: str):
    with pytest.raises(exception, match=re.escape(message)):
        call()
