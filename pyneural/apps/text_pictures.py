"""What the applications on text draw beside coloured words, as PNG files."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from .pictures import _FAINT, _INK, _OTHER, _RIGHT, _pyplot


def shown(text: str) -> str:
    """One line of signs that matplotlib's own font has: a dot for what is neither Latin nor printed."""
    return "".join(each if each.isprintable() and each < "\u0250" else "·" for each in " ".join(text.split()))


def draw_language(
    path: Path, title: str, curve: np.ndarray, other: float, texts: Sequence[tuple[str, str]], columns: int = 84
) -> None:
    """A training's curve, and texts with how they go on.

    Args:
        curve: (2, P) of `blocks.curve`, in bits per byte; where it is 0 nothing is known.
        other: what the n-grams have on the test books.
        texts: what was given, and what was said.
    """
    make, canvas = _pyplot()
    figure = make(figsize=(12.5, 6.2), dpi=120, layout="constrained")
    canvas(figure)
    figure.suptitle(title, fontsize=11, color=_INK)
    left, right = figure.subplots(1, 2, width_ratios=(1, 1.35))
    at = (np.arange(curve.shape[1]) + 0.5) / curve.shape[1]
    for values, color, name in zip(curve, (_FAINT, _RIGHT), ("training books", "validation books"), strict=True):
        if (values > 0.0).any():
            left.plot(at[values > 0.0], values[values > 0.0], color=color, linewidth=2.0, label=name)
    left.axhline(other, color=_OTHER, linewidth=1.5, linestyle="--", label="5-grams of bytes, test books")
    left.set_xlabel("part of the training")
    left.set_ylabel("bits per byte")
    left.set_xlim(0.0, 1.0)
    left.grid(color="#e6e9ed", linewidth=0.8)
    left.spines[["top", "right"]].set_visible(False)
    left.legend(frameon=False)
    right.axis("off")
    y = 0.99
    for given, said in texts:
        for text, color in ((f"{given} ...", _FAINT), (f"... {said}", _INK)):
            lines = textwrap.wrap(shown(text), columns)
            written = "\n".join(lines)
            right.text(0.0, y, written, fontsize=9, color=color, va="top", transform=right.transAxes, parse_math=False)
            y -= 0.037 * len(lines) + 0.012
        y -= 0.03
    figure.savefig(path)


def draw_attention(
    path: Path, title: str, maps: Sequence[tuple[Sequence[str], Sequence[str], np.ndarray]], columns: int = 2
) -> None:
    """How much of each token of a source every token of a target takes.

    Args:
        maps: tokens of the source (S) and of the target (T), and weights (T, S).
    """
    make, canvas = _pyplot()
    rows = -(-len(maps) // columns)
    figure = make(figsize=(6.4 * columns, 5.4 * rows + 0.5), dpi=110, layout="constrained")
    canvas(figure)
    figure.suptitle(title, fontsize=11, color=_INK)
    panels = figure.subplots(rows, columns, squeeze=False)
    for axes in panels.flat[len(maps) :]:
        axes.axis("off")
    for axes, (source, target, weights) in zip(panels.flat, maps, strict=False):
        axes.imshow(weights, cmap="Blues", vmin=0.0, vmax=1.0, aspect="auto")
        axes.set_xticks(range(len(source)), list(map(shown, source)), rotation=90, fontsize=8, parse_math=False)
        axes.set_yticks(range(len(target)), list(map(shown, target)), fontsize=8, parse_math=False)
        axes.tick_params(length=0)
        axes.xaxis.tick_top()
    figure.savefig(path)


def curve(losses: list[float], validation: list[float], points: int) -> np.ndarray:
    """(2, points): the mean training loss of each of so many parts of a training, and the validation's on the way.

    The validation is known at the ends of epochs; between them it is a straight line, and before the first it is 0.
    """
    found = np.zeros((2, points))
    at = (np.arange(points) + 0.5) / points
    if losses:
        means = np.array([part.mean() if len(part) else np.nan for part in np.array_split(np.array(losses), points)])
        known = ~np.isnan(means)
        found[0] = np.interp(at, at[known], means[known])
    if validation:
        ends = (np.arange(len(validation)) + 1.0) / len(validation)
        found[1] = np.where(at < ends[0], 0.0, np.interp(at, ends, validation))
    return found
