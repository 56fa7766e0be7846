"""Layers that keep keys and values, the optimizer's groups, the curve of a training."""

from __future__ import annotations

import math

import numpy as np
import pytest

import pyneural
from pyneural import Tensor, nn
from pyneural.apps import blocks
from pyneural.apps.blocks import Layer
from pyneural.apps.text_pictures import curve

WIDTH, HEADS = 8, 2
MADE = {"device": "reference", "dtype": np.float64}


def _layer(looks: bool) -> Layer:
    pyneural.manual_seed(3)
    layer = Layer(WIDTH, HEADS, 12, 0.5, MADE, looks)
    return layer.eval().requires_grad_(False)


@pytest.mark.usefixtures("reference_device")
@pytest.mark.parametrize("looks", [False, True])
def test_place_by_place_is_all_at_once(rng: np.random.Generator, looks: bool):
    layer, x = _layer(looks), Tensor(rng.normal(size=(3, 7, WIDTH)))
    memory = None if layer.other is None else layer.other.kept(Tensor(rng.normal(size=(3, 5, WIDTH))))
    mask = Tensor(rng.random((3, 1, 1, 5)) < 0.7) if looks else None
    whole, (keys, values) = layer(x, causal=True, memory=memory, memory_mask=mask)
    told, kept = layer(x[:, :3], causal=True, memory=memory, memory_mask=mask)
    parts = [told]
    for place in range(3, 7):
        told, kept = layer(x[:, place : place + 1], kept, causal=True, memory=memory, memory_mask=mask)
        parts.append(told)
    np.testing.assert_allclose(np.concatenate([each.numpy() for each in parts], 1), whole.numpy(), rtol=1e-10)
    np.testing.assert_allclose(kept[0].numpy(), keys.numpy(), rtol=1e-12)
    np.testing.assert_allclose(kept[1].numpy(), values.numpy(), rtol=1e-12)
    assert keys.shape == (3, HEADS, 7, WIDTH // HEADS)


@pytest.mark.usefixtures("reference_device")
def test_a_layer_against_numpy(rng: np.random.Generator):
    layer, x = _layer(False), rng.normal(size=(2, 4, WIDTH))

    def normed(x: np.ndarray) -> np.ndarray:
        return (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + 1e-5)

    def straight(part: nn.Linear, x: np.ndarray) -> np.ndarray:
        assert part.bias is not None
        return x @ part.weight.numpy().T + part.bias.numpy()

    expected = x.copy()
    own, shown = layer.own, normed(x)
    query, pair = straight(own.query, shown), straight(own.pair, shown)
    mixed = np.zeros_like(query)
    for head in range(HEADS):
        part = slice(head * WIDTH // HEADS, (head + 1) * WIDTH // HEADS)
        scores = query[..., part] @ pair[..., :WIDTH][..., part].transpose(0, 2, 1) / math.sqrt(WIDTH / HEADS)
        scores = np.exp(np.where(np.tri(4, dtype=bool), scores, -np.inf))
        mixed[..., part] = scores / scores.sum(-1, keepdims=True) @ pair[..., WIDTH:][..., part]
    expected = expected + straight(own.out, mixed)
    hidden = straight(layer.wide, normed(expected))
    hidden = 0.5 * hidden * (1 + np.tanh(math.sqrt(2 / math.pi) * (hidden + 0.044715 * hidden**3)))
    expected = expected + straight(layer.narrow, hidden)
    np.testing.assert_allclose(layer(Tensor(x), causal=True)[0].numpy(), expected, rtol=1e-9, atol=1e-12)


@pytest.mark.usefixtures("reference_device")
def test_weights_are_what_the_attention_mixes(rng: np.random.Generator):
    layer = _layer(True)
    assert layer.other is not None
    x, kept = Tensor(rng.normal(size=(2, 3, WIDTH))), layer.other.kept(Tensor(rng.normal(size=(2, 5, WIDTH))))
    mask = Tensor(np.arange(5).reshape(1, 1, 1, 5) < np.array([5, 3]).reshape(2, 1, 1, 1))
    weights = layer.other.weights(x, kept, mask)
    np.testing.assert_allclose(weights.numpy().sum(-1), 1.0)
    assert (weights.numpy()[1, :, :, 3:] == 0.0).all()
    mixed = (weights @ kept[1]).transpose(1, 2).reshape(2, 3, WIDTH)
    np.testing.assert_allclose(layer.other.out(mixed).numpy(), layer.other(x, kept, mask).numpy(), rtol=1e-10)


def test_more_places_behind_kept_ones_are_refused(rng: np.random.Generator):
    layer = _layer(False)
    x = Tensor(rng.normal(size=(1, 2, WIDTH)), device="reference")
    with pytest.raises(ValueError, match="behind kept keys x must have one place, not 2"):
        layer(x, layer(x, causal=True)[1], causal=True)


def test_vectors_do_not_decay():
    layer = Layer(WIDTH, HEADS, 12, 0.5, MADE, True)
    groups = blocks.decaying(0.25)(layer.parameters(), 1e-3).param_groups
    assert sorted(each["weight_decay"] for each in groups) == [0.0, 0.25]
    for group in groups:
        assert {each.ndim for each in group["params"]} == ({2} if group["weight_decay"] else {1})
    assert sum(len(group["params"]) for group in groups) == len(list(layer.parameters()))


def test_the_curve_of_a_training():
    """Eight steps in two epochs, in four parts; of fewer steps than parts those between are on a straight line."""
    np.testing.assert_allclose(
        curve([8.0, 6.0, 5.0, 3.0, 2.0, 2.0, 1.0, 3.0], [4.0, 2.0], 4), [[7, 4, 2, 2], [0, 0, 3.5, 2.5]]
    )
    np.testing.assert_allclose(curve([4.0, 2.0], [], 3)[0], [4.0, 2.0, 2.0])
    assert not curve([], [], 3).any()
