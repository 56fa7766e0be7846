"""Multi-head attention and transformer layers against PyTorch's, from its weights."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import pyneural
from pyneural import Tensor, functional, nn

pytestmark = [
    pytest.mark.usefixtures("reference_device"),
    pytest.mark.filterwarnings("ignore:enable_nested_tensor is True"),
    pytest.mark.filterwarnings("ignore:The PyTorch API of nested tensors"),
    pytest.mark.filterwarnings("ignore:Support for mismatched"),
]

E, HEADS, L, S, N = 8, 2, 4, 5, 3


def _copied(ours: Any, theirs: Any) -> None:
    assert list(ours.state_dict()) == list(theirs.state_dict())
    ours.load_state_dict({name: Tensor(each.numpy()) for name, each in theirs.state_dict().items()})


def _compared(ours: Any, theirs: Any) -> None:
    np.testing.assert_allclose(ours.detach().numpy(), theirs.detach().numpy(), rtol=1e-9, atol=1e-12)


def _gradients(ours: Any, theirs: Any, inputs: list[tuple[Any, Any]], y: Any, u: Any) -> None:
    (y * y).sum().backward()
    (u * u).sum().backward()
    for a, b in inputs:
        _compared(a.grad, b.grad)
    for (_, a), (_, b) in zip(ours.named_parameters(), theirs.named_parameters(), strict=True):
        _compared(a.grad, b.grad)


def _pair(torch: Any, data: np.ndarray) -> tuple[Tensor, Any]:
    return Tensor(data, requires_grad=True), torch.tensor(data, requires_grad=True)


_MHA: list[dict[str, Any]] = [
    {},
    {"bias": False, "batch_first": True},
    {"kdim": 3, "vdim": 6},
    {"add_bias_kv": True},
    {"add_zero_attn": True, "add_bias_kv": True, "batch_first": True},
]


@pytest.mark.parametrize("attributes", _MHA, ids=[str(each) for each in _MHA])
@pytest.mark.parametrize("need_weights", [True, False])
@pytest.mark.parametrize("masked", ["no", "bool", "float", "by head", "both"])
def test_multihead_is_pytorch_s(attributes: dict[str, Any], need_weights: bool, masked: str, rng: np.random.Generator):
    torch = pytest.importorskip("torch", reason="PyTorch is the oracle here and is not installed")
    theirs = torch.nn.MultiheadAttention(E, HEADS, **attributes).double()
    for each in theirs.parameters():
        if each.ndim == 1:
            torch.nn.init.normal_(each)
    ours = nn.MultiheadAttention(E, HEADS, **attributes).double()
    _copied(ours, theirs)

    def sequence(length: int, width: int) -> tuple[Tensor, Any]:
        shape = (N, length, width) if ours.batch_first else (length, N, width)
        return _pair(torch, rng.standard_normal(shape))

    q, k, v = sequence(L, E), sequence(S, ours.kdim), sequence(S, ours.vdim)
    masks: dict[str, np.ndarray] = {}
    if masked in ("bool", "both"):
        masks["attn_mask"] = np.triu(np.ones((L, S), bool), 2)
    elif masked == "float":
        masks["attn_mask"] = rng.standard_normal((L, S))
    elif masked == "by head":
        masks["attn_mask"] = rng.standard_normal((N * HEADS, L, S))
    if masked == "both":
        masks["key_padding_mask"] = np.arange(S)[None] >= np.array([5, 4, 1])[:, None]
    own = {name: Tensor(each) for name, each in masks.items()}
    other = {name: torch.tensor(each) for name, each in masks.items()}
    for average in (True, False):
        y, weights = ours(q[0], k[0], v[0], need_weights=need_weights, average_attn_weights=average, **own)
        u, expected = theirs(q[1], k[1], v[1], need_weights=need_weights, average_attn_weights=average, **other)
        _compared(y, u)
        if need_weights:
            _compared(weights, expected)
        else:
            assert weights is None
    _gradients(ours, theirs, [q, k, v], y, u)


def test_self_attention_without_a_batch(rng: np.random.Generator):
    torch = pytest.importorskip("torch", reason="PyTorch is the oracle here and is not installed")
    theirs, ours = torch.nn.MultiheadAttention(E, HEADS).double(), nn.MultiheadAttention(E, HEADS).double()
    _copied(ours, theirs)
    x, t = _pair(torch, rng.standard_normal((L, E)))
    (y, weights), (u, expected) = ours(x, x, x), theirs(t, t, t)
    _compared(y, u)
    _compared(weights, expected)
    _gradients(ours, theirs, [(x, t)], y, u)


@pytest.mark.parametrize("need_weights", [True, False])
@pytest.mark.parametrize("add_zero_attn", [True, False])
def test_causal_is_a_mask(need_weights: bool, add_zero_attn: bool, rng: np.random.Generator):
    layer = nn.MultiheadAttention(E, HEADS, add_zero_attn=add_zero_attn).double()
    x = Tensor(rng.standard_normal((L, N, E)))
    mask = Tensor(np.triu(np.ones((L, L), bool), 1))
    expected = layer(x, x, x, need_weights=need_weights, attn_mask=mask)[0]
    _compared(layer(x, x, x, need_weights=need_weights, is_causal=True)[0], expected)


def test_a_query_without_keys_gets_the_output_bias():
    layer = nn.MultiheadAttention(E, HEADS, batch_first=True)
    nn.init.constant_(layer.out_proj.bias, 0.5)
    x = pyneural.randn(1, 3, E)
    mask = Tensor(np.ones((1, 3), bool))
    for need_weights in (True, False):
        y, _ = layer(x, x, x, key_padding_mask=mask, need_weights=need_weights)
        np.testing.assert_allclose(y.detach().numpy(), 0.5)


def test_dropout_acts_in_training_only():
    layer = nn.MultiheadAttention(E, HEADS, dropout=0.5)
    x = pyneural.randn(L, N, E)
    for need_weights in (True, False):
        layer.train()
        first = layer(x, x, x, need_weights=need_weights)[0].detach().numpy()
        assert not np.array_equal(first, layer(x, x, x, need_weights=need_weights)[0].detach().numpy())
        layer.eval()
        first = layer(x, x, x, need_weights=need_weights)[0].detach().numpy()
        assert np.array_equal(first, layer(x, x, x, need_weights=need_weights)[0].detach().numpy())


_LAYERS: list[dict[str, Any]] = [
    {},
    {"norm_first": True, "batch_first": True},
    {"activation": "gelu", "bias": False, "layer_norm_eps": 1e-3},
]


def _layer(kind: str, attributes: dict[str, Any], torch: Any) -> tuple[Any, Any]:
    arguments = {"dim_feedforward": 11, "dropout": 0.0, **attributes}
    theirs = getattr(torch.nn, kind)(E, HEADS, **arguments).double()
    ours = getattr(nn, kind)(E, HEADS, **arguments).double()
    _copied(ours, theirs)
    return ours, theirs


@pytest.mark.parametrize("attributes", _LAYERS, ids=[str(each) for each in _LAYERS])
def test_encoder_layer_is_pytorch_s(attributes: dict[str, Any], rng: np.random.Generator):
    torch = pytest.importorskip("torch", reason="PyTorch is the oracle here and is not installed")
    ours, theirs = _layer("TransformerEncoderLayer", attributes, torch)
    x, t = _pair(torch, rng.standard_normal((N, L, E) if attributes.get("batch_first") else (L, N, E)))
    causal = np.triu(np.ones((L, L), bool), 1)
    padding = np.arange(L)[None] >= np.array([4, 3, 2])[:, None]
    y = ours(x, Tensor(causal), Tensor(padding))
    u = theirs(t, torch.tensor(causal), torch.tensor(padding))
    _compared(y, u)
    _gradients(ours, theirs, [(x, t)], y, u)
    _compared(ours(x, is_causal=True), ours(x, Tensor(causal)))


@pytest.mark.parametrize("attributes", _LAYERS, ids=[str(each) for each in _LAYERS])
def test_decoder_layer_is_pytorch_s(attributes: dict[str, Any], rng: np.random.Generator):
    torch = pytest.importorskip("torch", reason="PyTorch is the oracle here and is not installed")
    ours, theirs = _layer("TransformerDecoderLayer", attributes, torch)
    first = attributes.get("batch_first")
    x, t = _pair(torch, rng.standard_normal((N, L, E) if first else (L, N, E)))
    m, o = _pair(torch, rng.standard_normal((N, S, E) if first else (S, N, E)))
    causal = np.triu(np.ones((L, L), bool), 1)
    padding = np.arange(S)[None] >= np.array([4, 3, 2])[:, None]
    y = ours(x, m, Tensor(causal), memory_key_padding_mask=Tensor(padding))
    u = theirs(t, o, torch.tensor(causal), memory_key_padding_mask=torch.tensor(padding))
    _compared(y, u)
    _gradients(ours, theirs, [(x, t), (m, o)], y, u)


def test_stacks_are_pytorch_s(rng: np.random.Generator):
    torch = pytest.importorskip("torch", reason="PyTorch is the oracle here and is not installed")
    arguments = {"dim_feedforward": 7, "dropout": 0.0}
    theirs = torch.nn.TransformerEncoder(
        torch.nn.TransformerEncoderLayer(E, HEADS, **arguments), 3, torch.nn.LayerNorm(E)
    ).double()
    ours = nn.TransformerEncoder(nn.TransformerEncoderLayer(E, HEADS, **arguments), 3, nn.LayerNorm(E)).double()
    _copied(ours, theirs)
    data = rng.standard_normal((S, N, E))
    x, t = _pair(torch, data)
    memory, expected = ours(x), theirs(t)
    _compared(memory, expected)
    decoder = torch.nn.TransformerDecoder(torch.nn.TransformerDecoderLayer(E, HEADS, **arguments), 2).double()
    own = nn.TransformerDecoder(nn.TransformerDecoderLayer(E, HEADS, **arguments), 2).double()
    _copied(own, decoder)
    causal = np.triu(np.ones((S, S), bool), 1)
    y, u = own(x, memory, tgt_mask=Tensor(causal)), decoder(t, expected, tgt_mask=torch.tensor(causal))
    _compared(y, u)
    _gradients(ours, theirs, [(x, t)], y, u)


def test_copies_of_a_layer_are_their_own():
    layer = nn.TransformerEncoderLayer(E, HEADS, 6)
    stack = nn.TransformerEncoder(layer, 2)
    first, second = stack.layers
    assert first.linear1.weight is not second.linear1.weight
    assert np.array_equal(first.linear1.weight.detach().numpy(), second.linear1.weight.detach().numpy())
    assert len(list(stack.parameters())) == 2 * len(list(layer.parameters()))


def test_activation_may_be_a_function():
    plain = nn.TransformerEncoderLayer(E, HEADS, 6, 0.0, "gelu")
    other = nn.TransformerEncoderLayer(E, HEADS, 6, 0.0, functional.gelu)
    other.load_state_dict(plain.state_dict())
    x = pyneural.randn(L, N, E)
    np.testing.assert_allclose(plain(x).detach().numpy(), other(x).detach().numpy(), rtol=1e-5)


@pytest.mark.parametrize(
    ("attributes", "index", "expected"),
    [({}, [[1, 2], [0, 3]], (2, 2, 3)), ({"padding_idx": -1}, [4, 4, 0], (3, 3)), ({"padding_idx": 0}, 2, (3,))],
)
def test_embedding_is_pytorch_s(attributes: dict[str, Any], index: Any, expected: tuple[int, ...]):
    torch = pytest.importorskip("torch", reason="PyTorch is the oracle here and is not installed")
    theirs, ours = torch.nn.Embedding(5, 3, **attributes).double(), nn.Embedding(5, 3, **attributes).double()
    _copied(ours, theirs)
    y, u = ours(Tensor(np.array(index))), theirs(torch.tensor(index))
    assert y.shape == expected
    _compared(y, u)
    (y * y).sum().backward()
    (u * u).sum().backward()
    _compared(ours.weight.grad, theirs.weight.grad)
    if attributes:
        assert nn.Embedding(5, 3, **attributes).weight.detach().numpy()[attributes["padding_idx"]].tolist() == [0.0] * 3


def test_embedding_from_pretrained_and_shared_with_the_output():
    table = pyneural.randn(4, 3)
    frozen = nn.Embedding.from_pretrained(table)
    assert not frozen.weight.requires_grad
    assert np.shares_memory(frozen.weight.numpy(), table.numpy())

    class Tied(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embedding = nn.Embedding(6, 4)
            self.output = nn.Linear(4, 6, bias=False)
            self.output.weight = self.embedding.weight

        def forward(self, x: Tensor) -> Tensor:
            return self.output(self.embedding(x))

    model = Tied()
    assert [name for name, _ in model.named_parameters()] == ["embedding.weight"]
    assert list(model.state_dict()) == ["embedding.weight", "output.weight"]
    model(Tensor([0, 5])).sum().backward()
    alone = model.embedding.weight.grad.numpy().copy()
    weight = model.embedding.weight.detach()
    separate, other = nn.Parameter(weight.clone()), nn.Parameter(weight.clone())
    functional.linear(functional.embedding(Tensor([0, 5]), separate), other).sum().backward()
    np.testing.assert_allclose(alone, (separate.grad + other.grad).numpy(), rtol=1e-6)
    model.to("float64")
    assert model.output.weight is model.embedding.weight
    assert math.isfinite(model(Tensor([1])).sum().item())
