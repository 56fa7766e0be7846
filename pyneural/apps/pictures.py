"""What applications draw, as PNG files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from .extras import need
from .tables import calibration_error, reliability

_INK, _FAINT, _RIGHT, _WRONG, _OTHER = "#222222", "#9aa5b1", "#1f6fb2", "#c6282d", "#d98324"


def _pyplot() -> tuple[Any, Any]:
    """matplotlib's Figure and the canvas that draws to files only; no window system is touched."""
    figure = need("matplotlib.figure", "matplotlib").Figure
    canvas = need("matplotlib.backends.backend_agg", "matplotlib").FigureCanvasAgg
    return figure, canvas


def draw_predictions(
    path: Path, images: np.ndarray, labels: np.ndarray, predictions: np.ndarray, columns: int = 12, rows: int = 8
) -> None:
    """A grid of test images with what the network says: every wrong one first, marked, then right ones.

    Args:
        images: (N, 8, 8); labels, predictions: (N).
    """
    make, canvas = _pyplot()
    wrong = np.flatnonzero(labels != predictions)
    right = np.flatnonzero(labels == predictions)
    count = columns * rows
    # The right ones evenly from the whole set, so that every writer and digit has a chance.
    room = max(count - len(wrong), 0)
    chosen = right[np.linspace(0, len(right) - 1, min(room, len(right))).astype(int)] if len(right) else right
    shown = [*wrong[:count], *chosen]
    figure = make(figsize=(columns * 0.82, rows * 1.02 + 0.7), dpi=130, layout="constrained")
    canvas(figure)
    accuracy = len(right) / max(len(labels), 1)
    figure.suptitle(
        f"{len(labels)} test images, {len(wrong)} wrong (red: what it said, and what it is): accuracy {accuracy:.4f}",
        fontsize=11,
        color=_INK,
    )
    for place, axes in enumerate(figure.subplots(rows, columns).flat):
        axes.set_xticks([])
        axes.set_yticks([])
        if place >= len(shown):
            axes.axis("off")
            continue
        index = shown[place]
        axes.imshow(images[index], cmap="gray_r", vmin=0.0, vmax=1.0)
        fault = labels[index] != predictions[index]
        text = f"{predictions[index]}, is {labels[index]}" if fault else f"{predictions[index]}"
        axes.set_title(
            text, fontsize=10, color=_WRONG if fault else _RIGHT, fontweight="bold" if fault else None, pad=3
        )
        for spine in axes.spines.values():
            spine.set_color(_WRONG if fault else "#dddddd")
            spine.set_linewidth(2.5 if fault else 0.8)
    figure.savefig(path)


def draw_loss(path: Path, losses: Sequence[float], accuracies: Sequence[float]) -> None:
    """The loss of every step with its mean over each epoch, and below it the training accuracy."""
    make, canvas = _pyplot()
    figure = make(figsize=(8.0, 6.0), dpi=130, layout="constrained")
    canvas(figure)
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(2, 1))
    epochs = len(accuracies)
    per_epoch = len(losses) // epochs
    steps = np.arange(1, len(losses) + 1) / per_epoch
    ends = np.arange(1, epochs + 1)
    means = np.asarray(losses).reshape(epochs, per_epoch).mean(axis=1)
    upper.plot(steps, losses, color=_FAINT, linewidth=0.7, label="each step")
    upper.plot(ends - 0.5, means, color=_RIGHT, linewidth=2.0, label="mean of each epoch")
    ticker = need("matplotlib.ticker", "matplotlib")
    upper.set_yscale("log")
    upper.yaxis.set_major_formatter(ticker.FormatStrFormatter("%g"))
    upper.yaxis.set_minor_formatter(ticker.FormatStrFormatter("%g"))
    upper.set_ylabel("cross-entropy, smoothed labels")
    upper.set_title("Training on the first half of digits", fontsize=11, color=_INK)
    upper.legend(frameon=False)
    lower.plot(ends, accuracies, color=_RIGHT, linewidth=2.0, marker="o", markersize=3.5)
    lower.set_ylabel("training accuracy")
    lower.set_xlabel("epoch")
    lower.set_xlim(0, epochs * 1.01)
    lower.xaxis.set_major_locator(ticker.MaxNLocator(integer=True))
    for axes in (upper, lower):
        axes.grid(color="#e6e9ed", linewidth=0.8)
        axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path)


def draw_roc_and_reliability(path: Path, labels: np.ndarray, told: dict[str, np.ndarray], title: str) -> None:
    """Two panels: the ROC curve, near its corner, and how often what was told came true.

    Args:
        labels: (N) of 0 and 1.
        told: probabilities (N) by who told them; the first is ours.
    """
    make, canvas = _pyplot()
    metrics = need("sklearn.metrics", "scikit-learn")
    figure = make(figsize=(11.0, 5.4), dpi=130, layout="constrained")
    canvas(figure)
    figure.suptitle(title, fontsize=10, color=_INK)
    left, right = figure.subplots(1, 2)
    right.plot([0, 1], [0, 1], color=_FAINT, linewidth=0.8)
    for number, (name, each) in enumerate(told.items()):
        color = _RIGHT if number == 0 else _OTHER
        false, true, _ = metrics.roc_curve(labels, each)
        left.step(
            false, true, where="post", color=color, linewidth=1.8, label=f"{name}, area {metrics.auc(false, true):.4f}"
        )
        means, parts, counts = reliability(each, labels)
        gap = calibration_error(each, labels)
        right.plot(means, parts, color=color, linewidth=1.2, label=f"{name}, calibration error {gap:.3f}")
        right.scatter(means, parts, s=6 + 3 * counts, color=color, alpha=0.6, linewidth=0)
    left.set_xlim(-0.005, 0.2)
    left.set_ylim(0.8, 1.003)
    left.set_xlabel("part of the negative cases called positive")
    left.set_ylabel("part of the positive cases found")
    right.set_xlabel("probability told (area of a dot: cases)")
    right.set_ylabel("part that was positive")
    for axes in (left, right):
        axes.grid(color="#e6e9ed", linewidth=0.8)
        axes.spines[["top", "right"]].set_visible(False)
        axes.legend(frameon=False, loc="lower right", fontsize=9)
    figure.savefig(path)


def draw_saliency(
    path: Path,
    images: np.ndarray,
    labels: np.ndarray,
    told: np.ndarray,
    saliency: np.ndarray,
    names: tuple[str, str],
    columns: int = 10,
    rows: int = 5,
) -> None:
    """Images, each with its saliency under it: the wrong ones first, then the least sure half, then sure ones.

    Args:
        images, saliency: (N, H, W); labels: (N) of 0 and 1; told: (N), probability of 1.
        names: of the labels 0 and 1.
    """
    make, canvas = _pyplot()
    wrong = (told > 0.5) != (labels > 0.5)
    order = np.lexsort((np.abs(told - 0.5), ~wrong))  # the wrong ones first, then by how sure
    room = columns * rows
    near, far = order[: room // 2 + wrong.sum() // 2], order[room // 2 + wrong.sum() // 2 :]
    spread = far[np.linspace(0, len(far) - 1, max(min(room - len(near), len(far)), 0)).astype(int)]
    shown = [*near[:room], *spread][:room]
    figure = make(figsize=(columns * 1.0, rows * 2.2 + 0.7), dpi=110, layout="constrained")
    canvas(figure)
    figure.suptitle(
        f"{len(labels)} images, each judged by the network that has not seen it; {wrong.sum()} wrong (red).\n"
        f"Above: how likely {names[1]}. Below: how much each pixel changes the answer.",
        fontsize=11,
        color=_INK,
    )
    panels = figure.subplots(2 * rows, columns)
    for axes in panels.flat:
        axes.axis("off")
    for place, index in enumerate(shown):
        row, column = divmod(place, columns)
        upper, lower = panels[2 * row, column], panels[2 * row + 1, column]
        upper.imshow(images[index], cmap="gray", vmin=0.0, vmax=1.0)
        lower.imshow(saliency[index], cmap="magma", vmin=0.0, vmax=max(float(saliency[index].max()), 1e-12))
        text = f"{told[index]:.2f}" + (f", {names[int(labels[index])]}" if wrong[index] else "")
        bold = "bold" if wrong[index] else None
        upper.set_title(text, fontsize=8, color=_WRONG if wrong[index] else _RIGHT, fontweight=bold, pad=2)
    figure.savefig(path)


def draw_denoised(path: Path, clean: np.ndarray, shown: dict[str, np.ndarray], title: str, columns: int = 5) -> None:
    """An image and others that should be like it, each above its error, cut to the largest thing in it.

    Args:
        clean: (H, W), from 0 to 1; shown: by their titles.
    """
    make, canvas = _pyplot()
    ndimage = need("scipy.ndimage", "scipy")
    things, _ = ndimage.label(clean > 0.2)
    largest = ndimage.find_objects(things)[np.bincount(things[things > 0]).argmax() - 1]
    place = tuple(slice(max(each.start - 8, 0), each.stop + 8) for each in largest)
    limit = 3.0 * float(np.std(next(iter(shown.values())) - clean))
    images = {"clean\n": clean, **shown}
    bands = -(-len(images) // columns)
    figure = make(figsize=(2.3 * columns, 5.3 * bands + 0.6), dpi=110, layout="constrained")
    canvas(figure)
    figure.suptitle(title, fontsize=10, color=_INK)
    panels = figure.subplots(2 * bands, columns)
    for axes in panels.flat:
        axes.axis("off")
    for number, (name, image) in enumerate(images.items()):
        band, column = divmod(number, columns)
        panels[2 * band, column].imshow(image[place], cmap="gray", vmin=0.35, vmax=0.52)
        panels[2 * band, column].set_title(name, fontsize=9, color=_INK, pad=3)
        if number:
            drawn = panels[2 * band + 1, column].imshow((image - clean)[place], cmap="RdBu", vmin=-limit, vmax=limit)
    below = panels[1, 0].inset_axes((0.1, 0.4, 0.8, 0.06))
    figure.colorbar(drawn, cax=below, orientation="horizontal", label="error; blue: too bright")
    figure.savefig(path)


def draw_confusion(
    path: Path,
    images: np.ndarray,
    labels: np.ndarray,
    told: np.ndarray,
    names: Sequence[str],
    columns: int = 6,
    rows: int = 5,
) -> None:
    """How many of each class were taken for each, beside the errors that were told with the most certainty.

    Args:
        images: (N, H, W); labels: (N); told: (N, classes), probabilities.
    """
    make, canvas = _pyplot()
    said, count = told.argmax(axis=1), len(names)
    table = np.bincount(labels * count + said, minlength=count * count).reshape(count, count)
    wrong = np.flatnonzero(said != labels)
    worst = wrong[np.argsort(-told[wrong, said[wrong]], kind="stable")][: columns * rows]
    figure = make(figsize=(15.5, 7.6), dpi=110, layout="constrained")
    canvas(figure)
    figure.suptitle(
        f"{len(labels)} test images, {len(wrong)} wrong: accuracy {1 - len(wrong) / max(len(labels), 1):.4f}. "
        "Right: what it was surest of and wrong (red: what it said, and what it is)",
        fontsize=11,
        color=_INK,
    )
    left, right = figure.subfigures(1, 2, width_ratios=(1.1, 1))
    axes = left.subplots()
    share = table / np.maximum(table.sum(axis=1, keepdims=True), 1)
    axes.imshow(np.sqrt(share), cmap="Blues", vmin=0.0, vmax=1.0)  # the root, so that few errors are seen
    for row, column in np.argwhere(table):
        color = "white" if share[row, column] > 0.4 else _INK
        axes.text(column, row, str(table[row, column]), ha="center", va="center", fontsize=8, color=color)
    axes.set_xticks(range(count), names, rotation=45, ha="right", fontsize=8)
    axes.set_yticks(range(count), names, fontsize=8)
    axes.set_xlabel("what the network said")
    axes.set_ylabel("what it is")
    for place, panel in enumerate(right.subplots(rows, columns).flat):
        panel.axis("off")
        if place < len(worst):
            index = worst[place]
            panel.imshow(images[index], cmap="gray_r", vmin=0.0, vmax=1.0)
            text = f"{names[said[index]]} {told[index, said[index]]:.2f}\nis {names[labels[index]]}"
            panel.set_title(text, fontsize=7, color=_WRONG, pad=2)
    figure.savefig(path)
