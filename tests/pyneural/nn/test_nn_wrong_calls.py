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


def _x(*shape: int) -> Tensor:
    return pyneural.ones(*shape)


_NEWER: list[tuple[Callable[[], Any], type[Exception], str]] = [
    (lambda: nn.Conv1d(2, 2, 0), ValueError, "Conv1d: kernel_size (=0) must be at least 1"),
    (lambda: nn.Conv1d(2, 2, (3, 3)), TypeError, "Conv1d: kernel_size (=(3, 3)) must be an int"),
    (
        lambda: nn.Conv1d(2, 2, 3, padding="full"),
        ValueError,
        "padding (='full') must be one of 'same', 'valid'",
    ),
    (lambda: nn.Conv2d(2, 2, 3, 2, "same"), ValueError, "Conv2d: padding='same' needs stride 1, not 2"),
    (lambda: nn.Conv3d(2, 2, (3, 3)), TypeError, "Conv3d: kernel_size (=(3, 3)) must be an int or three ints"),
    (lambda: nn.Conv3d(2, 2, 3, dilation=(1, 0, 1)), ValueError, "Conv3d: dilation (=(1, 0, 1)) must be at least 1"),
    (lambda: nn.Conv3d(3, 4, 3, groups=2), ValueError, "Conv3d: in_channels (=3) must be divisible by groups (=2)"),
    (
        lambda: nn.ConvTranspose2d(2, 2, 3, stride=2, output_padding=2),
        ValueError,
        "ConvTranspose2d: output_padding (=2) must be smaller than stride (=2) or dilation (=1)",
    ),
    (lambda: nn.ConvTranspose2d(2, 3, 3, groups=2), ValueError, "out_channels (=3) must be divisible by groups (=2)"),
    (lambda: nn.BatchNorm1d(0), ValueError, "BatchNorm1d: num_features (=0) must be at least 1"),
    (lambda: nn.BatchNorm1d(3)(_x(2, 4)), ValueError, "input must have shape (N, 3) or (N, 3, L), not (2, 4)"),
    (lambda: nn.BatchNorm3d(3)(_x(2, 3, 4)), ValueError, "must have shape (N, 3, D, H, W), not (2, 3, 4)"),
    (lambda: nn.LayerNorm(0), ValueError, "LayerNorm: normalized_shape (=0) must be at least 1"),
    (lambda: nn.LayerNorm(()), ValueError, "LayerNorm: normalized_shape (=()) names no dimension"),
    (lambda: nn.LayerNorm((3, 2.0)), TypeError, "LayerNorm: normalized_shape must be an int, not 2.0"),
    (lambda: nn.LayerNorm(3, eps=-1.0), ValueError, "LayerNorm: eps (=-1.0) must be at least 0.0"),
    (lambda: nn.LayerNorm(3)(_x(2, 4)), ValueError, "(3,)"),
    (lambda: nn.RMSNorm(-2), ValueError, "RMSNorm: normalized_shape (=-2) must be at least 1"),
    (lambda: nn.GroupNorm(2, 5), ValueError, "GroupNorm: num_channels (=5) must be divisible by num_groups (=2)"),
    (lambda: nn.GroupNorm(0, 5), ValueError, "GroupNorm: num_groups (=0) must be at least 1"),
    (lambda: nn.Embedding(0, 3), ValueError, "Embedding: num_embeddings (=0) must be at least 1"),
    (lambda: nn.Embedding(4, 3, padding_idx=4), ValueError, "Embedding: padding_idx (=4) must be in [-4, 3]"),
    (lambda: nn.Embedding(4, 3)(Tensor([5])), IndexError, "5"),
    (lambda: nn.Embedding.from_pretrained(_x(3)), ValueError, "needs a tensor of 2 dimensions, not (3,)"),
    (lambda: nn.LSTM(0, 3), ValueError, "LSTM: input_size (=0) must be at least 1"),
    (lambda: nn.GRU(2, 3, num_layers=0), ValueError, "GRU: num_layers (=0) must be at least 1"),
    (lambda: nn.GRU(2, 3, dropout=0.5), ValueError, "GRU: dropout (=0.5) lies between layers and has no effect on"),
    (lambda: nn.RNN(2, 3, nonlinearity="relu6"), ValueError, "nonlinearity (='relu6') must be one of 'tanh', 'relu'"),
    (lambda: nn.LSTM(2, 3)(_x(4, 1, 5)), ValueError, "LSTM: input must have shape (L, N, 2) or (L, 2), not (4, 1, 5)"),
    (lambda: nn.LSTM(2, 3)(_x(0, 1, 2)), ValueError, "LSTM: input of shape (0, 1, 2) has no step"),
    (lambda: nn.LSTM(2, 3)(_x(4, 1, 2), _x(1, 1, 3)), TypeError, "LSTM: hx must be two tensors (h_0, c_0)"),
    (
        lambda: nn.LSTM(2, 3)(_x(4, 1, 2), (_x(1, 1, 3), _x(1, 2, 3))),
        ValueError,
        "LSTM: c_0 must have shape (1, 1, 3), not (1, 2, 3)",
    ),
    (lambda: nn.GRU(2, 3)([1.0]), TypeError, "GRU: input must be a tensor, not list"),
    (lambda: nn.MultiheadAttention(6, 4), ValueError, "embed_dim (=6) must be divisible by num_heads (=4)"),
    (lambda: nn.MultiheadAttention(6, 2, 1.5), ValueError, "MultiheadAttention: dropout (=1.5) must be in [0.0, 1.0]"),
    (
        lambda: nn.MultiheadAttention(6, 2)(_x(3, 1, 6), _x(3, 1, 5), _x(3, 1, 6)),
        ValueError,
        "MultiheadAttention: key must have 3 dimensions, the last of length 6, not shape (3, 1, 5)",
    ),
    (
        lambda: nn.MultiheadAttention(6, 2)(_x(3, 1, 6), _x(3, 2, 6), _x(3, 2, 6)),
        ValueError,
        "query, key and value have batches of 1, 2 and 2",
    ),
    (
        lambda: nn.MultiheadAttention(6, 2)(*[_x(3, 1, 6)] * 3, attn_mask=_x(2, 3)),
        ValueError,
        "attn_mask must have shape (3, 3) or (2, 3, 3), not (2, 3)",
    ),
    (
        lambda: nn.MultiheadAttention(6, 2)(*[_x(3, 1, 6)] * 3, key_padding_mask=_x(3, 1)),
        ValueError,
        "key_padding_mask must have shape (1, 3), not (3, 1)",
    ),
    (
        lambda: nn.TransformerEncoderLayer(6, 4),
        ValueError,
        "TransformerEncoderLayer: d_model (=6) must be divisible by nhead (=4)",
    ),
    (
        lambda: nn.TransformerDecoderLayer(6, 2, 8, activation="tanh"),
        ValueError,
        "TransformerDecoderLayer: activation (='tanh') must be one of 'relu', 'gelu'",
    ),
    (lambda: nn.TransformerEncoder("layer", 2), TypeError, "TransformerEncoder: the layer must be a Module, not str"),
    (lambda: nn.TransformerDecoder(nn.ReLU(), 0), ValueError, "TransformerDecoder: num_layers (=0) must be at least 1"),
    (lambda: nn.ModuleList([nn.ReLU(), 3]), TypeError, "ModuleList: entry 1 must be a Module, not int"),
    (lambda: nn.ModuleList()[0], IndexError, "ModuleList: index (=0) is out of range for 0 entries"),
    (lambda: nn.ModuleDict({"a": 3}), TypeError, "ModuleDict: 'a' must be a Module, not int"),
    (lambda: nn.ModuleDict({"a": nn.ReLU()})["b"], KeyError, "ModuleDict: no 'b' among 'a'"),
    (lambda: nn.ModuleDict({"keys": nn.ReLU()}), ValueError, "'keys' is an attribute of the class"),
    (lambda: nn.ParameterList([3.0]), TypeError, "ParameterList: entry 0 must be a Parameter, not float"),
    (lambda: nn.ParameterList([_x(1)])["0"], TypeError, "ParameterList: index must be an int, not '0'"),
    (lambda: nn.AdaptiveAvgPool2d((1, 2, 3)), TypeError, "output_size (=(1, 2, 3)) must be an int or two ints"),
    (lambda: nn.AdaptiveAvgPool2d(0), ValueError, "AdaptiveAvgPool2d: output_size (=0) must be at least 1"),
    (
        lambda: nn.MaxPool1d(3, padding=2),
        ValueError,
        "MaxPool1d: padding (=2) must be at most half of",
    ),
    (lambda: nn.AvgPool1d(0), ValueError, "AvgPool1d: kernel_size (=0) must be at least 1"),
    (lambda: nn.LogSoftmax("1"), TypeError, "LogSoftmax: dim must be an int, not '1'"),
    (lambda: nn.HuberLoss(delta=0.0), ValueError, "HuberLoss: delta (=0.0) must be above 0"),
    (lambda: nn.SmoothL1Loss(beta=-1.0), ValueError, "SmoothL1Loss: beta (=-1.0) must be at least 0.0"),
    (lambda: nn.NLLLoss(reduction="avg"), ValueError, "NLLLoss: reduction (='avg') must be one of"),
    (lambda: nn.BCEWithLogitsLoss(weight=3.0), TypeError, "buffer 'weight' must be a tensor or None, not float"),
    (lambda: init.eye_(_x(3)), ValueError, "eye_: a tensor of shape (3,) has no diagonal"),
    (lambda: init.dirac_(_x(3, 3)), ValueError, "has 3 to 5 dimensions, not shape (3, 3)"),
    (lambda: init.dirac_(_x(3, 3, 1), 2), ValueError, "the filters (=3) must be divisible by groups (=2)"),
    (lambda: init.orthogonal_(_x(3)), ValueError, "orthogonal_: a tensor of shape (3,) is no matrix"),
    (lambda: init.trunc_normal_(_x(3), a=2.0, b=1.0), ValueError, "trunc_normal_: a (=2.0) must be below b (=1.0)"),
    (lambda: init.trunc_normal_(_x(3), std=0.0), ValueError, "trunc_normal_: std (=0.0) must be above 0"),
]


@pytest.mark.parametrize(
    ("call", "exception", "message"), _WRONG + _NEWER, ids=[each[2][:60] for each in _WRONG + _NEWER]
)
def test_wrong_call_is_refused(call: Callable[[], Any], exception: type[Exception], message: str):
    with pytest.raises(exception, match=re.escape(message)):
        call()
