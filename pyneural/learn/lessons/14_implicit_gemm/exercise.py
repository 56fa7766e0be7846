"""14: a convolution as an implicit matrix product."""

from __future__ import annotations

import numpy as np

from pyneural.learn.exercise import Array, Case, Exercise, Mistake, blocks, result

SIDE = 16


def _conv(x: Array, f: Array, shift: int = -1) -> Array:
    """By definition, in double precision; `shift` is -1 where the filter's middle lies on the pixel."""
    _, height, width = x.shape
    padded = np.pad(x.astype(np.float64), ((0, 0), (2, 2), (2, 2)))
    y = np.zeros((len(f), height, width))
    for i in range(3):
        for j in range(3):
            top, left = 2 + i + shift, 2 + j + shift
            y += np.einsum("fc,chw->fhw", f[:, :, i, j], padded[:, top : top + height, left : left + width])
    return y.astype(np.float32)


def _case(rng: np.random.Generator, channels: int, height: int, width: int, filters: int) -> Case:
    x = rng.standard_normal((channels, height, width)).astype(np.float32)
    f = rng.standard_normal((filters, channels, 3, 3)).astype(np.float32)
    return Case(
        f"{channels} channels of {height} by {width}, {filters} filters",
        {
            "x": x,
            "f": f,
            "y": result((filters, height, width)),
            "channels": channels,
            "height": height,
            "width": width,
            "filters": filters,
        },
        {"y": _conv(x, f)},
        (blocks(height * width, SIDE), blocks(filters, SIDE)),
        (SIDE, SIDE),
        tolerance=1e-4,
        mistakes=(
            Mistake(
                "y", _conv(x, f[:, :, ::-1, ::-1]), "the filter is turned around: i and j grow as row and column do"
            ),
            Mistake("y", _conv(x, f, 0), "the filter's first element lies on the pixel: its middle must"),
        ),
    )


def _cases(rng: np.random.Generator) -> list[Case]:
    return [_case(rng, *sizes) for sizes in ((2, 5, 7, 3), (3, 4, 4, 17), (1, 1, 1, 1), (4, 3, 6, 2))]


def _measured(rng: np.random.Generator) -> tuple[Case, int]:
    """Each pixel is loaded for nine rows of the columns: that is the price of tiles of this kind."""
    channels, side, filters = 4, 16, 16
    return _case(rng, channels, side, side, filters), 4 * (
        channels * side * side + filters * channels * 9 + filters * side * side
    )


EXERCISE = Exercise(
    "conv",
    _cases,
    _measured,
    share=0.2,
    look={"out_of_bounds": "the image's four edges, the last pixel, and the last row of the columns: all need a guard"},
)
