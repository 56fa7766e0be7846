"""What the fraud and markets applications draw, as PNG files."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from .extras import need
from .market_tests import Portfolio
from .pictures import _FAINT, _INK, _OTHER, _RIGHT, _pyplot

_COLORS = (_RIGHT, _OTHER, "#5b8c5a", "#7a5195")


def cost_curve(labels: np.ndarray, told: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """The normalised expected cost of the best threshold for each share of the cost that positives have.

    Drummond and Holte (2006): ``share * misses + (1 - share) * false alarms``, both as parts of their class.
    """
    false, true, _ = need("sklearn.metrics", "scikit-learn").roc_curve(labels, told, drop_intermediate=False)
    cost: np.ndarray = (shares * (1.0 - true)[:, None] + (1.0 - shares) * false[:, None]).min(axis=0)
    return cost


def draw_recall_and_cost(path: Path, tables: dict[str, tuple[np.ndarray, dict[str, np.ndarray]]]) -> None:
    """A row of panels for each table: precision against recall, and the cost curve.

    Args:
        tables: labels (N) of 0 and 1, and probabilities (N) by who told them, by the table's name.
    """
    make, canvas = _pyplot()
    metrics = need("sklearn.metrics", "scikit-learn")
    figure = make(figsize=(11.0, 9.0), dpi=130, layout="constrained")
    canvas(figure)
    figure.suptitle("Every row is judged by a model that has not seen it", fontsize=11, color=_INK)
    shares = np.linspace(0.0, 1.0, 201)
    panels = figure.subplots(len(tables), 2, squeeze=False)
    for (name, (labels, told)), (left, right) in zip(tables.items(), panels, strict=True):
        right.plot(shares, np.minimum(shares, 1.0 - shares), color=_FAINT, linewidth=1.0, label="one answer for all")
        for color, (who, each) in zip(_COLORS, told.items(), strict=False):
            precision, recall, _ = metrics.precision_recall_curve(labels, each)
            area = metrics.roc_auc_score(labels, each)
            width = 2.0 if color == _RIGHT else 1.3
            left.plot(recall, precision, color=color, linewidth=width, label=f"{who}, ROC area {area:.3f}")
            right.plot(shares, cost_curve(labels, each, shares), color=color, linewidth=width, label=who)
        left.axvline(0.9, color=_FAINT, linewidth=1.0, linestyle=":")
        left.axhline(labels.mean(), color=_FAINT, linewidth=1.0)
        left.set_title(f"{name}: precision and recall", fontsize=10, color=_INK)
        right.set_title(f"{name}: cost of the best threshold", fontsize=10, color=_INK)
        left.set_xlabel("recall: part of the bad rows found")
        left.set_ylabel("precision: part of the found that are bad")
        right.set_xlabel("share of the cost that lies with the bad rows")
        right.set_ylabel("expected cost, 1 is all wrong")
        left.set_xlim(0.0, 1.01)
        left.set_ylim(0.0, 1.02)
        right.set_xlim(0.0, 1.0)
        right.set_ylim(0.0, 1.4 * max(cost_curve(labels, each, shares).max() for each in told.values()))
        for axes, place in ((left, "lower left"), (right, "lower center")):
            axes.grid(color="#e6e9ed", linewidth=0.8)
            axes.spines[["top", "right"]].set_visible(False)
            axes.legend(frameon=False, loc=place, fontsize=9)
    figure.savefig(path)


def draw_forecast_and_equity(
    path: Path,
    dates: np.ndarray,
    realised: np.ndarray,
    forecasts: dict[str, np.ndarray],
    portfolios: dict[str, Portfolio],
) -> None:
    """Three panels over the same days: |return| and its forecasts, what 1 became, and the part invested.

    Args:
        dates, realised: (N).
        forecasts: (N) by who made them; portfolios by their names.
    """
    make, canvas = _pyplot()
    figure = make(figsize=(11.0, 10.0), dpi=130, layout="constrained")
    canvas(figure)
    upper, middle, lower = figure.subplots(3, 1, sharex=True, height_ratios=(3, 3, 1.3))
    upper.bar(dates, 100.0 * realised, width=1.0, color="#cfd6dd", label="realised")
    for color, (who, told) in zip(_COLORS, forecasts.items(), strict=False):
        mae = np.abs(told - realised).mean()
        width = 1.4 if color == _RIGHT else 0.9
        upper.plot(
            dates, 100.0 * told, color=color, linewidth=width, label=f"{who}, mean absolute error {100 * mae:.4f} %"
        )
    upper.set_ylabel("|return| of the day, %")
    upper.set_title("Forecasts at the close before, on years that trained nothing", fontsize=11, color=_INK)
    for color, (name, portfolio) in zip((_RIGHT, _OTHER, _INK), portfolios.items(), strict=True):
        words = (
            f"{name}: Sharpe {portfolio.sharpe:.2f}, drawdown {portfolio.drawdown:.1%}, "
            f"volatility {portfolio.volatility:.1%}, {portfolio.growth:+.1%} a year"
        )
        middle.plot(dates, portfolio.equity, color=color, linewidth=1.5, label=words)
        lower.plot(dates, portfolio.part, color=color, linewidth=0.8)
    middle.set_ylabel("1 became, after costs")
    lower.set_ylabel("part invested")
    lower.set_ylim(0.0, 1.05)
    for axes in (upper, middle, lower):
        axes.grid(color="#e6e9ed", linewidth=0.8)
        axes.set_axisbelow(True)
        axes.spines[["top", "right"]].set_visible(False)
    for axes in (upper, middle):
        axes.legend(frameon=False, loc="upper left", fontsize=9)
    lower.set_xlim(dates[0], dates[-1])
    figure.savefig(path)
