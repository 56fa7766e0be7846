"""Markets: how far the S&P 500 will move tomorrow, forecast by a temporal convolution from closing prices. No advice.

The index's daily closes of 1999 to 2018, as arch has them, without dividends. Days to 2010 train, 2011 to 2013 decide
when training ends (and chose the settings), 2014 to 2018 are the test; a forecast sees no price of its own day or
later. The network learns absolute errors, which the conditional median makes smallest; HAR by least squares aims at
the mean, and a part of its distance is that: HAR fitted to absolute errors, by quantile regression, stands beside it.
The backtest holds as much of the index as keeps the forecast volatility at a target, never more than all of it. In
2014 to 2018 that earned less than buying and holding, also for its risk: the forecast is of how far, not of whither.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pyneural import nn
from pyneural.data import TensorDataset
from pyneural.device import Device
from pyneural.functional import abs as absolute
from pyneural.functional import cat, clamp, dropout, log, ones, pad, relu, stack
from pyneural.optim import AdamW, Optimizer
from pyneural.tensor import Tensor

from .app import Answer, Scores
from .extras import need
from .finance_pictures import draw_forecast_and_equity
from .market_days import SCALE, Days, read_closes, split
from .market_tests import SPANS, YEAR, Portfolio, backtest, diebold_mariano, har
from .training import History, Settings, fit, predict, usual

if TYPE_CHECKING:
    from typing_extensions import Unpack

NAME = "markets"
EPOCHS = 30
BATCH_SIZE = 64
LEARNING_RATE = 3e-3
METRIC = "mae_in_percent"
BARS = {"mae_in_percent": 0.418}
LOWER = (
    "mae_in_percent",
    "mae_in_percent_against_median_har",
    "diebold_mariano_against_har",
    "diebold_mariano_against_median_har",
    "drawdown",
)
INPUT = "a CSV with the columns Date (2018-12-31) and Close, a trading day a row, oldest first"
WARNING = "This is an exercise on an index of the past, and no advice."

LENGTH = 32
"""Days that the network sees one by one; it measures them in the mean |return| of `SCALE` days."""
CHANNELS = 16
DILATIONS = (1, 2, 4, 8)
DROPOUT = 0.3
WEIGHT_DECAY = 1e-2
TARGET = 0.10
"""The backtest's volatility of a year."""
COST = 0.0005
"""Of what is bought or sold."""


@dataclass(frozen=True)
class Market:
    """The days that train, that decide when training ends, and that test."""

    train: Days
    validation: Days
    test: Days
    device: str | Device | None
    dtype: Any


def load_data(device: str | Device | None = None, dtype: Any = None) -> Market:
    """The index from 1999 to 2018.

    Raises:
        MissingPackage: arch is not installed.
    """
    found = need("arch.data.sp500", "arch").load()
    dates = found.index.to_numpy().astype("datetime64[D]")
    return Market(*split(dates, found["Close"].to_numpy()), device, dtype or np.float32)


class Residual(nn.Module):
    """A causal convolution beside its input."""

    def __init__(self, dilation: int, made: dict[str, Any]) -> None:
        super().__init__()
        self.conv = nn.Conv1d(CHANNELS, CHANNELS, 2, dilation=dilation, **made)
        self.reach = dilation

    def forward(self, x: Tensor) -> Tensor:
        more: Tensor = relu(self.conv(pad(x, (self.reach, 0))))
        return x + dropout(more, DROPOUT, self.training)


class Forecaster(nn.Module):
    """(N, SCALE) log returns -> (N) forecasts of the next day's |return|.

    Everything is measured in the window's own mean |return|, so that quiet and wild years look alike. The means that
    HAR regresses on go to the last layer directly.
    """

    def __init__(self, device: Any, dtype: Any) -> None:
        super().__init__()
        made: dict[str, Any] = {"device": device, "dtype": dtype}
        self.first = nn.Conv1d(3, CHANNELS, 1, **made)
        self.blocks = nn.ModuleList([Residual(dilation, made) for dilation in DILATIONS])
        self.last = nn.Linear(CHANNELS + len(SPANS), 1, **made)
        # Every training begins at the forecast 0, instead of one that may be negative.
        for parameter in self.last.parameters():
            nn.init.zeros_(parameter)
        # The mean |return| of the training days, and what makes a deviation of a forecast.
        for name in ("usual", "spread"):
            self.register_buffer(name, ones(1, **made))

    def forward(self, returns: Tensor) -> Tensor:
        unit = clamp(absolute(returns).mean(dim=1, keepdim=True), 1e-6)
        near = returns[:, -LENGTH:] / unit
        sizes = absolute(near)
        level = log(unit / self.usual).expand(near.shape)
        x = relu(self.first(stack([clamp(near, -8.0, 8.0), clamp(sizes, 0.0, 8.0), level], 1)))
        for block in self.blocks:
            x = block(x)
        means = [sizes[:, -span:].mean(dim=1, keepdim=True) for span in SPANS]
        told: Tensor = (self.last(cat([x[:, :, -1], *means], 1)) * unit).squeeze(1)
        return told


def build(*, device: str | Device | None = None, dtype: Any = None) -> Forecaster:
    """The network, with fresh parameters."""
    return Forecaster(device, dtype)


_optimizer: Callable[[Iterable[Any], float], Optimizer] = partial(AdamW, weight_decay=WEIGHT_DECAY)


def train(model: Forecaster, data: Market, **settings: Unpack[Settings]) -> tuple[History, Optimizer]:
    """Train with absolute errors and AdamW; the weights are those of the epoch that is best on the validation years.

    The settings and errors are those of `pyneural.apps.training.fit`.
    """
    made: dict[str, Any] = {"device": data.device, "dtype": data.dtype}
    mean = float(data.train.targets.mean())
    model.usual = Tensor(np.array([mean]), **made)

    def step(batch: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
        windows, targets = batch
        error = absolute(model(windows) - targets).mean()
        return error / mean, error.detach() * (100.0 * len(targets))

    result = fit(
        model,
        TensorDataset(Tensor(data.train.windows, **made), Tensor(data.train.targets, **made)),
        step,
        optimizer=_optimizer,
        validate=lambda: _mae(forecast(model, data.validation.windows), data.validation),
        compiled=True,
        **usual(settings, EPOCHS, BATCH_SIZE, LEARNING_RATE),
    )
    spread = _spread(forecast(model, data.validation.windows), data.validation)
    model.spread = Tensor(np.array([spread]), **made)
    return result


def forecast(model: Forecaster, windows: np.ndarray) -> np.ndarray:
    """(N): the |return| of the day after each of ``windows`` (N, SCALE)."""
    told = predict(model, Tensor(windows, device=model.usual.device, dtype=model.usual.dtype))
    return np.maximum(told.cpu().numpy().astype(np.float64), 1e-5)  # type: ignore[no-any-return]


def _mae(told: np.ndarray, days: Days) -> float:
    return float(np.abs(told - days.targets).mean())


def _spread(told: np.ndarray, days: Days) -> float:
    """What forecasts must be multiplied by so that returns over them have the deviation 1."""
    return float(np.sqrt(np.mean((days.returns / told) ** 2)))


def part(told: np.ndarray, spread: float) -> np.ndarray:
    """(N): how much of the wealth to hold so that the volatility of a year is `TARGET`; at most all."""
    return np.minimum(TARGET / (spread * told * math.sqrt(YEAR)), 1.0)


def _hold(told: np.ndarray, spread: float, days: Days) -> Portfolio:
    return backtest(np.expm1(days.returns), part(told, spread), COST)


def _portfolio_scores(portfolio: Portfolio) -> Scores:
    return {name: getattr(portfolio, name) for name in ("sharpe", "drawdown", "volatility", "growth")}


def _forecast_scores(told: np.ndarray, days: Days) -> Scores:
    errors = told - days.targets
    return {
        "mae_in_percent": float(100.0 * np.abs(errors).mean()),
        "r2": float(1.0 - np.mean(errors**2) / days.targets.var()),
    }


def _hars(data: Market) -> dict[str, tuple[np.ndarray, float]]:
    """Forecasts of the test days by HAR, fitted on all days before them; and their spread in the validation years."""
    parts = (data.train, data.validation, data.test)
    sizes, targets = (
        np.concatenate(each) for each in zip(*((np.abs(d.windows), d.targets) for d in parts), strict=True)
    )
    before, tested = len(sizes) - len(data.test.dates), len(data.test.dates)
    told = {name: har(sizes, targets, np.arange(before), name == "median HAR") for name in ("HAR", "median HAR")}
    return {
        name: (each[-tested:], _spread(each[len(data.train.dates) : before], data.validation))
        for name, each in told.items()
    }


def score(model: Forecaster, data: Market) -> Scores:
    """The test years: errors, Diebold-Mariano tests against both HAR (below 0: we err less), and the backtest."""
    told, days = forecast(model, data.test.windows), data.test
    errors = np.abs(told - days.targets)
    against = [diebold_mariano(errors, np.abs(each - days.targets)) for each, _ in _hars(data).values()]
    kinds = ("diebold_mariano_against", "p_against")
    names = [f"{kind}_{who}" for who in ("har", "median_har") for kind in kinds]
    tests = dict(zip(names, (value for pair in against for value in pair), strict=True))
    return {
        **_forecast_scores(told, days),
        "mae_in_percent_against_median_har": float(100.0 * errors.mean()),
        **tests,
        **_portfolio_scores(_hold(told, float(model.spread.cpu().numpy()[0]), days)),
    }


def _buy_and_hold(days: Days) -> Portfolio:
    return backtest(np.expm1(days.returns), np.ones(len(days.returns)), COST)


def baseline() -> Scores:
    """Statsmodels' HAR by least squares, and buying and holding; HAR by absolute errors and HAR's portfolio beside."""
    data = load_data()
    hars = _hars(data)
    median = _forecast_scores(hars["median HAR"][0], data.test)
    held = _portfolio_scores(_hold(*hars["HAR"], data.test))
    return {
        **_forecast_scores(hars["HAR"][0], data.test),
        **_portfolio_scores(_buy_and_hold(data.test)),
        "mae_in_percent_against_median_har": median["mae_in_percent"],
        "r2_of_median_har": median["r2"],
        **{f"{name}_of_har": value for name, value in held.items()},
    }


def draw(path: Path, model: Forecaster, data: Market) -> None:
    """Forecast and realised |return| of the test years, and what 1 became."""
    told, hars = forecast(model, data.test.windows), _hars(data)
    portfolios = {
        "targeted by the network": _hold(told, float(model.spread.cpu().numpy()[0]), data.test),
        "targeted by HAR": _hold(*hars["HAR"], data.test),
        "buy and hold": _buy_and_hold(data.test),
    }
    forecasts = {"network": told, **{name: each for name, (each, _) in hars.items()}}
    draw_forecast_and_equity(path, data.test.dates, data.test.targets, forecasts, portfolios)


def answer(model: Forecaster, given: str, device: str | Device | None = None) -> Answer:
    """How far the next day will move, after the last row of a CSV."""
    dates, closes = read_closes(given)
    told = forecast(model, np.diff(np.log(closes[-SCALE - 1 :]))[None])
    spread = float(model.spread.cpu().numpy()[0])
    move, volatility, held = float(told[0]), float(spread * told[0] * math.sqrt(YEAR)), float(part(told, spread)[0])
    text = (
        f"The trading day after {dates[-1]} moves by {move:.2%} up or down, as often more as less.\n"
        f"That is a volatility of {volatility:.1%} a year; for {TARGET:.0%}, hold {held:.0%}.\n{WARNING}"
    )
    return Answer(
        {"after": str(dates[-1]), "move": move, "volatility": volatility, "part": held, "warning": WARNING}, text
    )
