"""How a film goes on where nothing new happens: local kernels that are fitted to the frames before."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import uniform_filter

SETTINGS = ((7, 0.0), (9, 0.5), (15, 0.3), (15, 0.8), (33, 0.9), (5, 0.6), (21, 0.5))
"""Of each guess: the side of the square of pixels that share a kernel, and what a frame earlier counts."""
RIDGE = 2e-3  # holds a kernel at no motion where the square is flat
MIXING = ((11, 0.95, 1e-3), (9, 0.95, 1e-3))  # side, what a frame earlier counts, and ridge of the two mixtures
KINDS = 2 + len(SETTINGS) + len(MIXING)


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
    around = np.stack([_around(each) for each in frames])
    return np.stack([_fitted(frames, around, *each, RIDGE) for each in SETTINGS], axis=1)


def mixed(frames: np.ndarray) -> np.ndarray:
    """All that is known of the next frame without a network: (T, KINDS, H, W) from (T, H, W).

    In order: the frame before, the last frame blurred, the guesses, the mixture of them that would have been best for
    the known frames around each pixel, and another one that has `_more` as well.
    """
    frames = frames.astype(np.float32)
    kinds = np.stack([_late(frames), uniform_filter(frames, (0, 3, 3))], axis=1)
    kinds = np.concatenate([kinds, guesses(frames)], axis=1)
    first = _fitted(frames, kinds - frames[:, None], *MIXING[0])
    second = _fitted(frames, _more(frames, np.concatenate([kinds, first[:, None]], axis=1)), *MIXING[1])
    return np.concatenate([kinds, first[:, None], second[:, None]], axis=1)


def remixed(frames: np.ndarray, kinds: np.ndarray, told: np.ndarray) -> np.ndarray:
    """A mixture that has one more part, what a network tells: (T, H, W).

    Args:
        frames, told: (T, H, W), each frame and what was told of the next; kinds: of `mixed`.
    """
    late = frames - _late(told)
    parts = [_more(frames, kinds[:, :-1]), (told - frames)[:, None], late[:, None]]
    return _fitted(frames, np.concatenate(parts, axis=1), *MIXING[1])


def _late(film: np.ndarray) -> np.ndarray:
    """Each frame replaced by the one before."""
    return np.concatenate([film[:1], film[:-1]])


def _more(frames: np.ndarray, kinds: np.ndarray) -> np.ndarray:
    """Less the frame: all of the first mixture's parts, wider blurs, and what it and two guesses just had wrong."""
    parts = kinds[:, :-1] - frames[:, None]
    wrong = frames[:, None] - _late(kinds[:, [-1, 3, 6]])
    blurred = [uniform_filter(kinds[:, 0], (0, 3, 3)) - frames, uniform_filter(frames, (0, 5, 5)) - frames]
    return np.concatenate([parts, wrong, np.stack(blurred, axis=1)], axis=1)


def _fitted(frames: np.ndarray, parts: np.ndarray, side: int, memory: float, ridge: float) -> np.ndarray:
    """Each frame and the sum of its ``parts`` (T, n, H, W) with the weights that led to the frames before it."""
    n = parts.shape[1]
    rows, columns = np.triu_indices(n)
    sums = np.zeros((len(rows) + n, *frames.shape[1:]), np.float32)
    made: np.ndarray = frames.copy()
    for t in range(1, len(frames)):
        known = parts[t - 1]
        answer = known * (frames[t] - frames[t - 1])
        sums = memory * sums + uniform_filter(np.concatenate([known[rows] * known[columns], answer]), (0, side, side))
        product = np.empty((n, n, *frames.shape[1:]), np.float32)
        product[rows, columns] = product[columns, rows] = sums[:-n]
        made[t] += (_solved(product, sums[-n:], ridge) * parts[t]).sum(axis=0)
    return made.clip(0.0, 1.0)


def _around(frame: np.ndarray) -> np.ndarray:
    """(8, H, W): the neighbours of each pixel less the pixel itself; those beyond the border are its own copies."""
    wide = np.pad(frame, 1, mode="edge")
    height, width = frame.shape
    places = [(row, column) for row in range(3) for column in range(3) if (row, column) != (1, 1)]
    return np.stack([wide[row : row + height, column : column + width] - frame for row, column in places])


def _solved(product: np.ndarray, answer: np.ndarray, ridge: float) -> np.ndarray:
    """``w`` of ``(product + ridge) w = answer`` at every pixel, by elimination: the matrices are positive definite."""
    n = len(answer)
    a: np.ndarray = product.copy()
    b: np.ndarray = answer.copy()
    a[np.arange(n), np.arange(n)] += a.dtype.type(ridge)
    for i in range(n):
        factor = a[i + 1 :, i] / a[i, i]
        a[i + 1 :, i + 1 :] -= factor[:, None] * a[i, i + 1 :]
        b[i + 1 :] -= factor * b[i]
    for i in reversed(range(n)):
        b[i] = (b[i] - (a[i, i + 1 :] * b[i + 1 :]).sum(axis=0)) / a[i, i]
    return b
