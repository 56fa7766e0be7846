"""RNN, LSTM and GRU against PyTorch's, from its weights."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import pyneural
from pyneural import Generator, Tensor, nn
from pyneural.autograd import gradcheck, gradgradcheck

pytestmark = pytest.mark.usefixtures("reference_device")

_CASES: list[dict[str, Any]] = [
    {},
    {"num_layers": 2, "bidirectional": True},
    {"num_layers": 3, "bias": False, "batch_first": True},
    {"bidirectional": True, "batch_first": True},
]


def _twins(torch: Any, kind: str, **attributes: Any) -> tuple[Any, Any]:
    theirs = getattr(torch.nn, kind)(3, 5, **attributes).double()
    ours = getattr(nn, kind)(3, 5, **attributes).double()
    assert list(ours.state_dict()) == list(theirs.state_dict())
    ours.load_state_dict({name: Tensor(each.numpy()) for name, each in theirs.state_dict().items()})
    return ours, theirs


def _compared(ours: Any, theirs: Any) -> None:
    np.testing.assert_allclose(ours.detach().numpy(), theirs.detach().numpy(), rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("kind", ["RNN", "LSTM", "GRU"])
@pytest.mark.parametrize("attributes", _CASES, ids=[str(each) for each in _CASES])
@pytest.mark.parametrize("batch", [2, None])
@pytest.mark.parametrize("with_state", [True, False])
def test_is_pytorch_s(
    kind: str, attributes: dict[str, Any], batch: int | None, with_state: bool, rng: np.random.Generator
):
    torch = pytest.importorskip("torch", reason="PyTorch is the oracle here and is not installed")
    ours, theirs = _twins(torch, kind, **attributes)
    lead = (4,) if batch is None else (batch, 4) if ours.batch_first else (4, batch)
    data = rng.standard_normal((*lead, 3))
    x, t = Tensor(data, requires_grad=True), torch.tensor(data, requires_grad=True)
    rows = ours.num_layers * ours.directions
    states = [rng.standard_normal((rows, *(() if batch is None else (batch,)), 5)) for _ in range(ours.states)]
    hx = [Tensor(each, requires_grad=True) for each in states]
    their_hx = [torch.tensor(each, requires_grad=True) for each in states]
    if with_state:
        pair = (hx[0], their_hx[0]) if ours.states == 1 else (tuple(hx), tuple(their_hx))
        (y, end), (u, their_end) = ours(x, pair[0]), theirs(t, pair[1])
    else:
        (y, end), (u, their_end) = ours(x), theirs(t)
    if ours.states == 1:
        end, their_end = (end,), (their_end,)
    _compared(y, u)
    total, expected = (y * y).sum(), (u * u).sum()
    for a, b in zip(end, their_end, strict=True):
        _compared(a, b)
        total, expected = total + (a * a * a).sum(), expected + (b * b * b).sum()
    total.backward()
    expected.backward()
    _compared(x.grad, t.grad)
    for (_, parameter), (_, other) in zip(ours.named_parameters(), theirs.named_parameters(), strict=True):
        _compared(parameter.grad, other.grad)
    if with_state:
        for a, b in zip(hx, their_hx, strict=True):
            _compared(a.grad, b.grad)


def test_relu_cell(rng: np.random.Generator):
    torch = pytest.importorskip("torch", reason="PyTorch is the oracle here and is not installed")
    ours, theirs = _twins(torch, "RNN", nonlinearity="relu")
    data = rng.standard_normal((4, 2, 3))
    _compared(ours(Tensor(data))[0], theirs(torch.tensor(data))[0])


@pytest.mark.parametrize("kind", ["LSTM", "GRU"])
def test_derivatives_of_both_orders(kind: str, rng: np.random.Generator):
    layer = getattr(nn, kind)(2, 2, bidirectional=True).double()
    x = Tensor(rng.standard_normal((2, 1, 2)), requires_grad=True)
    assert gradcheck(lambda x: layer(x)[0], x)
    assert gradgradcheck(lambda x: layer(x)[0], x)


def test_dropout_lies_between_layers_in_training_only():
    layer = nn.GRU(2, 4, num_layers=2, dropout=0.5)
    x = pyneural.ones(3, 2, 2)
    pyneural.manual_seed(1)
    first = layer(x)[0].detach().numpy()
    assert not np.array_equal(first, layer(x)[0].detach().numpy())
    layer.eval()
    assert np.array_equal(layer(x)[0].detach().numpy(), layer(x)[0].detach().numpy())


def test_start_is_within_one_over_root_hidden_size():
    layer = nn.LSTM(3, 16)
    for each in layer.parameters():
        assert 0.2 < np.abs(each.detach().numpy()).max() <= 0.25
    pyneural.manual_seed(5)
    again = nn.LSTM(3, 16)
    pyneural.manual_seed(5)
    assert np.array_equal(nn.LSTM(3, 16).weight_hh_l0.detach().numpy(), again.weight_hh_l0.detach().numpy())
    assert Generator(5).seed == 5


def test_steps_of_a_long_sequence_share_their_graph():
    """One node takes the projected sequence apart: the gradient is joined once, not added up step by step."""
    layer = nn.LSTM(2, 3)
    x = pyneural.randn(50, 1, 2).requires_grad_()
    with pyneural.kernels.record() as recording:
        layer(x)[0].sum().backward()
    assert recording.uses["cat"].calls < 2 * 50 + 10
    assert x.grad.shape == (50, 1, 2)


def test_repr_and_cost():
    layer = nn.LSTM(3, 5, num_layers=2, bidirectional=True)
    assert repr(layer) == "LSTM(3, 5, num_layers=2, bidirectional=True)"
    assert layer.summary((4, 2, 3)).flops == 8 * 2 * 2 * (20 * 3 + 20 * 5 + 20 * 10 + 20 * 5)
