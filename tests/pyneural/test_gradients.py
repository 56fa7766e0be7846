"""Generated from the contracts: the gradient of every differentiable operation against central differences."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from pyneural import Tensor, functional, no_grad
from pyneural.autograd import grad, gradcheck, gradgradcheck
from pyneural.kernels import OPERATIONS, Operation, backend, dtypes

DEVICES = ("reference", "cpu")
LARGEST = 200  # elements of a sample whose every element is moved

# Indexing is an operator, not a function; others have PyTorch's order of arguments, which is not the contract's.
_OPERATORS: dict[str, Callable[..., Any]] = {
    "index": lambda x, key: x[key],
    "embedding": lambda weight, indices: functional.embedding(indices, weight),
    "layer_norm": lambda x, weight=None, bias=None, **attributes: functional.layer_norm(
        x, weight=weight, bias=bias, **attributes
    ),
    "rms_norm": lambda x, weight=None, **attributes: functional.rms_norm(x, weight=weight, **attributes),
    "group_norm": lambda x, weight=None, bias=None, **attributes: functional.group_norm(
        x, weight=weight, bias=bias, **attributes
    ),
    "binary_cross_entropy_with_logits": lambda x, target, weight=None, pos_weight=None, reduction="mean": (
        functional.binary_cross_entropy_with_logits(x, target, weight, reduction, pos_weight)
    ),
    "batch_norm_train": lambda x, weight=None, bias=None, eps=1e-5: functional.batch_norm(
        x, None, None, weight, bias, training=True, eps=eps
    ),
    "batch_norm_infer": lambda x, weight, bias, mean, var, eps: functional.batch_norm(
        x, mean, var, weight, bias, eps=eps
    ),
    "index_select": lambda x, index, dim: functional.index_select(x, dim, index),
    "gather": lambda x, index, dim: functional.gather(x, dim, index),
    "scatter_add": lambda x, index, source, dim: functional.scatter_add(x, dim, index, source),
}
# How often a function of another name, which calls these, can be differentiated.
_UNDER_ANOTHER_NAME = {"batch_norm_train": 2, "batch_norm_infer": 2}
# Where the contract returns one value a position, the function reduces them unless told not to.
_UNREDUCED = {"cross_entropy": {"reduction": "none"}}
# Parameters that have no derivative.
_CONSTANTS = {
    ("batch_norm_infer", "mean"),
    ("batch_norm_infer", "var"),
    ("cross_entropy", "weight"),
    ("nll_loss", "weight"),
    ("binary_cross_entropy_with_logits", "weight"),
    ("binary_cross_entropy_with_logits", "pos_weight"),
}


def _function(operation: Operation) -> Callable[..., Any]:
    return _OPERATORS.get(operation.name) or getattr(functional, operation.name)


def _floats(value: Any) -> list[np.ndarray]:
    if isinstance(value, (list, tuple)):
        return [array for each in value for array in _floats(each)]
    return [value] if isinstance(value, np.ndarray) and dtypes.is_floating(value.dtype) else []


class Apart:
    """Moves numbers apart, so that no central difference steps over a kink or a tie.

    Every number is rounded to a multiple of 0.01, where the kinks of the samples' attributes lie,
    and shifted by its own fraction of 0.01: no two numbers of a call are equal, none is on a multiple.
    """

    def __init__(self, rng: np.random.Generator) -> None:
        self.shifts = iter((rng.permutation(2 * LARGEST) + 0.5) / (2 * LARGEST))

    def __call__(self, array: np.ndarray) -> np.ndarray:
        shifts = np.array([next(self.shifts) for _ in range(array.size)]).reshape(array.shape)
        return np.floor(array * 100) / 100 + shifts / 100


def _tensors(value: Any, device: str, apart: Apart, leaves: list[Tensor]) -> Any:
    """Arrays as tensors, the floating ones moved apart, requiring gradients and noted in ``leaves``."""
    if isinstance(value, (list, tuple)):
        return type(value)(_tensors(each, device, apart, leaves) for each in value)
    if not isinstance(value, np.ndarray):
        return value
    if not dtypes.is_floating(value.dtype):
        return Tensor(value, device=device)
    leaf = Tensor(apart(value), device=device, requires_grad=True)
    leaves.append(leaf)
    return leaf


def _with(value: Any, leaves: Iterator[Tensor]) -> Any:
    """``value`` with its tensors that require gradients replaced by those of ``leaves`` in turn."""
    if isinstance(value, (list, tuple)):
        return type(value)(_with(each, leaves) for each in value)
    return next(leaves) if isinstance(value, Tensor) and value.requires_grad else value


def _calls(operation: Operation, device: str, rng: np.random.Generator) -> Iterator[tuple[str, Any, list[Tensor]]]:
    """(name, function of the floating tensors alone, those tensors) of every small float64 sample."""
    function, extra = _function(operation), _UNREDUCED.get(operation.name, {})
    for sample in operation.samples(rng, dtypes.float64):
        size = sum(each.size for each in _floats(sample.args))
        if not 0 < size < LARGEST or not all(np.isfinite(each).all() for each in _floats(sample.args)):
            continue
        leaves: list[Tensor] = []
        apart = Apart(rng)
        args = tuple(
            Tensor(value, device=device)
            if value is not None and (operation.name, name) in _CONSTANTS
            else _tensors(value, device, apart, leaves)
            for name, value in zip(operation.signature.parameters, sample.args, strict=False)
        )
        kwargs = {**sample.kwargs, **extra}
        if "key" in kwargs:  # an index stays what it is
            kwargs["key"] = tuple(
                Tensor(each, device=device) if isinstance(each, np.ndarray) else each for each in kwargs["key"]
            )

        def call(*given: Tensor, args: Any = args, kwargs: Any = kwargs) -> Any:
            return function(*_with(args, iter(given)), **kwargs)

        outputs = call(*leaves)
        if all(
            np.isfinite(each.detach().numpy()).all() for each in (outputs if isinstance(outputs, tuple) else (outputs,))
        ):
            yield sample.name, call, leaves


def _cases(order: int) -> list[Any]:
    return [
        pytest.param(
            operation, device, id=f"{operation.name}-{device}", marks=pytest.mark.xdist_group(operation.family)
        )
        for operation in OPERATIONS.values()
        if max(operation.gradient, _UNDER_ANOTHER_NAME.get(operation.name, 0)) >= order
        for device in DEVICES
    ]


@pytest.mark.parametrize(("operation", "device"), _cases(1))
def test_gradient(operation: Operation, device: str, rng: np.random.Generator) -> None:
    """Backward agrees with central differences on every small sample."""
    checked = 0
    for name, call, leaves in _calls(operation, device, rng):
        try:
            gradcheck(call, leaves, rng=rng)
        except RuntimeError as error:
            raise AssertionError(f"{name}: {error}") from error
        checked += 1
    assert checked >= 3, "too few small samples to check the gradient on"


@pytest.mark.parametrize(("operation", "device"), _cases(2))
def test_second_derivative(operation: Operation, device: str, rng: np.random.Generator) -> None:
    """The derivative of backward agrees with central differences of backward on small samples."""
    checked = 0
    for name, call, leaves in _calls(operation, device, rng):
        if sum(each.numel() for each in leaves) > 100:
            continue
        try:
            gradgradcheck(call, leaves, rng=rng, atol=1e-4)
        except RuntimeError as error:
            raise AssertionError(f"{name}: {error}") from error
        checked += 1
    assert checked >= 3, "too few small samples to check the second derivative on"


@pytest.mark.parametrize(("operation", "device"), _cases(1))
def test_changed_in_place(operation: Operation, device: str, rng: np.random.Generator) -> None:
    """What backward needs and what changed since forward is refused; any other change leaves the gradient as it is."""
    for name, call, leaves in _calls(operation, device, rng):
        _, outputs = _recorded(call, leaves)
        cotangents = [Tensor(rng.standard_normal(each.shape), device=device) for each in outputs]
        expected = grad(outputs, leaves, cotangents, allow_unused=True)
        for changed in (0, 1):
            recorded = _recorded(call, leaves)
            with no_grad():
                for each in recorded[changed]:
                    each.add_(1.0)
            try:
                found = grad(recorded[1], leaves, cotangents, allow_unused=True)
            except RuntimeError as error:
                assert "changed in place" in str(error), name  # noqa: PT017
            else:
                for a, b in zip(found, expected, strict=True):
                    assert (a is None) == (b is None), name
                    assert a is None or np.array_equal(a.numpy(), b.numpy(), equal_nan=True), name


def _recorded(call: Callable[..., Any], leaves: list[Tensor]) -> tuple[list[Tensor], list[Tensor]]:
    """Copies of the leaves in the graph, and what the call makes of them."""
    inputs = [each.clone() for each in leaves]
    outputs = call(*inputs)
    return inputs, [each for each in (outputs if isinstance(outputs, tuple) else (outputs,)) if each.requires_grad]


@pytest.mark.parametrize(("operation", "device"), _cases(1))
def test_gradient_at_ties(operation: Operation, device: str, rng: np.random.Generator) -> None:
    """Where all elements are equal, however they share the gradient, it adds up to the slope of moving all at once."""
    at, eps = 45 / 64, 1e-6  # of which means are exact
    for name, call, leaves in _calls(operation, device, rng):
        outputs = _at(at, call, leaves)
        cotangents = [rng.standard_normal(each.shape) for each in outputs]
        found = grad(outputs, leaves, [Tensor(each, device=device) for each in cotangents], allow_unused=True)
        analytic = sum(float(each.numpy().sum()) for each in found if each is not None)
        ends = [
            sum(
                float((each.detach().numpy() * c).sum())
                for each, c in zip(_at(x, call, leaves), cotangents, strict=True)
            )
            for x in (at - eps, at + eps)
        ]
        if np.isfinite(ends).all():
            assert np.isclose(analytic, (ends[1] - ends[0]) / (2 * eps), rtol=1e-4, atol=1e-5), name


def _at(value: float, call: Callable[..., Any], leaves: list[Tensor]) -> list[Tensor]:
    """What the call makes of leaves that are ``value`` everywhere."""
    for each in leaves:
        each.array[...] = value
    outputs = call(*leaves)
    return [each for each in (outputs if isinstance(outputs, tuple) else (outputs,)) if each.requires_grad]


@pytest.mark.parametrize("device", [pytest.param(each, id=f"embedding-{each}") for each in DEVICES])
def test_gradient_by_convention(device: str, rng: np.random.Generator) -> None:
    """Attributes of embedding that change its gradient and not its value: the gradient is the backward contract's.

    No difference of values can tell. The gradient is linear in the cotangent; its derivative is the transposed map.
    """
    operation = OPERATIONS["embedding_backward"]
    for sample in operation.samples(rng, dtypes.float64):
        values, indices = sample.args
        attributes = dict(sample.kwargs)
        shape = (attributes.pop("num_embeddings"), values.shape[-1])
        weight = Tensor(rng.standard_normal(shape), device=device, requires_grad=True)
        cotangent = Tensor(values, device=device, requires_grad=True)
        y = functional.embedding(Tensor(indices, device=device), weight, **attributes)
        (found,) = grad(y, [weight], [cotangent], create_graph=True)
        expected = backend("reference").embedding_backward(values, indices, **sample.kwargs)
        np.testing.assert_allclose(found.detach().numpy(), expected, rtol=1e-12, atol=1e-12, err_msg=sample.name)
        direction = rng.standard_normal(shape)
        (back,) = grad(found, [cotangent], [Tensor(direction, device=device)])
        there, here = float((expected * direction).sum()), float((back.numpy() * values).sum())
        assert np.isclose(there, here, rtol=1e-9, atol=1e-9), sample.name
