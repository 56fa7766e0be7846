"""Forecasts of volatility, judged: HAR regressions, the Diebold-Mariano test, a volatility-targeted portfolio."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.special import erfc

from .extras import need

YEAR = 252
"""Trading days."""
SPANS = (1, 5, 22)
"""A day, a week and a month: what HAR regresses on."""


def spans(sizes: np.ndarray) -> np.ndarray:
    """(N, 22) of |return|, the last column the newest -> (N, 3): means of the newest day, week and month."""
    return np.stack([sizes[:, -span:].mean(axis=1) for span in SPANS], axis=1)


def har(sizes: np.ndarray, targets: np.ndarray, rows: np.ndarray, median: bool = False) -> np.ndarray:
    """Forecasts (N) of the heterogeneous autoregression (Corsi 2009), fitted by statsmodels on ``rows``.

    Args:
        sizes: (N, at least 22) of |return|, before each of ``targets`` (N).
        median: fit absolute errors, by quantile regression, instead of squared ones.

    Raises:
        MissingPackage: statsmodels is not installed.
    """
    api = need("statsmodels.api", "statsmodels")
    inputs = api.add_constant(spans(sizes), has_constant="add")
    model = (api.QuantReg if median else api.OLS)(targets[rows], inputs[rows])
    fitted = model.fit(q=0.5) if median else model.fit()
    told: np.ndarray = np.asarray(fitted.predict(inputs))
    return told


def diebold_mariano(ours: np.ndarray, theirs: np.ndarray, lags: int | None = None) -> tuple[float, float]:
    """Whether two forecasts' losses (N), day by day, have one mean (Diebold and Mariano 1995).

    The variance is that of Newey and West (1987) with Bartlett weights; 0 ``lags`` is enough for one step ahead if the
    differences are not correlated, ``4 (N / 100) ** (2 / 9)`` lags are the default.

    Returns:
        The statistic, below 0 where ours are smaller, and the two-sided p-value by the normal distribution.

    Raises:
        ValueError: shapes differ, fewer than 2 days, or differences without variance.
    """
    if ours.shape != theirs.shape or ours.ndim != 1 or len(ours) < 2:
        raise ValueError(
            f"diebold_mariano: losses must be two vectors of a length, not {ours.shape} and {theirs.shape}"
        )
    count, gaps = len(ours), ours - theirs
    lags = math.floor(4.0 * (count / 100.0) ** (2.0 / 9.0)) if lags is None else lags
    if not 0 <= lags < count:
        raise ValueError(f"diebold_mariano: lags (={lags}) must be from 0 to {count - 1}")
    centred = gaps - gaps.mean()
    variance = float(centred @ centred)
    for lag in range(1, lags + 1):
        variance += 2.0 * (1.0 - lag / (lags + 1.0)) * float(centred[lag:] @ centred[:-lag])
    if variance <= 0.0:
        raise ValueError(f"diebold_mariano: the losses' differences have the variance {variance / count:g}")
    statistic = float(gaps.mean() / math.sqrt(variance / count**2))
    return statistic, float(erfc(abs(statistic) / math.sqrt(2.0)))


@dataclass(frozen=True)
class Portfolio:
    """A backtest's daily simple returns (N), net of costs, and the part invested (N)."""

    returns: np.ndarray
    part: np.ndarray

    @property
    def equity(self) -> np.ndarray:
        """(N): what 1 has become."""
        equity: np.ndarray = np.cumprod(1.0 + self.returns)
        return equity

    @property
    def sharpe(self) -> float:
        """Mean over deviation, a year's; cash earns nothing."""
        return float(self.returns.mean() / self.returns.std() * math.sqrt(YEAR))

    @property
    def volatility(self) -> float:
        """The deviation of a year."""
        return float(self.returns.std() * math.sqrt(YEAR))

    @property
    def drawdown(self) -> float:
        """The deepest fall from a height before, as a part of it."""
        equity = np.concatenate([[1.0], self.equity])
        return float((1.0 - equity / np.maximum.accumulate(equity)).max())

    @property
    def growth(self) -> float:
        """Of a year, compounded."""
        return float(self.equity[-1] ** (YEAR / len(self.returns)) - 1.0)


def backtest(returns: np.ndarray, part: np.ndarray, cost: float) -> Portfolio:
    """Hold ``part`` (N) of the wealth on the days of simple ``returns`` (N), and pay ``cost`` of all that is traded.

    ``part`` must be known at the close before. Overnight the part drifts with the price; what is traded is the
    difference to the next one, the first day's all of it.
    """
    net, held = np.empty(len(returns)), 0.0
    for day, (gain, wanted) in enumerate(zip(returns, part, strict=True)):
        paid = cost * abs(wanted - held)
        net[day] = (1.0 - paid) * (1.0 + wanted * gain) - 1.0
        held = wanted * (1.0 + gain) / (1.0 + wanted * gain)
    return Portfolio(net, part)
