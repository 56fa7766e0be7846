"""`pyneural.compile`: the same bits as without it, in every call."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import pyneural
from pyneural import Tensor, functional, nn, optim
from pyneural.compilation.plan import _folded
from pyneural.compilation.recorder import Copy, Fill, Ref
from pyneural.kernels import memory
from pyneural.optim.lr_scheduler import CosineAnnealingLR
from tests.pyneural.compilation.networks import NETWORKS, STEPS, batches_of, curve, perceptron, state, training


@pytest.mark.parametrize("device", ["cpu", "reference"])
@pytest.mark.parametrize("network", NETWORKS)
def test_training_gives_the_same_bits(network: str, device: str, rng: np.random.Generator) -> None:
    make, data = NETWORKS[network]
    batches = [tuple(each.to(device) for each in batch) for batch in batches_of(data, rng)]
    found = []
    for compiled in (False, True):
        pyneural.manual_seed(3)
        model = make().to(device)
        optimizer = optim.AdamW(model.parameters(), lr=0.02)
        schedule, average = CosineAnnealingLR(optimizer, STEPS), optim.EMA(model, 0.9, warmup=True)

        def after(schedule: Any = schedule, average: Any = average) -> None:
            schedule.step()
            average.update()

        step = training(model, optimizer, after=after)
        run = pyneural.compile(step) if compiled else step
        losses = curve(run, batches)
        if compiled:
            assert (run.plans, run.reason) == (1, "")
        found.append((losses, state(model), [each.numpy().copy() for each in average.averages.values()],
                      [each.grad.numpy().copy() for each in model.parameters()], optimizer.param_groups[0]["lr"],
                      pyneural.random.default_generator.state_dict()))  # fmt: skip
    (plain, *plain_state, lr, drawn), (planned, *planned_state, lr_too, drawn_too) = found
    assert plain == planned
    assert (lr, drawn) == (lr_too, drawn_too)
    for one, other in zip(plain_state, planned_state, strict=True):
        for a, b in zip(one, other, strict=True):
            np.testing.assert_array_equal(a, b)


def test_kernels_have_the_memory_of_the_plan(rng: np.random.Generator) -> None:
    """Nothing from the pool, and what a kernel has while it runs is counted in the plan."""
    make, data = NETWORKS["images"]
    batches = [tuple(each.to("cpu") for each in batch) for batch in batches_of(data, rng)]
    model = make().to("cpu")
    run = pyneural.compile(training(model, optim.AdamW(model.parameters())))
    curve(run, batches)
    memory.empty_cache()
    curve(run, batches)
    assert memory.cached_bytes() == 0


def test_on_the_simulator(rng: np.random.Generator) -> None:
    curves = []
    batches = [tuple(each.to("simulator") for each in batch) for batch in batches_of(NETWORKS["perceptron"][1], rng)]
    for wrap in (lambda step: step, pyneural.compile):
        pyneural.manual_seed(3)
        model = nn.Sequential(nn.Linear(9, 6, activation="relu"), nn.Linear(6, 4)).to("simulator")
        curves.append(curve(wrap(training(model, optim.SGD(model.parameters(), lr=0.1))), batches[:4]))
    assert curves[0] == curves[1]


def test_the_function_is_called_twice(rng: np.random.Generator) -> None:
    calls = []

    @pyneural.compile
    def double(x: Tensor) -> Tensor:
        calls.append(1)
        return functional.relu(x * 2.0 + 1.0)

    for _ in range(5):
        x = rng.standard_normal((3, 33), np.float32)
        np.testing.assert_array_equal(double(Tensor(x)).numpy(), np.maximum(x * np.float32(2) + np.float32(1), 0))
    assert len(calls) == 2
    assert "in one pass   mul + add + relu" in double.explain()
    assert double.__name__ == "double"


def test_explain_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    @pyneural.compile(explain=True)
    def sum_of_squares(x: Tensor) -> Tensor:
        return (x * x).sum()

    assert sum_of_squares.explain() == "sum_of_squares: no plan yet"
    for _ in range(3):
        sum_of_squares(Tensor([1.0, 2.0]))
    printed = capsys.readouterr().out
    assert printed.startswith("sum_of_squares, plan 1\n  kernel calls  2 -> 2\n  memory ")


def test_results_are_not_overwritten(rng: np.random.Generator) -> None:
    @pyneural.compile
    def shifted(x: Tensor) -> dict[str, Any]:
        return {"sum": x + 1.0, "both": (x, x[1:]), "name": "shifted", "none": None}

    arrays = [rng.standard_normal((4, 3), np.float32) for _ in range(5)]
    results = [shifted(Tensor(each)) for each in arrays]
    for array, result in zip(arrays, results, strict=True):
        np.testing.assert_array_equal(result["sum"].numpy(), array + 1)
        np.testing.assert_array_equal(result["both"][0].numpy(), array)
        np.testing.assert_array_equal(result["both"][1].numpy(), array[1:])
        assert (result["name"], result["none"]) == ("shifted", None)


def test_what_is_in_a_pass_and_returned(rng: np.random.Generator) -> None:
    """A result from the middle of a run of elementwise calls; a view that another one overlaps."""

    @pyneural.compile
    def several(x: Tensor) -> tuple[Tensor, ...]:
        twice = x * 2.0
        positive = functional.relu(twice + 1.0)
        both = x * 1.0
        both[1:].mul_(2.0)
        return twice, positive, both[:-1] + 1.0

    for _ in range(4):
        x = rng.standard_normal(101)
        doubled = np.concatenate([x[:1], x[1:] * 2])
        twice, positive, shifted = several(Tensor(x))
        np.testing.assert_array_equal(twice.numpy(), x * 2)
        np.testing.assert_array_equal(positive.numpy(), np.maximum(x * 2 + 1, 0))
        np.testing.assert_array_equal(shifted.numpy(), doubled[:-1] + 1)
    assert several.plans == 1


def test_arguments_of_any_strides(rng: np.random.Generator) -> None:
    product = pyneural.compile(lambda a, b: a @ b)
    for _ in range(4):
        a, b = rng.standard_normal((7, 5)), rng.standard_normal((3, 5))
        result = product(Tensor(a)[::2, 1:], Tensor(b).T[1:])
        np.testing.assert_allclose(result.numpy(), a[::2, 1:] @ b.T[1:])
    square = pyneural.compile(lambda a, b: a @ b.T)
    for twice in (True, True, True, False, False, False):
        a, b = Tensor(rng.standard_normal((7, 5))).T, Tensor(rng.standard_normal((7, 5))).T
        other = a if twice else b
        np.testing.assert_array_equal(square(a, other).numpy(), (a @ other.T).numpy())
    assert square.plans == 2


def test_each_signature_has_a_plan(rng: np.random.Generator) -> None:
    @pyneural.compile
    def scaled(x: Tensor, factor: float, *, shift: bool = False) -> Tensor:
        return x * factor + 1.0 if shift else x * factor

    for _ in range(3):
        for shape in ((3,), (2, 5), (0, 4), ()):
            for dtype in (np.float32, np.float64):
                x = rng.standard_normal(shape).astype(dtype)
                for factor in (2.0, 3):
                    np.testing.assert_array_equal(scaled(Tensor(x), factor).numpy(), x * dtype(factor))
                    expected = x * dtype(factor) + dtype(1)
                    np.testing.assert_array_equal(scaled(Tensor(x), factor, shift=True).numpy(), expected)
    assert scaled.plans == 4 * 2 * 2 * 2


def test_training_and_evaluation(rng: np.random.Generator) -> None:
    model = nn.Sequential(nn.Linear(4, 4), nn.Dropout(0.5), nn.BatchNorm1d(4))
    run, x = pyneural.compile(model), Tensor(rng.standard_normal((6, 4), np.float32))
    with pyneural.no_grad():
        for training_mode in (True, False, True, True, False, False, True):
            model.train(training_mode)
            before, drawn = model.state_dict(), pyneural.random.default_generator.state_dict()
            kept = {name: each.numpy().copy() for name, each in before.items()}
            expected = model(x).numpy()
            for name, each in kept.items():
                before[name].copy_(Tensor(each))
            pyneural.random.default_generator.load_state_dict(drawn)
            np.testing.assert_array_equal(run(x).numpy(), expected)
    assert run.plans == 2


def test_parameters_may_be_loaded_and_replaced(rng: np.random.Generator) -> None:
    model = nn.Linear(3, 2)
    run, x = pyneural.compile(model), Tensor(rng.standard_normal((2, 3), np.float32))
    with pyneural.no_grad():
        for _ in range(3):
            run(x)
        assert run.plans == 1
        model.load_state_dict({name: each + 1.0 for name, each in model.state_dict().items()})
        np.testing.assert_array_equal(run(x).numpy(), model(x).numpy())
        assert run.plans == 1
        model.weight = nn.Parameter(model.weight.detach() * 2.0)
        np.testing.assert_array_equal(run(x).numpy(), model(x).numpy())
        model.to(dtype="float64").to(dtype="float32")
        model.weight.mul_(2.0)
        for _ in range(3):
            run(x)
        model.weight.array = model.weight.array * np.float32(3)
        for _ in range(3):
            np.testing.assert_array_equal(run(x).numpy(), model(x).numpy())


def test_gradients_that_add_up(rng: np.random.Generator) -> None:
    """Four backwards a step, the gradients cleared outside."""
    totals = []
    batches = batches_of(NETWORKS["perceptron"][1], rng)
    for wrap in (lambda each: each, pyneural.compile):
        pyneural.manual_seed(1)
        model = nn.Sequential(nn.Linear(9, 5), nn.Linear(5, 4))

        def accumulate(x: Tensor, y: Tensor, model: nn.Module = model) -> Tensor:
            loss = functional.cross_entropy(model(x), y)
            loss.backward()
            return loss

        run, found = wrap(accumulate), []
        for _ in range(3):
            for each in model.parameters():
                each.grad = None
            for batch in batches[:4]:
                run(*batch)
            found += [each.grad.numpy().copy() for each in model.parameters()]
        totals.append(found)
    for one, other in zip(*totals, strict=True):
        np.testing.assert_array_equal(one, other)


def test_fills_that_are_done_once() -> None:
    """Not of memory that is seen between calls, nor where something else is written."""
    kind = np.dtype("float32")
    whole, part = Ref(0, 0, (3,), (4,), kind), Ref(1, 4, (2,), (4,), kind)
    steps = [Fill(whole, 2.0), Fill(part, 1.0), Fill(Ref(2, 0, (3,), (4,), kind), 1.0), Copy(part._replace(
        allocation=2), part)]  # fmt: skip
    assert _folded(steps, set()) == ({0: np.float32(2)}, steps[1:])
    assert _folded(steps, {0}) == ({}, steps)


def test_a_gradient_that_is_changed_outside() -> None:
    """It is 1, in every call anew, and no constant of the plan."""
    weight = Tensor(np.zeros(()), requires_grad=True)

    @pyneural.compile
    def step() -> None:
        weight.grad = None
        weight.backward()

    for _ in range(5):
        step()
        assert weight.grad is not None
        assert weight.grad.item() == 1.0
        weight.grad.mul_(3.0)


def test_a_rate_changed_by_hand(rng: np.random.Generator) -> None:
    found = []
    batches = batches_of(NETWORKS["perceptron"][1], rng)
    for wrap in (lambda each: each, pyneural.compile):
        pyneural.manual_seed(1)
        model = perceptron()
        optimizer = optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
        run = wrap(training(model, optimizer))
        losses = []
        for number, batch in enumerate(batches):
            optimizer.param_groups[0]["lr"] = 0.1 / (number + 1)
            losses.append(run(*batch).item())
        found.append(losses)
    assert found[0] == found[1]


def test_an_index_out_of_range_is_refused_in_every_call() -> None:
    embedding = nn.Embedding(5, 3)
    run = pyneural.compile(embedding)
    with pyneural.no_grad():
        for _ in range(3):
            run(Tensor([0, 4]))
        with pytest.raises(IndexError, match=r"indices holds 5 at \(1,\)"):
            run(Tensor([0, 5]))


def test_a_compiled_function_within_another(rng: np.random.Generator) -> None:
    inner = pyneural.compile(lambda x: functional.tanh(x))
    outer = pyneural.compile(lambda x: inner(x) + inner(x * 2.0))
    x = rng.standard_normal(33)
    for _ in range(3):
        np.testing.assert_array_equal(outer(Tensor(x)).numpy(), (functional.tanh(Tensor(x)) + functional.tanh(
            Tensor(x) * 2.0)).numpy())  # fmt: skip
    assert (outer.plans, inner.plans) == (1, 0)


def test_an_exception_leaves_nothing_behind() -> None:
    fail = [True]

    @pyneural.compile
    def halves(x: Tensor) -> Tensor:
        y = x / 2.0
        if fail[0]:
            raise ValueError("not yet")
        return y

    with pytest.raises(ValueError, match="not yet"):
        halves(Tensor([2.0]))
    fail[0] = False
    for value in (2.0, 4.0, 6.0, 8.0):
        assert halves(Tensor([value])).tolist() == [value / 2]
    assert halves.plans == 1


FACTOR = 2.0


def test_names_around_the_function(rng: np.random.Generator) -> None:
    """A global and a closed-over name that come to stand for something else."""
    global FACTOR
    weight = Tensor(rng.standard_normal(33))

    @pyneural.compile
    def scaled(x: Tensor) -> Tensor:
        return x * weight * FACTOR

    for round_number in range(3):
        FACTOR, weight = 2.0 + round_number, Tensor(rng.standard_normal(33))
        for _ in range(3):
            x = Tensor(rng.standard_normal((2, 33)))
            np.testing.assert_array_equal(scaled(x).numpy(), (x * weight * FACTOR).numpy())
    assert scaled.plans == 3


def test_an_attribute_of_a_module(rng: np.random.Generator) -> None:
    model = nn.LeakyReLU(0.5)
    run, x = pyneural.compile(model), Tensor(rng.standard_normal((2, 33)))
    for slope in (0.5, 0.25, 0.5):
        model.negative_slope = slope
        for _ in range(3):
            np.testing.assert_array_equal(run(x).numpy(), functional.leaky_relu(x, slope).numpy())


def test_autocast_has_plans_of_its_own(rng: np.random.Generator) -> None:
    model = nn.Linear(8, 4)
    run, x = pyneural.compile(model), Tensor(rng.standard_normal((3, 8), np.float32))
    with pyneural.no_grad():
        for _ in range(3):
            np.testing.assert_array_equal(run(x).numpy(), model(x).numpy())
            with pyneural.autocast("cpu", dtype=pyneural.float16):
                assert run(x).dtype == pyneural.float16
                np.testing.assert_array_equal(run(x).numpy(), model(x).numpy())
    assert run.plans == 2


def test_memory_is_shared_by_what_is_not_needed_at_once(rng: np.random.Generator) -> None:
    layers = nn.Sequential(*(nn.Sequential(nn.Linear(64, 64), nn.LayerNorm(64)) for _ in range(8)))
    run, x = pyneural.compile(layers), Tensor(rng.standard_normal((256, 64), np.float32))
    with pyneural.no_grad():
        for _ in range(3):
            run(x)
    (version,) = [each for known in run._signatures.values() for each in known.versions]
    one = 256 * 64 * 4
    assert version.plan.facts.bytes < 4 * one  # two at a time, the result, and a norm's statistics
