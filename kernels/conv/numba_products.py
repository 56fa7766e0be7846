"""The convolution and its gradients of the backend ``numba_cuda``, each one implicit product a group.

No matrix of patches is made: the operands' functions compute where in the image an element of it would come from. All
is in three dimensions; those of a 2-D convolution have a depth of 1.

Source: Chetlur et al., "cuDNN: efficient primitives for deep learning", 2014, section 3.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

from ..cuda_launch import size
from ..matmul.contract import ACTIVATIONS
from ..matmul.numba_epilogue import activated
from ..numba_gemm import product, run_product
from ..numba_launch import Kernel, device, flat, written

Array = Any
Sides = Sequence[int]

# A problem is (groups, c, k) with the channels of a group, (whether there is a bias, activation), and triples:
# sides of the image, of the result, of the taps; stride, padding, dilation.


@device
def place_in_result(problem: Any, number: int) -> Any:
    """Image and coordinates in the result of its place ``number``."""
    _, height, width = problem[3]
    plane = problem[3][0] * height * width
    place = number % plane
    return number // plane, place // (height * width), place // width % height, place % width


@device
def tap_of(problem: Any, number: int) -> Any:
    """Channel and coordinates in the taps of a filter's element ``number``."""
    _, height, width = problem[4]
    taps = problem[4][0] * height * width
    place = number % taps
    return number // taps, place // (height * width), place // width % height, place % width


@functools.cache
def pixel_of(real: Any) -> Any:
    """The device function for what an element of a filter meets at a place of the result: 0 in the border."""

    @device
    def pixel(problem: Any, x: Array, group: int, place: int, element: int) -> Any:
        image, p0, p1, p2 = place_in_result(problem, place)
        channel, t0, t1, t2 = tap_of(problem, element)
        groups, c, _ = problem[0]
        depth, height, width = problem[2]
        stride, padding, dilation = problem[5], problem[6], problem[7]
        d = p0 * stride[0] + t0 * dilation[0] - padding[0]
        h = p1 * stride[1] + t1 * dilation[1] - padding[1]
        w = p2 * stride[2] + t2 * dilation[2] - padding[2]
        if d < 0 or d >= depth or h < 0 or h >= height or w < 0 or w >= width:
            return real(0)
        plane = (image * groups + group) * c + channel
        return real(x[((plane * depth + d) * height + h) * width + w])

    return pixel


@functools.cache
def _forward(real: Any) -> Kernel:
    """Results are (k, places) of filters (k, elements) and pixels (elements, places)."""
    pixel, activate = pixel_of(real), activated(real)

    @device
    def load_weight(problem: Any, weight: Array, group: int, row: int, element: int) -> Any:
        _, c, k = problem[0]
        taps = problem[4][0] * problem[4][1] * problem[4][2]
        return real(weight[(group * k + row) * c * taps + element])

    @device
    def load_pixel(problem: Any, x: Array, group: int, element: int, place: int) -> Any:
        return pixel(problem, x, group, place, element)

    @device
    def store(problem: Any, bias: Array, out: Array, group: int, row: int, place: int, total: Any) -> None:
        groups, _, k = problem[0]
        has_bias, activation = problem[1]
        plane = problem[3][0] * problem[3][1] * problem[3][2]
        if has_bias:
            total += real(bias[group * k + row])
        at = ((place // plane * groups + group) * k + row) * plane + place % plane
        out[at] = activate(activation, total)

    return product(real, load_weight, load_pixel, store)


@functools.cache
def _dgrad(real: Any) -> Kernel:
    """Images are (c, pixels) of filters (c, elements) and gradients (elements, pixels); an element: a filter's tap."""

    @device
    def load_weight(problem: Any, weight: Array, group: int, row: int, element: int) -> Any:
        _, c, k = problem[0]
        taps = problem[4][0] * problem[4][1] * problem[4][2]
        return real(weight[((group * k + element // taps) * c + row) * taps + element % taps])

    @device
    def load_grad(problem: Any, grad: Array, group: int, element: int, number: int) -> Any:
        channel, t0, t1, t2 = tap_of(problem, element)
        groups, _, k = problem[0]
        depth, height, width = problem[2]
        stride, padding, dilation = problem[5], problem[6], problem[7]
        image, place = number // (depth * height * width), number % (depth * height * width)
        d = place // (height * width) + padding[0] - t0 * dilation[0]
        h = place // width % height + padding[1] - t1 * dilation[1]
        w = place % width + padding[2] - t2 * dilation[2]
        if d < 0 or h < 0 or w < 0 or d % stride[0] or h % stride[1] or w % stride[2]:
            return real(0)
        d, h, w = d // stride[0], h // stride[1], w // stride[2]
        if d >= problem[3][0] or h >= problem[3][1] or w >= problem[3][2]:
            return real(0)
        plane = (image * groups + group) * k + channel
        return real(grad[((plane * problem[3][0] + d) * problem[3][1] + h) * problem[3][2] + w])

    @device
    def store(problem: Any, bias: Array, out: Array, group: int, row: int, number: int, total: Any) -> None:
        groups, c, _ = problem[0]
        plane = problem[2][0] * problem[2][1] * problem[2][2]
        out[((number // plane * groups + group) * c + row) * plane + number % plane] = total

    return product(real, load_weight, load_grad, store)


@functools.cache
def _wgrad(real: Any) -> Kernel:
    """Filters are (k, elements) of gradients (k, places) and pixels (places, elements)."""
    pixel = pixel_of(real)

    @device
    def load_grad(problem: Any, grad: Array, group: int, row: int, place: int) -> Any:
        groups, _, k = problem[0]
        plane = problem[3][0] * problem[3][1] * problem[3][2]
        return real(grad[((place // plane * groups + group) * k + row) * plane + place % plane])

    @device
    def load_pixel(problem: Any, x: Array, group: int, place: int, element: int) -> Any:
        return pixel(problem, x, group, place, element)

    @device
    def store(problem: Any, bias: Array, out: Array, group: int, row: int, element: int, total: Any) -> None:
        _, c, k = problem[0]
        taps = problem[4][0] * problem[4][1] * problem[4][2]
        out[(group * k + row) * c * taps + element] = total

    return product(real, load_grad, load_pixel, store)


def _three(values: Sides) -> tuple[int, ...]:
    return (1,) * (3 - len(values)) + tuple(int(each) for each in values)


def _problem(
    image: Sides, result: Sides, weight: Sides, stride: Sides, padding: Sides, dilation: Sides, groups: int,
    has_bias: bool = False, activation: str | None = None,
) -> tuple[Any, ...]:  # fmt: skip
    """Of shapes (N, C, ...), (N, K, ...) and (K, C / groups, ...)."""
    none = (0,) * (5 - len(image))
    return (
        (groups, int(weight[1]), int(weight[0]) // groups), (int(has_bias), ACTIVATIONS.index(activation)),
        _three(image[2:]), _three(result[2:]), _three(weight[2:]),
        _three(stride), (*none, *(int(each) for each in padding)), _three(dilation),
    )  # fmt: skip


def forward(
    x: Array, weight: Array, bias: Array | None, activation: str | None, out: Array,
    stride: Sides, padding: Sides, dilation: Sides, groups: int,
) -> None:  # fmt: skip
    if out.size == 0:
        return
    m, n, inner = weight.shape[0] // groups, out.size // out.shape[1], size(weight.shape[1:])
    shapes = x.shape, out.shape, weight.shape
    problem = _problem(*shapes, stride, padding, dilation, groups, bias is not None, activation)
    added = None if bias is None else flat(bias)
    with written(out) as result:
        run_product(_forward, problem, groups, m, n, inner, True, False, flat(weight), flat(x), added, result)


def dgrad(grad: Array, weight: Array, out: Array, stride: Sides, padding: Sides, dilation: Sides, groups: int) -> None:
    """The gradient for the images."""
    if out.size == 0:
        return
    m, n, inner = weight.shape[1], out.size // out.shape[1], weight.size // groups // weight.shape[1]
    problem = _problem(out.shape, grad.shape, weight.shape, stride, padding, dilation, groups)
    with written(out) as result:
        run_product(_dgrad, problem, groups, m, n, inner, True, False, flat(weight), flat(grad), None, result)


def wgrad(grad: Array, x: Array, out: Array, stride: Sides, padding: Sides, dilation: Sides, groups: int) -> None:
    """The gradient for the weights."""
    if out.size == 0:
        return
    m, n, inner = out.shape[0] // groups, size(out.shape[1:]), grad.size // grad.shape[1]
    problem = _problem(x.shape, grad.shape, out.shape, stride, padding, dilation, groups)
    with written(out) as result:
        run_product(_wgrad, problem, groups, m, n, inner, True, True, flat(grad), flat(x), None, result, may_split=True)
