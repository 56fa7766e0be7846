"""A film's foretold frames as PNG files."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from .extras import need
from .pictures import _INK, _pyplot


def draw_filmstrip(path: Path, frames: np.ndarray, told: np.ndarray, last: np.ndarray, numbers: list[int]) -> None:
    """A strip of frames: true, foretold, what was wrong, and what the last frame once more has wrong.

    Args:
        frames, told, last: (N, H, W) from 0 to 1; numbers: of the frames.
    """
    make, canvas = _pyplot()
    rows = {"true": frames, "foretold": told, "its error": told - frames, "last frame's error": last - frames}
    limit = max(3.0 * float(np.std(last - frames)), 1e-6)
    figure = make(figsize=(1.5 * len(frames) + 0.5, 6.6), dpi=110, layout="constrained")
    canvas(figure)
    gains = 10.0 * np.log10(((last - frames) ** 2).mean(axis=(1, 2)) / ((told - frames) ** 2).mean(axis=(1, 2)))
    figure.suptitle(
        f"Held-out frames, each foretold from those before it. Errors from -{limit:.2f} (red) to {limit:.2f} (blue).",
        fontsize=11,
        color=_INK,
    )
    panels = figure.subplots(4, len(frames), squeeze=False)
    for row, (name, images) in enumerate(rows.items()):
        for column, image in enumerate(images):
            axes = panels[row, column]
            axes.set_xticks([])
            axes.set_yticks([])
            if row < 2:
                axes.imshow(image, cmap="gray", vmin=0.0, vmax=1.0)
            else:
                axes.imshow(image, cmap="RdBu", vmin=-limit, vmax=limit)
            if row == 0:
                axes.set_title(f"{numbers[column]}: {gains[column]:+.1f} dB", fontsize=9, color=_INK, pad=3)
        panels[row, 0].set_ylabel(name, fontsize=10, color=_INK)
    figure.savefig(path)


def write_frame(path: Path, frame: np.ndarray) -> None:
    """(H, W) from 0 to 1 as an 8-bit grey PNG."""
    pixels = np.rint(np.clip(frame, 0.0, 1.0) * 255.0).astype(np.uint8)
    need("PIL.Image", "Pillow").fromarray(pixels).save(path)
