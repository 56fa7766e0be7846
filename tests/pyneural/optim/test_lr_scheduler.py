"""Learning rate schedules: PyTorch's curves, resuming, wrong calls."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from pyneural import Tensor, optim
from pyneural.optim import lr_scheduler

pytestmark = pytest.mark.usefixtures("reference_device")

EPOCHS = 40


def _optimizer(**hyper: Any) -> optim.Optimizer:
    params = [Tensor([float(i)], requires_grad=True) for i in range(2)]
    return optim.SGD([{"params": params[:1]}, {"params": params[1:], "lr": 0.03}], lr=0.1, momentum=0.9, **hyper)


def _oracle(torch: Any) -> Any:
    params = [torch.nn.Parameter(torch.tensor([float(i)])) for i in range(2)]
    return torch.optim.SGD([{"params": params[:1]}, {"params": params[1:], "lr": 0.03}], lr=0.1, momentum=0.9)


def _warmup(schedules: Any, optimizer: Any) -> Any:
    parts = [
        schedules.LinearLR(optimizer, 0.01, total_iters=5),
        schedules.CosineAnnealingLR(optimizer, 20, eta_min=1e-4),
        schedules.ExponentialLR(optimizer, 0.9),
    ]
    return schedules.SequentialLR(optimizer, parts, [5, 25])


_SCHEDULES: list[tuple[str, Callable[[Any, Any], Any]]] = [
    ("LambdaLR", lambda s, o: s.LambdaLR(o, lambda epoch: 1.0 / (1 + epoch))),
    ("LambdaLR by group", lambda s, o: s.LambdaLR(o, [lambda epoch: 0.9**epoch, lambda epoch: 1.0 + epoch])),
    ("StepLR", lambda s, o: s.StepLR(o, 7, 0.3)),
    ("MultiStepLR", lambda s, o: s.MultiStepLR(o, [3, 9, 9, 30], 0.5)),
    ("ConstantLR", lambda s, o: s.ConstantLR(o, 0.25, 6)),
    ("LinearLR", lambda s, o: s.LinearLR(o, 0.2, 0.7, 9)),
    ("ExponentialLR", lambda s, o: s.ExponentialLR(o, 0.93)),
    ("PolynomialLR", lambda s, o: s.PolynomialLR(o, 17, 2.5)),
    ("CosineAnnealingLR", lambda s, o: s.CosineAnnealingLR(o, 13, 1e-3)),  # three half waves and more
    ("warm restarts", lambda s, o: s.CosineAnnealingWarmRestarts(o, 3, 2, 1e-3)),
    ("warm restarts of one length", lambda s, o: s.CosineAnnealingWarmRestarts(o, 7)),
    ("OneCycleLR", lambda s, o: s.OneCycleLR(o, 0.5, total_steps=EPOCHS)),
    ("OneCycleLR by group", lambda s, o: s.OneCycleLR(o, [0.5, 1.0], epochs=10, steps_per_epoch=5, pct_start=0.2)),
    (
        "OneCycleLR in three phases",
        lambda s, o: s.OneCycleLR(o, 0.5, EPOCHS, anneal_strategy="linear", three_phase=True, div_factor=10.0),
    ),
    ("OneCycleLR, constant momentum", lambda s, o: s.OneCycleLR(o, 0.5, EPOCHS, cycle_momentum=False)),
    ("warm-up, cosine, exponential", _warmup),
]


@pytest.mark.filterwarnings("ignore:Detected call of")
@pytest.mark.parametrize("make", [each[1] for each in _SCHEDULES], ids=[each[0] for each in _SCHEDULES])
def test_curve_is_pytorch_s(make: Callable[[Any, Any], Any]):
    torch = pytest.importorskip("torch", reason="PyTorch is the oracle here and is not installed")
    ours, theirs = _optimizer(), _oracle(torch)
    scheduler, oracle = make(lr_scheduler, ours), make(torch.optim.lr_scheduler, theirs)
    curves: tuple[list[Any], list[Any]] = ([], [])
    for epoch in range(EPOCHS):
        for curve, optimizer in zip(curves, (ours, theirs), strict=True):
            curve.append([[group["lr"], group["momentum"]] for group in optimizer.param_groups])
        if epoch < EPOCHS - 1:
            theirs.step()
            scheduler.step()
            oracle.step()
    np.testing.assert_allclose(curves[0], curves[1], rtol=1e-12)
    assert len({each[0][0] for each in curves[0]}) > 1


@pytest.mark.parametrize("mode", ["min", "max"])
@pytest.mark.parametrize("threshold_mode", ["rel", "abs"])
def test_plateau_is_pytorch_s(mode: str, threshold_mode: str, rng: np.random.Generator):
    torch = pytest.importorskip("torch", reason="PyTorch is the oracle here and is not installed")
    kwargs = {
        "mode": mode, "factor": 0.5, "patience": 1, "threshold": 0.05, "threshold_mode": threshold_mode,
        "cooldown": 1, "min_lr": [0.02, 0.001],
    }  # fmt: skip
    ours, theirs = _optimizer(), _oracle(torch)
    scheduler = lr_scheduler.ReduceLROnPlateau(ours, **kwargs)
    oracle = torch.optim.lr_scheduler.ReduceLROnPlateau(theirs, **kwargs)
    for value in [1.0, float("nan"), *rng.uniform(0.5, 1.5, 30).tolist()]:
        scheduler.step(Tensor(value))
        oracle.step(value)
        assert scheduler.get_last_lr() == [group["lr"] for group in theirs.param_groups]
    assert ours.param_groups[0]["lr"] < 0.1


def test_one_cycle_moves_adam_s_first_beta():
    optimizer = optim.Adam([Tensor([1.0], requires_grad=True)], betas=(0.9, 0.99))
    scheduler = lr_scheduler.OneCycleLR(optimizer, 0.1, total_steps=10)
    assert optimizer.param_groups[0]["betas"] == (0.95, 0.99)
    lowest = 1.0
    for _ in range(9):
        scheduler.step()
        lowest = min(lowest, optimizer.param_groups[0]["betas"][0])
    assert lowest == pytest.approx(0.85)
    assert optimizer.param_groups[0]["betas"][0] == pytest.approx(0.95)
    scheduler.step()
    with pytest.raises(ValueError, match=re.escape("OneCycleLR: step 12 of total_steps (=10)")):
        scheduler.step()


@pytest.mark.parametrize("make", [each[1] for each in _SCHEDULES if "Lambda" not in each[0]])
def test_resuming_is_exact(make: Callable[[Any, Any], Any]):
    straight = _optimizer()
    scheduler = make(lr_scheduler, straight)
    for _ in range(17):
        scheduler.step()
    states = straight.state_dict(), scheduler.state_dict()
    resumed = _optimizer()
    other = make(lr_scheduler, resumed)
    resumed.load_state_dict(states[0])
    other.load_state_dict(states[1])
    for _ in range(15):
        scheduler.step()
        other.step()
        assert other.get_last_lr() == scheduler.get_last_lr()
    assert resumed.param_groups[1]["momentum"] == straight.param_groups[1]["momentum"]


def test_going_on_by_last_epoch():
    optimizer = _optimizer()
    scheduler = lr_scheduler.StepLR(optimizer, 2, 0.5)
    for _ in range(4):
        scheduler.step()
    again = lr_scheduler.StepLR(optimizer, 2, 0.5, last_epoch=4)
    assert again.last_epoch == 5
    np.testing.assert_allclose(again.get_last_lr(), [0.1 * 0.25, 0.03 * 0.25])
    assert again.base_lrs == [0.1, 0.03]


def test_a_group_that_comes_later_has_its_own_rate():
    optimizer = _optimizer()
    scheduler = lr_scheduler.ExponentialLR(optimizer, 0.5)
    scheduler.step()
    optimizer.add_param_group({"params": [Tensor([1.0], requires_grad=True)], "lr": 8.0})
    scheduler.step()
    assert scheduler.get_last_lr() == [0.025, 0.0075, 2.0]
    assert "initial_lr" not in optimizer.defaults


def test_plateau_resumes():
    optimizer = _optimizer()
    scheduler = lr_scheduler.ReduceLROnPlateau(optimizer, patience=2)
    for value in (1.0, 1.0, 1.0):
        scheduler.step(value)
    other = lr_scheduler.ReduceLROnPlateau(optimizer, patience=2)
    other.load_state_dict(scheduler.state_dict())
    other.step(1.0)
    np.testing.assert_allclose(optimizer.param_groups[0]["lr"], 0.01)


_S = lr_scheduler
_WRONG: list[tuple[Callable[[], Any], type[Exception], str]] = [
    (lambda: _S.StepLR(3, 2), TypeError, "StepLR: optimizer must be an Optimizer, not int"),
    (lambda: _S.StepLR(_optimizer(), 0), ValueError, "StepLR: step_size (=0) must be at least 1"),
    (lambda: _S.StepLR(_optimizer(), 2.5), TypeError, "StepLR: step_size must be an int, not 2.5"),
    (lambda: _S.StepLR(_optimizer(), 2, -0.1), ValueError, "StepLR: gamma (=-0.1) must be at least 0.0"),
    (lambda: _S.StepLR(_optimizer(), 2, last_epoch=-2), ValueError, "StepLR: last_epoch (=-2) must be at least -1"),
    (
        lambda: _S.StepLR(_optimizer(), 2, last_epoch=3),
        ValueError,
        "StepLR: last_epoch (=3) needs an initial_lr in group 0",
    ),
    (lambda: _S.MultiStepLR(_optimizer(), [3, -1]), ValueError, "MultiStepLR: milestones (=-1) must be at least 0"),
    (lambda: _S.ExponentialLR(_optimizer(), "x"), TypeError, "ExponentialLR: gamma must be a number, not 'x'"),
    (lambda: _S.LambdaLR(_optimizer(), 0.5), TypeError, "LambdaLR: lr_lambda must be a function, not float"),
    (lambda: _S.LambdaLR(_optimizer(), [lambda e: 1.0] * 3), ValueError, "LambdaLR: 3 functions for 2 groups"),
    (lambda: _S.ConstantLR(_optimizer(), 1.5), ValueError, "ConstantLR: factor (=1.5) must be in [0.0, 1.0]"),
    (lambda: _S.LinearLR(_optimizer(), 0.0), ValueError, "LinearLR: start_factor (=0.0) must be above 0"),
    (lambda: _S.LinearLR(_optimizer(), 0.1, 1.2), ValueError, "LinearLR: end_factor (=1.2) must be in [0.0, 1.0]"),
    (lambda: _S.CosineAnnealingLR(_optimizer(), 0), ValueError, "CosineAnnealingLR: T_max (=0) must be at least 1"),
    (lambda: _S.CosineAnnealingWarmRestarts(_optimizer(), 5, 0), ValueError, "T_mult (=0) must be at least 1"),
    (
        lambda: _S.OneCycleLR(_optimizer(), 0.1),
        ValueError,
        "OneCycleLR: give total_steps, or epochs (=None) and steps_per_epoch (=None)",
    ),
    (lambda: _S.OneCycleLR(_optimizer(), 0.1, 10, pct_start=1.5), ValueError, "pct_start (=1.5) must be in [0.0, 1.0]"),
    (
        lambda: _S.OneCycleLR(_optimizer(), 0.1, 10, anneal_strategy="sine"),
        ValueError,
        "OneCycleLR: anneal_strategy (='sine') must be 'cos' or 'linear'",
    ),
    (lambda: _S.OneCycleLR(_optimizer(), [0.1] * 3, 10), ValueError, "OneCycleLR: max_lr has 3 values for 2 groups"),
    (lambda: _S.OneCycleLR(_optimizer(), 0.1, 10, div_factor=0), ValueError, "OneCycleLR: div_factor (=0) must be"),
    (
        lambda: _S.SequentialLR(_optimizer(), [], []),
        ValueError,
        "SequentialLR: 0 schedulers need one milestone fewer, not 0",
    ),
    (
        lambda: _S.SequentialLR(o := _optimizer(), [_S.ConstantLR(o)] * 3, [5, 5]),
        ValueError,
        "SequentialLR: milestones (=[5, 5]) must rise",
    ),
    (
        lambda: _S.SequentialLR(_optimizer(), [_S.ConstantLR(_optimizer())], []),
        ValueError,
        "SequentialLR: schedulers[0] is of another optimizer",
    ),
    (
        lambda: _S.SequentialLR(o := _optimizer(), [_S.ReduceLROnPlateau(o)], []),
        TypeError,
        "SequentialLR: schedulers[0] must be an LRScheduler, not ReduceLROnPlateau",
    ),
    (lambda: _S.ReduceLROnPlateau(_optimizer(), "less"), ValueError, "mode (='less') must be 'min' or 'max'"),
    (lambda: _S.ReduceLROnPlateau(_optimizer(), factor=1.0), ValueError, "factor (=1.0) must be in (0, 1)"),
    (lambda: _S.ReduceLROnPlateau(_optimizer(), min_lr=[0.0]), ValueError, "min_lr has 1 values for 2 groups"),
    (lambda: _S.StepLR(_optimizer(), 2).load_state_dict({}), ValueError, "StepLR: the state has no last_epoch"),
]


@pytest.mark.parametrize(("call", "exception", "message"), _WRONG, ids=[each[2][:60] for each in _WRONG])
def test_wrong_call_is_refused(call: Callable[[], Any], exception: type[Exception], message: str):
    with pytest.raises(exception, match=re.escape(message)):
        call()
