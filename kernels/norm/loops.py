"""The compiled loops of batch normalisation over a C-contiguous (N, C, S) array.

A plane is the S elements of one image's channel. The images of a channel are cut into groups of a
size that depends on the shape alone: statistics of a group, one task each, are merged in order, so
the result does not depend on the number of threads. Within a plane sums run in x's own precision
over at most `BLOCK` elements in the first-level cache, beyond that in float64.
"""

from __future__ import annotations

import math

import numpy as np

from ..jit import jit
from ..parallel import each, share

BLOCK = 4096  # elements of one block: two passes over it stay in the first-level cache
RUN = 512  # products summed in a row: rounding errors grow with the longest run
GROUP = 65_536  # elements of one group of images of a channel


@jit(inline=True)
def moments(x, count, mean, squares):  # type: ignore[no-untyped-def]
    """Merge the elements of a contiguous array into (count, mean, sum of squared deviations)."""
    for start in range(0, x.size, BLOCK):
        block = x[start : min(start + BLOCK, x.size)]
        total = x.dtype.type(0.0)
        for k in range(block.size):
            total += block[k]
        center = total / x.dtype.type(block.size)
        spread, rest = x.dtype.type(0.0), x.dtype.type(0.0)
        for k in range(block.size):
            difference = block[k] - center
            spread += difference * difference
            rest += difference  # what rounding left in the center
        n = np.float64(block.size)
        shift = np.float64(rest) / n
        here = np.float64(center) + shift
        if count == 0.0:  # nothing to merge with, and no divisions to wait for
            count, mean, squares = n, here, np.float64(spread) - n * shift * shift
            continue
        merged = count + n
        delta = here - mean
        mean += delta * (n / merged)
        squares += np.float64(spread) - n * shift * shift + delta * delta * (count * n / merged)
        count = merged
    return count, mean, squares


@jit(inline=True)
def _group_moments(task, x, parts, images, groups):  # type: ignore[no-untyped-def]
    c, group = task // groups, task % groups
    count, mean, squares = 0.0, 0.0, 0.0
    for n in range(group * images, min(group * images + images, x.shape[0])):
        count, mean, squares = moments(x[n, c], count, mean, squares)
    parts[task, 0], parts[task, 1], parts[task, 2] = count, mean, squares


@jit
def statistics(x, moments, mean, rstd, images, eps):  # type: ignore[no-untyped-def]
    """Mean and reciprocal standard deviation of every channel; ``moments`` is (C * groups, 3) scratch."""
    channels = x.shape[1]
    groups = moments.shape[0] // channels
    tasks = moments.shape[0]
    each(_group_moments, (x, moments, images, groups), tasks, share(tasks, x.size))
    for c in range(channels):
        count, center, squares = moments[c * groups, 0], moments[c * groups, 1], moments[c * groups, 2]
        for task in range(c * groups + 1, (c + 1) * groups):
            n, merged = moments[task, 0], count + moments[task, 0]
            delta = moments[task, 1] - center
            center += delta * (n / merged)
            squares += moments[task, 2] + delta * delta * (count * n / merged)
            count = merged
        mean[c] = center
        rstd[c] = 1.0 / math.sqrt(squares / count + eps)


@jit(inline=True)
def _scale_plane(task, x, out, mean, scale, bias):  # type: ignore[no-untyped-def]
    c, n = task // x.shape[0], task % x.shape[0]
    source, target = x[n, c], out[n, c]
    center, factor, shift = mean[c], scale[c], bias[c]
    for k in range(source.size):
        target[k] = (source[k] - center) * factor + shift


@jit
def scale_planes(x, out, mean, scale, bias):  # type: ignore[no-untyped-def]
    """``out = (x - mean) * scale + bias`` by channel, in the order in which `statistics` has left them in the cache."""
    planes = x.shape[0] * x.shape[1]
    each(_scale_plane, (x, out, mean, scale, bias), planes, share(planes, x.size))


@jit(inline=True)
def plane_products(grad, x, mean):  # type: ignore[no-untyped-def]
    """The sums of ``grad`` and of ``grad * (x - mean)``."""
    total, product = 0.0, 0.0
    for start in range(0, x.size, RUN):
        last = min(start + RUN, x.size)
        g, v = grad[start:last], x[start:last]
        a, b = x.dtype.type(0.0), x.dtype.type(0.0)
        for k in range(v.size):
            a += g[k]
            b += g[k] * (v[k] - mean)
        total += np.float64(a)
        product += np.float64(b)
    return total, product


@jit(inline=True)
def _group_products(task, grad, x, sums, images, groups, mean):  # type: ignore[no-untyped-def]
    c, group = task // groups, task % groups
    total, product = 0.0, 0.0
    for n in range(group * images, min(group * images + images, x.shape[0])):
        a, b = plane_products(grad[n, c], x[n, c], mean[c])
        total += a
        product += b
    sums[task, 0], sums[task, 1] = total, product


@jit
def products(grad, x, sums, mean, images):  # type: ignore[no-untyped-def]
    """Per channel the sums of ``grad`` and ``grad * (x - mean)``, in the first of its rows of ``sums``.

    ``sums`` is (C * groups, 2).
    """
    channels = x.shape[1]
    groups = sums.shape[0] // channels
    tasks = sums.shape[0]
    each(_group_products, (grad, x, sums, images, groups, mean), tasks, share(tasks, x.size))
    for c in range(channels):
        for task in range(c * groups + 1, (c + 1) * groups):
            sums[c * groups, 0] += sums[task, 0]
            sums[c * groups, 1] += sums[task, 1]


@jit(inline=True)
def _combine_plane(task, grad, x, out, mean, a, b, d):  # type: ignore[no-untyped-def]
    c, n = task // x.shape[0], task % x.shape[0]
    g, source, target = grad[n, c], x[n, c], out[n, c]
    center, by_grad, by_x, shift = mean[c], a[c], b[c], d[c]
    for k in range(source.size):
        target[k] = g[k] * by_grad - ((source[k] - center) * by_x + shift)


@jit
def combine_planes(grad, x, out, mean, a, b, d):  # type: ignore[no-untyped-def]
    """``out = grad * a - (x - mean) * b - d`` by channel."""
    planes = x.shape[0] * x.shape[1]
    each(_combine_plane, (grad, x, out, mean, a, b, d), planes, share(planes, x.size))
