"""How a film goes on where nothing new happens: local kernels that are fitted to the frames before."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import uniform_filter

SETTINGS = ((9, 0.3), (15, 0.7), (33, 0.9))
"""Of each guess: the side of the square of pixels that share a kernel, and what a frame earlier counts."""
RIDGE = 2e-3  # holds a kernel at no motion where the square is flat


def guesses(frames: np.ndarray) -> np.ndarray:
    """Next frames, each by kernels of 3 x 3 pixels (least-squares prediction, as in lossless coding: Li 2001).

    A pixel's kernel is the one that would have made the known frames around it out of the frames before them, in the
    sense of least squares; applied to the last frame it goes on with the motion. Only the past is used.

    Args:
        frames: (T, H, W), from 0 to 1.

    Returns:
        (T, K, H, W) in float32: ``[t]`` guesses frame ``t + 1`` from ``frames[: t + 1]``; those of the first frame
        are that frame.
    """
    frames = frames.astype(np.float32)
    made = np.empty((len(frames), len(SETTINGS), *frames.shape[1:]), np.float32)
    products, answers = [0.0] * len(SETTINGS), [0.0] * len(SETTINGS)
    before = None
    for t, frame in enumerate(frames):
        around = _around(frame)
        made[t] = frame
        if before is not None:
            product = before[:, None] * before[None]
            answer = before * (frame - frames[t - 1])
            for k, (side, memory) in enumerate(SETTINGS):
                products[k] = memory * products[k] + uniform_filter(product, (1, 1, side, side))
                answers[k] = memory * answers[k] + uniform_filter(answer, (1, side, side))
                made[t, k] += (_solved(products[k], answers[k]) * around).sum(axis=0)
        before = around
    return np.clip(made, 0.0, 1.0)


def _around(frame: np.ndarray) -> np.ndarray:
    """(8, H, W): the neighbours of each pixel less the pixel itself; those beyond the border are its own copies."""
    wide = np.pad(frame, 1, mode="edge")
    height, width = frame.shape
    places = [(row, column) for row in range(3) for column in range(3) if (row, column) != (1, 1)]
    return np.stack([wide[row : row + height, column : column + width] - frame for row, column in places])


def _solved(product: np.ndarray, answer: np.ndarray) -> np.ndarray:
    """``w`` of ``(product + RIDGE) w = answer`` at every pixel, by elimination: the matrices are positive definite."""
    n = len(answer)
    a = product.astype(np.float64)
    b = answer.astype(np.float64)
    a[np.arange(n), np.arange(n)] += RIDGE
    for i in range(n):
        factor = a[i + 1 :, i] / a[i, i]
        a[i + 1 :, i:] -= factor[:, None] * a[i, i:]
        b[i + 1 :] -= factor * b[i]
    for i in reversed(range(n)):
        b[i] = (b[i] - (a[i, i + 1 :] * b[i + 1 :]).sum(axis=0)) / a[i, i]
    return b
