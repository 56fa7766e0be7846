"""`gradcheck` and `gradgradcheck`: derivatives against central differences, with random cotangents.

Every element of every input is moved, and the change of a randomly weighted sum of the outputs is
compared with the derivative from `backward`. Random weights, because a sum of outputs can be
constant (softmax), which would check nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from pyneural.kernels import dtypes
from pyneural.tensor import Tensor

from .engine import grad
from .grad_mode import enable_grad, no_grad

Checked = Callable[..., Any]


class GradcheckError(RuntimeError):
    """A derivative differs from its central difference; the message says where and by how much."""


def gradcheck(
    f: Checked,
    inputs: Tensor | Sequence[Any],
    eps: float = 1e-6,
    atol: float = 1e-5,
    rtol: float = 1e-3,
    raise_exception: bool = True,
    rng: np.random.Generator | None = None,
) -> bool:
    """True if the gradient of ``f(*inputs)`` agrees with central differences of step ``eps``.

    Args:
        f: gives a tensor or a tuple of tensors.
        inputs: arguments of ``f``; those that are float64 tensors with ``requires_grad`` are checked.
        atol, rtol: an element may differ by ``atol + rtol * |central difference|``.
        raise_exception: raise `GradcheckError` naming the worst element instead of returning False.
        rng: where the random cotangents come from.

    Raises:
        ValueError: no input to check, or one is not float64.
        GradcheckError: as above.
    """
    generator = rng or np.random.default_rng()
    arguments: tuple[Any, ...] = (inputs,) if isinstance(inputs, Tensor) else tuple(inputs)
    checked = [(i, each) for i, each in enumerate(arguments) if isinstance(each, Tensor) and each.requires_grad]
    if not checked:
        raise ValueError("gradcheck: no input requires a gradient")
    for i, each in checked:
        if each.dtype != dtypes.float64:
            raise ValueError(f"gradcheck: inputs[{i}] has dtype {each.dtype}; central differences need float64")
    with enable_grad():
        outputs = _floating_outputs(f(*arguments))
        cotangents = [generator.standard_normal(each.shape) for each in outputs]
        recorded = [(each, c) for each, c in zip(outputs, cotangents, strict=True) if each.requires_grad]
        if recorded:
            analytic = grad(
                [each for each, _ in recorded],
                [each for _, each in checked],
                [Tensor(c, device=each.device) for each, c in recorded],
                allow_unused=True,
            )
        else:
            analytic = (None,) * len(checked)
    # Moved in place, so the memory must be the input's own and no graph may watch it.
    worst = None
    for (i, each), found in zip(checked, analytic, strict=True):
        exact = np.zeros(each.shape) if found is None else np.array(found.device.to_host(found.array), copy=True)
        numeric = _central_differences(f, arguments, each, cotangents, eps)
        excess = np.asarray(np.abs(exact - numeric) - (atol + rtol * np.abs(numeric)))
        excess[~np.isfinite(exact) | ~np.isfinite(numeric)] = np.inf
        if excess.size and excess.max() > 0 and (worst is None or excess.max() > worst[0]):
            at = tuple(int(j) for j in np.unravel_index(int(np.argmax(excess)), excess.shape))
            worst = (excess.max(), i, at, exact[at], numeric[at])
    if worst is None:
        return True
    if raise_exception:
        _, i, at, exact_value, numeric_value = worst
        raise GradcheckError(
            f"gradcheck: inputs[{i}] at {at}: backward gives {exact_value:.9g}, central difference {numeric_value:.9g} "
            f"(difference {abs(exact_value - numeric_value):.3g}, allowed {atol + rtol * abs(numeric_value):.3g})"
        )
    return False


def gradgradcheck(
    f: Checked,
    inputs: Tensor | Sequence[Any],
    eps: float = 1e-6,
    atol: float = 1e-5,
    rtol: float = 1e-3,
    raise_exception: bool = True,
    rng: np.random.Generator | None = None,
) -> bool:
    """`gradcheck` of the gradient itself, by the inputs and by the cotangents."""
    generator = rng or np.random.default_rng()
    arguments: tuple[Any, ...] = (inputs,) if isinstance(inputs, Tensor) else tuple(inputs)
    positions = [i for i, each in enumerate(arguments) if isinstance(each, Tensor) and each.requires_grad]
    outputs = [each for each in _floating_outputs(f(*arguments)) if each.requires_grad]
    cotangents = [
        Tensor(generator.standard_normal(each.shape), device=each.device, requires_grad=True) for each in outputs
    ]

    def first(*values: Any) -> tuple[Tensor, ...]:
        given, weights = values[: len(arguments)], values[len(arguments) :]
        results = [each for each in _floating_outputs(f(*given)) if each.requires_grad]
        found = grad(results, [given[i] for i in positions], list(weights), create_graph=True, allow_unused=True)
        return tuple(each for each in found if each is not None)

    return gradcheck(first, (*arguments, *cotangents), eps, atol, rtol, raise_exception, generator)


def _floating_outputs(result: Any) -> list[Tensor]:
    results = (result,) if isinstance(result, Tensor) else tuple(result)
    return [each for each in results if dtypes.is_floating(each.dtype)]


def _central_differences(
    f: Checked, arguments: tuple[Any, ...], moved: Tensor, cotangents: list[np.ndarray], eps: float
) -> np.ndarray:
    numeric = np.zeros(moved.shape)

    def weighted(sign: float, index: tuple[int, ...]) -> list[np.ndarray]:
        at = (*index, Ellipsis)  # which keeps one element an array
        place = moved.array[at]
        before = np.array(moved.device.to_host(place), copy=True)
        moved.device.kernels.cast(moved.device.from_host(before + sign * eps), dtype=moved.dtype, out=place)
        try:
            with enable_grad():  # f may itself differentiate
                outputs = _floating_outputs(f(*arguments))
            with no_grad():
                return [np.array(each.device.to_host(each.array), copy=True) for each in outputs]
        finally:
            moved.device.kernels.cast(moved.device.from_host(before), dtype=moved.dtype, out=place)

    for index in np.ndindex(*moved.shape):
        up, down = weighted(+1.0, index), weighted(-1.0, index)
        # Differences before weights: the sum of large outputs would cancel digits.
        total = sum(float(np.sum((u - d) * c)) for u, d, c in zip(up, down, cotangents, strict=True))
        numeric[index] = total / (2.0 * eps)
    return numeric
