"""Lists and dicts of modules and parameters."""

from __future__ import annotations

import copy

import pytest

import pyneural
from pyneural import nn

pytestmark = pytest.mark.usefixtures("reference_device")


def test_module_list():
    layers = nn.ModuleList([nn.Linear(2, 2), nn.ReLU()])
    layers.append(nn.Tanh()).extend([nn.Sigmoid()])
    layers.insert(1, nn.GELU())
    assert [type(each).__name__ for each in layers] == ["Linear", "GELU", "ReLU", "Tanh", "Sigmoid"]
    assert list(layers.state_dict()) == ["0.weight", "0.bias"]
    assert isinstance(layers[-1], nn.Sigmoid)
    part = layers[1:3]
    assert isinstance(part, nn.ModuleList)
    assert part[0] is layers[1]
    layers[0] = nn.Identity()
    assert list(layers.parameters()) == []
    assert isinstance(layers.pop(), nn.Sigmoid)
    del layers[0]
    assert [type(each).__name__ for each in layers] == ["GELU", "ReLU", "Tanh"]
    assert [name for name, _ in layers.named_children()] == ["0", "1", "2"]
    assert "(2): Tanh()" in repr(layers)


def test_module_dict():
    heads = nn.ModuleDict({"a": nn.Linear(2, 1), "b": nn.Linear(2, 3)})
    heads["c"] = nn.ReLU()
    assert list(heads) == list(heads.keys()) == ["a", "b", "c"]
    assert heads["b"](pyneural.ones(1, 2)).shape == (1, 3)
    assert "a" in heads
    assert "z" not in heads
    assert [name for name, _ in heads.items()] == ["a", "b", "c"]
    assert heads.pop("a") not in list(heads.values())
    del heads["c"]
    assert list(heads.state_dict()) == ["b.weight", "b.bias"]
    heads.update([("b", nn.Identity())])
    assert len(heads) == 1


def test_parameter_list():
    values = nn.ParameterList([nn.Parameter(pyneural.ones(2)), pyneural.zeros(3)])
    values.append(pyneural.ones(1))
    assert [each.shape for each in values] == [(2,), (3,), (1,)]
    assert all(isinstance(each, nn.Parameter) and each.requires_grad for each in values)
    assert list(values.state_dict()) == ["0", "1", "2"]
    values[1] = pyneural.ones(4)
    assert values[-2].shape == (4,)
    assert len(values[1:]) == 2
    assert "1: (4,)" in repr(values)


def test_a_copy_shares_nothing():
    model = nn.ModuleList([nn.Linear(2, 2), nn.ModuleDict({"x": nn.BatchNorm1d(2)})])
    twin = copy.deepcopy(model)
    assert list(twin.state_dict()) == list(model.state_dict())
    with pyneural.no_grad():
        twin[0].weight.fill_(7.0)
    assert model[0].weight.tolist() != twin[0].weight.tolist()
    assert twin[1]["x"].running_mean is not model[1]["x"].running_mean
