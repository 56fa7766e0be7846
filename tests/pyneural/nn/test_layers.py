"""Layers against the functions they stand for, and against PyTorch's layers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import pyneural
from pyneural import Generator, Tensor, functional, nn

pytestmark = pytest.mark.usefixtures("reference_device")

_LAYERS: list[tuple[str, dict[str, Any], tuple[int, ...]]] = [
    ("Linear", {"in_features": 5, "out_features": 3}, (2, 4, 5)),
    ("Linear", {"in_features": 5, "out_features": 3, "bias": False}, (5,)),
    ("Conv2d", {"in_channels": 4, "out_channels": 6, "kernel_size": 3}, (2, 4, 7, 5)),
    (
        "Conv2d",
        {
            "in_channels": 4,
            "out_channels": 6,
            "kernel_size": (3, 2),
            "stride": (2, 1),
            "padding": (1, 2),
            "dilation": (1, 2),
            "groups": 2,
            "bias": False,
        },
        (1, 4, 9, 8),
    ),
    ("BatchNorm2d", {"num_features": 3}, (4, 3, 2, 5)),
    ("BatchNorm2d", {"num_features": 3, "affine": False, "momentum": None}, (4, 3, 2, 5)),
    ("BatchNorm2d", {"num_features": 3, "track_running_stats": False, "eps": 1e-3}, (4, 3, 2, 5)),
    ("MaxPool2d", {"kernel_size": 3, "stride": 2, "padding": 1}, (2, 3, 7, 8)),
    ("MaxPool2d", {"kernel_size": (2, 3), "ceil_mode": True}, (2, 3, 7, 8)),
    ("AvgPool2d", {"kernel_size": 3, "stride": 2, "padding": 1, "count_include_pad": False}, (2, 3, 7, 8)),
    ("ReLU", {}, (3, 4)),
    ("LeakyReLU", {"negative_slope": 0.2}, (3, 4)),
    ("ELU", {"alpha": 1.5}, (3, 4)),
    ("GELU", {}, (3, 4)),
    ("GELU", {"approximate": "tanh"}, (3, 4)),
    ("SiLU", {}, (3, 4)),
    ("Sigmoid", {}, (3, 4)),
    ("Tanh", {}, (3, 4)),
    ("Softplus", {"beta": 2.0, "threshold": 1.0}, (3, 4)),
    ("Softmax", {"dim": 1}, (3, 4)),
    ("Flatten", {}, (3, 4, 5)),
    ("Identity", {}, (3, 4)),
    ("SELU", {}, (3, 4)),
    ("Mish", {}, (3, 4)),
    ("Hardswish", {}, (3, 4)),
    ("Hardsigmoid", {}, (3, 4)),
    ("LogSoftmax", {"dim": -1}, (3, 4)),
    ("BatchNorm1d", {"num_features": 3}, (5, 3)),
    ("BatchNorm1d", {"num_features": 3, "eps": 1e-3}, (4, 3, 7)),
    ("BatchNorm3d", {"num_features": 3}, (2, 3, 2, 3, 4)),
    ("LayerNorm", {"normalized_shape": 7}, (2, 5, 7)),
    ("LayerNorm", {"normalized_shape": (3, 4), "bias": False, "eps": 1e-3}, (2, 3, 4)),
    ("LayerNorm", {"normalized_shape": 7, "elementwise_affine": False}, (7,)),
    ("RMSNorm", {"normalized_shape": 7}, (2, 5, 7)),
    ("RMSNorm", {"normalized_shape": (3, 4), "eps": 1e-2, "elementwise_affine": False}, (2, 3, 4)),
    ("GroupNorm", {"num_groups": 2, "num_channels": 6}, (3, 6, 4, 5)),
    ("GroupNorm", {"num_groups": 6, "num_channels": 6, "affine": False}, (3, 6)),
    ("Conv1d", {"in_channels": 4, "out_channels": 6, "kernel_size": 3, "stride": 2, "padding": 1}, (2, 4, 9)),
    ("Conv1d", {"in_channels": 4, "out_channels": 4, "kernel_size": 4, "padding": "same", "groups": 4}, (4, 9)),
    ("Conv2d", {"in_channels": 2, "out_channels": 3, "kernel_size": (2, 3), "padding": "same"}, (2, 2, 5, 4)),
    ("Conv3d", {"in_channels": 2, "out_channels": 4, "kernel_size": (2, 3, 1), "groups": 2}, (2, 2, 4, 5, 3)),
    ("ConvTranspose2d", {"in_channels": 4, "out_channels": 3, "kernel_size": 3}, (2, 4, 5, 4)),
    (
        "ConvTranspose2d",
        {
            "in_channels": 4,
            "out_channels": 6,
            "kernel_size": (3, 2),
            "stride": (3, 2),
            "padding": (1, 0),
            "output_padding": (2, 1),
            "groups": 2,
            "bias": False,
            "dilation": (1, 2),
        },
        (1, 4, 4, 5),
    ),
    ("MaxPool1d", {"kernel_size": 3, "stride": 2, "padding": 1}, (2, 3, 8)),
    ("AvgPool1d", {"kernel_size": 3, "padding": 1, "count_include_pad": False, "ceil_mode": True}, (2, 3, 8)),
    ("AdaptiveAvgPool2d", {"output_size": (3, None)}, (2, 3, 7, 5)),
    ("AdaptiveAvgPool2d", {"output_size": 2}, (3, 7, 5)),
]


@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel lengths")
@pytest.mark.parametrize(("name", "attributes", "shape"), _LAYERS)
def test_layer_is_pytorch_s(name: str, attributes: dict[str, Any], shape: tuple[int, ...], rng: np.random.Generator):
    torch = pytest.importorskip("torch", reason="PyTorch is the oracle here and is not installed")
    ours = getattr(nn, name)(**attributes).double()
    theirs = getattr(torch.nn, name)(**attributes).double()
    state = ours.state_dict()
    assert list(state) == list(theirs.state_dict())
    theirs.load_state_dict({key: torch.tensor(each.numpy()) for key, each in state.items()})
    for _ in range(2):  # the second call has moved running statistics
        data = rng.standard_normal(shape)
        x, t = Tensor(data, requires_grad=True), torch.tensor(data, requires_grad=True)
        y, u = ours(x), theirs(t)
        np.testing.assert_allclose(y.detach().numpy(), u.detach().numpy(), rtol=1e-12, atol=1e-12)
        cotangent = rng.standard_normal(y.shape)
        y.backward(Tensor(cotangent))
        u.backward(torch.tensor(cotangent))
        # PyTorch's derivative of the hard sigmoid has 1/6 in float32.
        rtol = 1e-7 if name == "Hardsigmoid" else 1e-10
        np.testing.assert_allclose(x.grad.numpy(), t.grad.numpy(), rtol=rtol, atol=1e-11)
    for key, parameter in theirs.named_parameters():
        own = dict(ours.named_parameters())[key]
        np.testing.assert_allclose(own.grad.numpy(), parameter.grad.numpy(), rtol=1e-10, atol=1e-11)
    for key, buffer in theirs.named_buffers():
        np.testing.assert_allclose(dict(ours.named_buffers())[key].numpy(), buffer.numpy(), rtol=1e-12)
    ours.eval()
    theirs.eval()
    np.testing.assert_allclose(
        ours(Tensor(data)).detach().numpy(), theirs(torch.tensor(data)).detach().numpy(), rtol=1e-12, atol=1e-12
    )


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_losses_are_pytorch_s(reduction: str, rng: np.random.Generator):
    torch = pytest.importorskip("torch", reason="PyTorch is the oracle here and is not installed")
    logits, target = rng.standard_normal((6, 4)), rng.integers(0, 4, 6)
    weight = rng.uniform(0.5, 2.0, 4)
    ours = nn.CrossEntropyLoss(Tensor(weight), reduction=reduction, label_smoothing=0.1, ignore_index=2)
    theirs = torch.nn.CrossEntropyLoss(torch.tensor(weight), reduction=reduction, label_smoothing=0.1, ignore_index=2)
    np.testing.assert_allclose(
        ours(Tensor(logits), Tensor(target)).numpy(),
        theirs(torch.tensor(logits), torch.tensor(target)).numpy(),
        rtol=1e-12,
    )
    assert list(ours.state_dict()) == ["weight"]
    other = rng.standard_normal((6, 4))
    np.testing.assert_allclose(
        nn.MSELoss(reduction)(Tensor(logits), Tensor(other)).numpy(),
        torch.nn.MSELoss(reduction=reduction)(torch.tensor(logits), torch.tensor(other)).numpy(),
        rtol=1e-12,
    )


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize(
    ("name", "attributes"),
    [
        ("L1Loss", {}),
        ("SmoothL1Loss", {"beta": 0.5}),
        ("HuberLoss", {"delta": 0.7}),
        ("BCEWithLogitsLoss", {"weight": (4,), "pos_weight": (6, 1)}),
        ("BCEWithLogitsLoss", {}),
    ],
)
def test_elementwise_losses_are_pytorch_s(
    name: str, attributes: dict[str, Any], reduction: str, rng: np.random.Generator
):
    torch = pytest.importorskip("torch", reason="PyTorch is the oracle here and is not installed")
    drawn = {
        key: rng.uniform(0.5, 2.0, value) if isinstance(value, tuple) else value for key, value in attributes.items()
    }
    ours = getattr(nn, name)(
        reduction=reduction, **{k: Tensor(v) if isinstance(v, np.ndarray) else v for k, v in drawn.items()}
    )
    theirs = getattr(torch.nn, name)(
        reduction=reduction, **{k: torch.tensor(v) if isinstance(v, np.ndarray) else v for k, v in drawn.items()}
    )
    data, target = rng.standard_normal((6, 4)), rng.uniform(0.0, 1.0, (6, 4))
    x, t = Tensor(data, requires_grad=True), torch.tensor(data, requires_grad=True)
    loss, expected = ours(x, Tensor(target)), theirs(t, torch.tensor(target))
    np.testing.assert_allclose(loss.detach().numpy(), expected.detach().numpy(), rtol=1e-12)
    loss.sum().backward()
    expected.sum().backward()
    np.testing.assert_allclose(x.grad.numpy(), t.grad.numpy(), rtol=1e-10, atol=1e-13)
    assert list(ours.state_dict()) == list(theirs.state_dict())


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_nll_loss_is_pytorch_s(reduction: str, rng: np.random.Generator):
    torch = pytest.importorskip("torch", reason="PyTorch is the oracle here and is not installed")
    data, target = rng.standard_normal((6, 4)), rng.integers(0, 4, 6)
    weight = rng.uniform(0.5, 2.0, 4)
    ours = nn.NLLLoss(Tensor(weight), ignore_index=1, reduction=reduction)
    theirs = torch.nn.NLLLoss(torch.tensor(weight), ignore_index=1, reduction=reduction)
    given = Tensor(data), Tensor(target)
    np.testing.assert_allclose(
        ours(*given).numpy(), theirs(torch.tensor(data), torch.tensor(target)).numpy(), rtol=1e-12
    )


@pytest.mark.parametrize("activation", ["relu", "gelu", "gelu_tanh", "silu", "sigmoid", "tanh"])
def test_fused_activation_of_linear(activation: str):
    plain = nn.Linear(4, 3).double()
    fused = nn.Linear(4, 3, activation=activation).double()
    fused.load_state_dict(plain.state_dict())
    x = pyneural.randn(5, 4, dtype="float64")
    after = {
        "gelu": functional.gelu,
        "gelu_tanh": lambda y: functional.gelu(y, "tanh"),
        "silu": functional.silu,
    }.get(activation, getattr(functional, activation, None))
    np.testing.assert_allclose(fused(x).detach().numpy(), after(plain(x)).detach().numpy(), rtol=1e-12)
    assert f"activation='{activation}'" in repr(fused)


def test_fused_relu_of_conv():
    plain = nn.Conv2d(2, 3, 3)
    fused = nn.Conv2d(2, 3, 3, activation="relu")
    fused.load_state_dict(plain.state_dict())
    x = pyneural.randn(1, 2, 6, 6)
    np.testing.assert_allclose(fused(x).detach().numpy(), plain(x).relu().detach().numpy(), rtol=1e-6)


def test_dropout_only_in_training_and_by_its_generator():
    x = pyneural.ones(1000)
    layer = nn.Dropout(0.25, generator=Generator(3))
    y = layer(x).numpy()
    assert set(np.unique(y)) == {np.float32(0.0), np.float32(1.0 / 0.75)}
    assert 150 < int((y == 0).sum()) < 350
    assert np.array_equal(nn.Dropout(0.25, generator=Generator(3))(x).numpy(), y)
    assert layer.eval()(x) is x


def test_sequential_indexing_and_names():
    model = nn.Sequential({"first": nn.Linear(2, 3), "second": nn.ReLU()})
    assert list(model.state_dict()) == ["first.weight", "first.bias"]
    assert model[0] is model.first
    assert model[-1] is model.second
    assert len(model[:1]) == 1
    assert model[:1][0] is model.first
    model.append(nn.Linear(3, 1))
    assert len(model) == 3
    assert [type(each).__name__ for each in model] == ["Linear", "ReLU", "Linear"]
    assert model(pyneural.ones(4, 2)).shape == (4, 1)


def test_device_and_dtype_of_constructors():
    layer = nn.Conv2d(1, 2, 3, device="cpu", dtype="float64")
    assert {(str(each.device), str(each.dtype)) for each in layer.parameters()} == {("cpu", "float64")}
    norm = nn.BatchNorm2d(4, device="cpu", dtype="float64")
    assert str(norm.running_var.device) == str(norm.num_batches_tracked.device) == "cpu"
    assert norm.running_mean.dtype == np.float64
