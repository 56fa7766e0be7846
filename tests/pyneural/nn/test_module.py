"""`Module`: registration, traversal, state, modes, hooks, repr."""

from __future__ import annotations

import copy

import numpy as np
import pytest

import pyneural
from pyneural import Tensor, nn

pytestmark = pytest.mark.usefixtures("reference_device")


class Perceptron(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.hidden = nn.Linear(4, 3)
        self.output = nn.Linear(3, 2, bias=False)
        self.register_buffer("scale", Tensor([2.0]))
        self.register_buffer("scratch", Tensor([1.0]), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.output(self.hidden(x).relu()) * self.scale


def test_parameter_is_a_tensor_and_results_are_plain():
    parameter = nn.Parameter(Tensor([1.0, 2.0]))
    assert isinstance(parameter, Tensor)
    assert parameter.requires_grad
    assert parameter.is_leaf
    assert type(parameter * 2) is Tensor
    assert repr(parameter).startswith("Parameter containing:\ntensor([1., 2.]")
    assert not nn.Parameter(Tensor([1.0]), requires_grad=False).requires_grad


def test_parameter_shares_the_memory_of_its_tensor():
    source = Tensor([1.0, 2.0])
    assert np.shares_memory(nn.Parameter(source).array, source.array)


def test_names_in_order_of_assignment():
    model = Perceptron()
    assert [name for name, _ in model.named_parameters()] == ["hidden.weight", "hidden.bias", "output.weight"]
    assert [name for name, _ in model.named_buffers()] == ["scale", "scratch"]
    assert [name for name, _ in model.named_modules()] == ["", "hidden", "output"]
    assert [name for name, _ in model.named_children()] == ["hidden", "output"]
    assert list(model.state_dict()) == ["scale", "hidden.weight", "hidden.bias", "output.weight"]


def test_a_shared_parameter_counts_once_but_is_saved_under_both_names():
    model = nn.Sequential(nn.Linear(3, 3, bias=False), nn.Linear(3, 3, bias=False))
    model[1].weight = model[0].weight
    assert len(list(model.parameters())) == 1
    assert list(model.state_dict()) == ["0.weight", "1.weight"]
    twice = nn.Sequential(model[0], model[0])
    assert len(list(twice.parameters())) == 1
    assert len(list(twice.modules())) == 2
    assert twice.summary((1, 3)).parameters == 9


def test_state_dict_shares_memory():
    model = Perceptron()
    state = model.state_dict()
    model.hidden.bias.array[...] = 7.0
    assert state["hidden.bias"].tolist() == [7.0, 7.0, 7.0]
    assert not state["hidden.bias"].requires_grad


def test_load_state_dict_copies_values():
    one, other = Perceptron(), Perceptron()
    state = one.state_dict()
    assert other.load_state_dict(state) == ([], [])
    for name, tensor in other.state_dict().items():
        assert np.array_equal(tensor.numpy(), state[name].numpy())
        assert not np.shares_memory(tensor.array, state[name].array)


def test_load_state_dict_converts_dtype():
    model = nn.Linear(2, 2)
    model.load_state_dict({"weight": Tensor(np.eye(2)), "bias": Tensor(np.ones(2))})
    assert model.weight.dtype == np.float32
    assert model.weight.tolist() == [[1.0, 0.0], [0.0, 1.0]]


def test_load_state_dict_lists_every_fault_and_changes_nothing():
    model = Perceptron()
    before = {name: each.numpy().copy() for name, each in model.state_dict().items()}
    state = {"scale": Tensor([5.0]), "hidden.weight": Tensor(np.zeros((3, 5))), "nonsense": Tensor([1.0])}
    with pytest.raises(ValueError) as error:
        model.load_state_dict(state)
    for part in (
        "missing: hidden.bias, output.weight",
        "unexpected: nonsense",
        "hidden.weight has shape (3, 4)",
        "(3, 5)",
    ):
        assert part in str(error.value)
    for name, each in model.state_dict().items():
        assert np.array_equal(each.numpy(), before[name])


def test_load_state_dict_not_strict():
    model = Perceptron()
    result = model.load_state_dict({"scale": Tensor([5.0]), "nonsense": Tensor([1.0])}, strict=False)
    assert result.missing_keys == ["hidden.weight", "hidden.bias", "output.weight"]
    assert result.unexpected_keys == ["nonsense"]
    assert model.scale.item() == 5.0
    with pytest.raises(ValueError, match=r"scale has shape \(1,\), the given tensor \(2,\)"):
        model.load_state_dict({"scale": Tensor([5.0, 1.0])}, strict=False)


def test_loading_invalidates_what_a_graph_saved():
    model = nn.Linear(2, 2)
    loss = model(Tensor([[1.0, 2.0]]).requires_grad_()).sum()
    model.load_state_dict(copy.deepcopy(model).state_dict())
    with pytest.raises(RuntimeError, match="changed in place"):
        loss.backward()


def test_train_eval_and_apply_reach_everything():
    model = nn.Sequential(nn.Dropout(), nn.Sequential(nn.Dropout()))
    assert model.eval() is model
    assert not any(each.training for each in model.modules())
    model.train()
    assert all(each.training for each in model.modules())
    seen: list[str] = []
    model.apply(lambda module: seen.append(type(module).__name__))
    assert seen == ["Dropout", "Dropout", "Sequential", "Sequential"]


def test_requires_grad_and_zero_grad():
    model = Perceptron()
    model(pyneural.ones(2, 4)).sum().backward()
    assert all(each.grad is not None for each in model.parameters())
    model.zero_grad(set_to_none=False)
    assert all(float(each.grad.abs().sum()) == 0.0 for each in model.parameters())
    model.zero_grad()
    assert all(each.grad is None for each in model.parameters())
    assert not any(each.requires_grad for each in model.requires_grad_(False).parameters())


def test_to_keeps_identity_and_moves_gradients_and_buffers():
    model = nn.Sequential(nn.Linear(3, 2), nn.BatchNorm2d(2))
    before = list(model.parameters())
    model[0](pyneural.ones(1, 3)).sum().backward()
    assert model.double() is model
    assert all(a is b for a, b in zip(before, model.parameters(), strict=True))
    assert model[0].weight.dtype == np.float64
    assert model[0].weight.grad.dtype == np.float64
    assert model[1].running_mean.dtype == np.float64
    assert model[1].num_batches_tracked.dtype == np.int64
    model.to("cpu")
    assert {str(each.device) for each in (*model.parameters(), *model.buffers())} == {"cpu"}
    assert str(model[0].weight.grad.device) == "cpu"
    assert model.to("reference", dtype="float16")[0].bias.dtype == np.float16


def test_forward_hooks_see_and_replace():
    layer = nn.ReLU()
    calls = []
    pre = layer.register_forward_pre_hook(lambda module, args: (args[0] * -1.0,))
    post = layer.register_forward_hook(lambda module, args, output: calls.append(args[0].tolist()) or output + 1.0)
    assert layer(Tensor([-2.0, 3.0])).tolist() == [3.0, 1.0]
    assert calls == [[2.0, -3.0]]
    pre.remove()
    post.remove()
    assert layer(Tensor([-2.0, 3.0])).tolist() == [0.0, 3.0]


def test_dropped_hook_handles_do_not_collide():
    layer = nn.ReLU()
    seen: list[int] = []
    for number in range(20):
        layer.register_forward_hook(lambda module, args, output, number=number: seen.append(number))
    layer(Tensor([1.0]))
    assert seen == list(range(20))


def test_deepcopy_is_independent_and_keeps_sharing():
    model = nn.Sequential(nn.Linear(2, 2, bias=False), nn.Linear(2, 2, bias=False))
    model[1].weight = model[0].weight
    twin = copy.deepcopy(model)
    assert twin[0].weight is twin[1].weight
    assert isinstance(twin[0].weight, nn.Parameter)
    assert not np.shares_memory(twin[0].weight.array, model[0].weight.array)


def test_repr_is_nested():
    model = nn.Sequential(nn.Linear(4, 3), nn.Sequential(nn.ReLU(), nn.Dropout(0.25)))
    assert repr(model) == (
        "Sequential(\n"
        "  (0): Linear(in_features=4, out_features=3, bias=True)\n"
        "  (1): Sequential(\n"
        "    (0): ReLU()\n"
        "    (1): Dropout(p=0.25)\n"
        "  )\n"
        ")"
    )


def test_delete_and_replace():
    model = Perceptron()
    del model.hidden
    assert not hasattr(model, "hidden")
    model.output = None
    assert list(model.state_dict()) == ["scale"]
    model.scale = Tensor([4.0])
    assert model.state_dict()["scale"].item() == 4.0
    assert "scale" in dir(model)


def test_summary_counts_and_restores_modes():
    model = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.Flatten(), nn.Linear(8 * 5 * 5, 10))
    model[1].eval()
    found = nn.summary(model, (2, 3, 5, 5))
    assert [each.kind for each in found.layers] == ["Conv2d", "BatchNorm2d", "Flatten", "Linear"]
    assert [each.output_shape for each in found.layers] == [(2, 8, 5, 5), (2, 8, 5, 5), (2, 200), (2, 10)]
    assert found.parameters == sum(each.numel() for each in model.parameters()) == 8 * 27 + 8 + 16 + 2010
    assert found.layers[0].flops == 2 * 8 * 25 * (2 * 27 + 1)
    assert found.layers[3].flops == 2 * 10 * (2 * 200 + 1)
    assert model.training
    assert not model[1].training
    assert model[1].num_batches_tracked.item() == 0
    text = str(found)
    assert "0 (Conv2d)" in text
    assert "2,250" in text
    model[3].requires_grad_(False)
    assert model.summary((2, 3, 5, 5)).trainable == found.parameters - 2010
