"""A drive as a contact sheet and as an animation."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .extras import need
from .pictures import _FAINT, _INK, _RIGHT, _pyplot


@dataclass(frozen=True)
class Drive:
    """What happened in T frames.

    Attributes:
        line: (N, 2), the middle of the road in metres.
        places: (T, 3), where the car was, and its speed in m/s.
        actions: (T, 3), steer, gas and brake.
        frames: (T, 96, 96, 3) in uint8.
    """

    line: np.ndarray
    places: np.ndarray
    actions: np.ndarray
    frames: np.ndarray


def draw_drive(path: Path, drive: Drive, title: str, columns: int = 6, rows: int = 4) -> None:
    """The way on the track, coloured by speed, what was done over time, and frames at equal distances of time."""
    make, canvas = _pyplot()
    figure = make(figsize=(15.0, 8.4), dpi=110, layout="constrained")
    canvas(figure)
    figure.suptitle(title, fontsize=12, color=_INK)
    left, right = figure.subfigures(1, 2, width_ratios=(1, 1.5))
    course, done = left.subplots(2, 1, height_ratios=(2.2, 1))
    closed = np.concatenate([drive.line, drive.line[:1]])
    course.plot(*closed.T, color="#dfe3e8", linewidth=7, solid_capstyle="round")
    dots = course.scatter(drive.places[:, 0], drive.places[:, 1], c=drive.places[:, 2], s=4, cmap="viridis", zorder=3)
    left.colorbar(dots, ax=course, label="speed in m/s", shrink=0.8)
    course.set_aspect("equal")
    course.axis("off")
    seconds = np.arange(len(drive.actions)) / 50.0
    for number, (name, color) in enumerate((("steer", _INK), ("gas", _RIGHT), ("brake", "#c6282d"))):
        done.plot(seconds, drive.actions[:, number], color=color, linewidth=0.9, label=name)
    done.axhline(0.0, color=_FAINT, linewidth=0.6)
    done.set_xlabel("seconds")
    done.legend(frameon=False, ncols=3, fontsize=8, loc="lower right")
    done.spines[["top", "right"]].set_visible(False)
    chosen = np.linspace(0, len(drive.frames) - 1, columns * rows).astype(int)
    for axes, number in zip(right.subplots(rows, columns).flat, chosen, strict=True):
        steer, gas, brake = drive.actions[number]
        axes.imshow(drive.frames[number])
        axes.set_title(f"{number / 50:.1f} s, {drive.places[number, 2]:.0f} m/s", fontsize=8, color=_INK, pad=2)
        axes.set_xlabel(f"{steer:+.2f}  gas {gas:.2f}  brake {brake:.2f}", fontsize=6.5, color=_INK, labelpad=2)
        axes.set_xticks([])
        axes.set_yticks([])
    figure.savefig(path)


def animate(path: Path, frames: np.ndarray, every: int = 4, scale: int = 2) -> None:
    """Frames of 20 ms each as a GIF in real time: each ``every``-th, ``scale`` times as large."""
    pillow = need("PIL.Image", "Pillow")
    size = tuple(scale * each for each in frames.shape[2:0:-1])
    shown = [pillow.fromarray(each).resize(size, pillow.Resampling.NEAREST) for each in frames[::every]]
    shown[0].save(path, save_all=True, append_images=shown[1:], duration=20 * every, loop=0, optimize=False)
