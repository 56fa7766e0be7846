"""Pictures from files; a digit's as the networks know digits: small, bright on dark, filling their height."""

from __future__ import annotations

import os
from typing import Any

import numpy as np

from pyneural.tensor import Tensor

from .extras import need

SIDE = 8


def read_digit(
    path: str | os.PathLike[str],
    device: Any = None,
    side: int = SIDE,
    height: int | None = None,
    owner: str = "read_digit",
) -> Tensor:
    """A picture as a (1, 1, side, side) tensor from 0 to 1.

    Dark ink on a bright ground is inverted; a picture of another size is cut to its ink, scaled to ``height``
    pixels, the full height unless given, and centred.

    Raises:
        MissingPackage: Pillow is not installed.
        FileNotFoundError: there is no such file.
        ValueError: it is no picture, or an empty one; the message begins with ``owner``.
    """
    pillow = need("PIL.Image", "Pillow")
    grey = read_grey(owner, path)
    border = np.concatenate([grey[0], grey[-1], grey[:, 0], grey[:, -1]])
    ink = 1.0 - grey if np.median(border) > 0.5 else grey
    if ink.max() - ink.min() < 0.1:
        raise ValueError(f"{owner}: {os.fspath(path)} is empty: all of its {ink.shape} pixels are alike")
    if ink.shape != (side, side):
        ink = _fitted(pillow, ink, side, side if height is None else height)
    return Tensor(ink[None, None], dtype=np.float32, device=device)


def read_grey(owner: str, path: str | os.PathLike[str]) -> np.ndarray:
    """A picture as (height, width) in float32, from 0 to 1, what is transparent over white.

    Raises:
        MissingPackage: Pillow is not installed.
        FileNotFoundError: there is no such file.
        ValueError: it is no picture; the message begins with ``owner``.
    """
    grey: np.ndarray = _read(owner, path, "L").astype(np.float32) / np.float32(255.0)
    return grey


def read_colour(owner: str, path: str | os.PathLike[str]) -> np.ndarray:
    """A picture as (height, width, 3) in uint8: red, green, blue. Otherwise as `read_grey`."""
    return _read(owner, path, "RGB")


def _read(owner: str, path: str | os.PathLike[str], mode: str) -> np.ndarray:
    pillow = need("PIL.Image", "Pillow")
    try:
        with pillow.open(path) as opened:
            return np.asarray(_flattened(pillow, opened, mode))
    except (pillow.UnidentifiedImageError, pillow.DecompressionBombError, SyntaxError) as error:
        raise ValueError(f"{owner}: {os.fspath(path)} is no picture: {error}") from None
    except OSError as error:
        if isinstance(error, (FileNotFoundError, PermissionError, IsADirectoryError)):
            raise
        raise ValueError(f"{owner}: {os.fspath(path)} is no whole picture: {error}") from None


def read_square(path: str | os.PathLike[str], side: int) -> np.ndarray:
    """The middle square of a picture, scaled to (side, side), from 0 to 1.

    Raises:
        ValueError: it is no picture, smaller than that, or all of its pixels are alike.
    """
    grey = read_grey("read_square", path)
    length = min(grey.shape)
    if length < side:
        raise ValueError(f"read_square: {os.fspath(path)} has {grey.shape} pixels, fewer than {side} x {side}")
    top, left = ((n - length) // 2 for n in grey.shape)
    cut = grey[top : top + length, left : left + length]
    if cut.max() - cut.min() < 0.02:
        raise ValueError(f"read_square: {os.fspath(path)} is empty: all of its {cut.shape} pixels are alike")
    pillow = need("PIL.Image", "Pillow")
    return np.asarray(pillow.fromarray(cut).resize((side, side), pillow.Resampling.BOX), np.float32)


def _flattened(pillow: Any, picture: Any, mode: str) -> Any:
    """In grey ("L") or colours ("RGB"), with what is transparent laid over white."""
    if "A" in picture.getbands() or "transparency" in picture.info:
        picture = picture.convert("RGBA")
        ground = pillow.new("RGBA", picture.size, "white")
        picture = pillow.alpha_composite(ground, picture)
    return picture.convert(mode)


def _fitted(pillow: Any, ink: np.ndarray, side: int, length: int) -> np.ndarray:
    """Cut to the ink, scaled to ``length`` pixels (height, or width where that is larger) and centred."""
    there = ink > ink.min() + 0.2 * (ink.max() - ink.min())
    rows, columns = np.flatnonzero(there.any(axis=1)), np.flatnonzero(there.any(axis=0))
    cut = ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    scale = length / max(cut.shape)
    height, width = (max(1, round(n * scale)) for n in cut.shape)
    small = np.asarray(pillow.fromarray(cut).resize((width, height), pillow.Resampling.BOX), np.float32)
    small = (small - ink.min()) / max(float(small.max() - ink.min()), 1e-6)
    result = np.zeros((side, side), np.float32)
    top, left = (side - height) // 2, (side - width) // 2
    result[top : top + height, left : left + width] = np.clip(small, 0.0, 1.0)
    return result
