"""The pictures of a report: a roofline, and time against size."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pyneural.apps.extras import need

from .contestants import SUBJECT

_INK, _GRID = "#222222", "#e6e9ed"
_COLOURS = (
    "#1f6fb2",
    "#c6282d",
    "#2e8b57",
    "#8e5bb5",
    "#c77c11",
    "#00808a",
    "#7a5c3e",
    "#c2478b",
    "#6b7280",
    "#93a000",
)
_MARKS = "osD^vP*X"

Series = dict[str, list[tuple[float, float]]]


def _figure(width: float, height: float) -> Any:
    figure = need("matplotlib.figure", "matplotlib", "bench").Figure(
        figsize=(width, height), dpi=130, layout="constrained"
    )
    need("matplotlib.backends.backend_agg", "matplotlib", "bench").FigureCanvasAgg(figure)
    return figure


def _plain(axes: Any) -> None:
    axes.grid(color=_GRID, linewidth=0.8)
    axes.spines[["top", "right"]].set_visible(False)


def _where(report: dict[str, Any]) -> str:
    card = report.get("machine", {}).get("card")
    return f"on {card['name']}" if card else f"with {report['threads']} threads"


def draw(folder: Path, report: dict[str, Any]) -> list[Path]:
    """Write the pictures; their paths."""
    paths = []
    for name, figure in (("roofline", roofline(report)), ("scaling", scaling(report))):
        paths.append(folder / f"{name}.png")
        figure.savefig(paths[-1])
    return paths


def roofline(report: dict[str, Any]) -> Any:
    """Operations a second against operations a byte, under the measured ceilings; filled where it is pyneural."""
    rows = report["rows"]
    ceilings = report["ceilings"]
    figure = _figure(9.0, 6.2)
    axes = figure.subplots()
    intensities = [row["flops"] / row["bytes"] for row in rows]
    span = np.geomspace(min(intensities) / 2, max(*intensities, 60.0) * 2, 200)
    for i, dtype in enumerate(dict.fromkeys(row["dtype"] for row in rows)):
        peak = ceilings["flops"].get(dtype, math.inf)
        roof = np.minimum(peak, span * ceilings["bytes"])
        axes.plot(span, roof / 1e9, color=_INK, linewidth=1.6, linestyle=("-", "--", ":", "-.")[i % 4])
        if math.isfinite(peak):
            axes.annotate(
                f"{dtype}: {peak / 1e9:.0f} GFLOP/s", (span[-1], peak / 1e9), textcoords="offset points",
                xytext=(-4, 4), ha="right", fontsize=8, color=_INK,
            )  # fmt: skip
    peaks = [ceilings["flops"].get(row["dtype"], ceilings["flops"]["float32"]) for row in rows]
    middle = max(peaks) / ceilings["bytes"] / 2.5
    axes.annotate(
        f"copy: {ceilings['bytes'] / 1e9:.1f} GB/s", (middle, middle * ceilings["bytes"] / 1e9),
        textcoords="offset points", xytext=(-8, 6), ha="right", fontsize=8, color=_INK,
    )  # fmt: skip
    names = list(dict.fromkeys(row["operation"] for row in rows))
    for row, intensity in zip(rows, intensities, strict=True):
        place = names.index(row["operation"])
        look = {
            "marker": _MARKS[place % len(_MARKS)],
            "color": _COLOURS[place % len(_COLOURS)],
            "linestyle": "none",
        }
        best = [seconds for name, seconds in row["seconds"].items() if name != SUBJECT]
        if best:
            axes.plot(intensity, row["flops"] / min(best) / 1e9, markerfacecolor="none", alpha=0.7, **look)
        axes.plot(intensity, row["flops"] / row["seconds"][SUBJECT] / 1e9, **look)
    for place, name in enumerate(names):
        axes.plot(
            [], [], marker=_MARKS[place % len(_MARKS)], color=_COLOURS[place % len(_COLOURS)], linestyle="none",
            label=name,
        )  # fmt: skip
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlabel("operations a byte that must be moved")
    axes.set_ylabel("GFLOP/s")
    axes.set_title(
        f"Roofline, ceilings measured {_where(report)}: pyneural filled, best of the others hollow",
        fontsize=10,
        color=_INK,
    )
    _plain(axes)
    axes.legend(frameon=False, fontsize=8, loc="center left", bbox_to_anchor=(1.0, 0.5))
    return figure


def exponent(points: Sequence[tuple[float, float]]) -> float:
    """The slope of the straight line through the logarithms; NaN for fewer than two sizes."""
    if len({size for size, _ in points}) < 2:
        return math.nan
    x, y = np.log([size for size, _ in points]), np.log([seconds for _, seconds in points])
    return float(np.polyfit(x, y, 1)[0])


def panels(report: dict[str, Any]) -> dict[tuple[str, str], Series]:
    """(size, seconds) of each contestant, by operation and dtype."""
    found: dict[tuple[str, str], Series] = {}
    for row in report["rows"]:
        series = found.setdefault((row["operation"], row["dtype"]), {})
        for name, seconds in row["seconds"].items():
            series.setdefault(name, []).append((row["size"], seconds))
    return found


def scaling(report: dict[str, Any]) -> Any:
    """Time against size, both logarithmic, a panel for each operation and dtype, with the fitted exponents."""
    every = panels(report)
    columns = min(3, len(every))
    lines = -(-len(every) // columns)
    figure = _figure(4.2 * columns, 3.4 * lines + 0.5)
    ticker = need("matplotlib.ticker", "matplotlib", "bench")
    grid = list(figure.subplots(lines, columns, squeeze=False).flat)
    contestants = list(report["contestants"])
    for axes in grid[len(every) :]:
        axes.axis("off")
    for axes, ((operation, dtype), series) in zip(grid, every.items(), strict=False):
        for name, points in series.items():
            place = contestants.index(name)
            power = exponent(points)
            axes.plot(
                [size for size, _ in points], [1e3 * seconds for _, seconds in points],
                color=_COLOURS[place % len(_COLOURS)], marker=_MARKS[place % len(_MARKS)], markersize=4,
                linewidth=2.0 if name == SUBJECT else 1.2,
                label=name if math.isnan(power) else f"{name}: size^{power:.2f}",
            )  # fmt: skip
        sizes = sorted({size for points in series.values() for size, _ in points})
        axes.set_xscale("log")
        axes.set_yscale("log")
        axes.xaxis.set_major_locator(ticker.FixedLocator(sizes))
        axes.xaxis.set_major_formatter(ticker.FormatStrFormatter("%d"))
        axes.xaxis.set_minor_locator(ticker.NullLocator())
        axes.yaxis.set_major_locator(ticker.LogLocator(subs=(1.0, 2.0, 5.0)))
        axes.yaxis.set_major_formatter(ticker.FormatStrFormatter("%g"))
        axes.yaxis.set_minor_locator(ticker.NullLocator())
        axes.set_title(f"{operation}, {dtype}", fontsize=10, color=_INK)
        axes.set_xlabel("size")
        axes.set_ylabel("ms")
        _plain(axes)
        axes.legend(frameon=False, fontsize=8)
    figure.suptitle(f"Time against size, {_where(report)}", fontsize=11, color=_INK)
    return figure
