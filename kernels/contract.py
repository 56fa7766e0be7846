"""What an operation is, said once.

A family declares each of its operations in ``<family>/contract.py``::

    @operation(samples=..., error="elementwise", source="...")
    def gelu(x, *, approximate="none"):
        \"\"\"Docstring: shapes, dtypes, errors raised, source.\"\"\"
        check.floating("gelu", x=x)
        return Spec(x.shape, x.dtype)

The function's parameters are the operation's signature; its body checks the arguments and returns
the shape and dtype of each result without computing any. Everything else is derived from it: what a
backend must implement, the tests of every backend, gradient checks, benchmarks, the documentation.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from . import dtypes

Results = Any  # a Spec, a tuple of Specs, or None for an operation that works in place


@dataclass(slots=True)  # not frozen: one is made at every call, and freezing doubles its cost
class Spec:
    """Shape and dtype of one array."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]


@dataclass(frozen=True)
class Sample:
    """One valid call: positional NumPy arrays and keyword attributes."""

    args: tuple[Any, ...]
    kwargs: dict[str, Any] = field(default_factory=dict)
    name: str = ""


@dataclass(frozen=True)
class Wrong:
    """One call that must be refused, and how: exception type and a regular expression on its message."""

    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    raises: type[Exception]
    match: str


@dataclass(frozen=True)
class Operation:
    """A declared operation.

    Attributes:
        name, family: where it is found: ``kernels/<family>/``.
        check: checks a call's arguments and returns the `Spec` of each result.
        samples: ``samples(rng, dtype)`` yields `Sample` calls whose floating arrays have ``dtype``.
        wrong: calls that must raise.
        dtypes: dtypes that ``samples`` is asked for.
        error: how accuracy is judged, ``"elementwise"`` (each element relative to itself),
            ``"norm"`` (relative to the largest reference element) or ``"exact"``.
        ulps: error allowed beside twice the plain evaluation's, in units of the dtype's epsilon.
        times: ``times(*args, **attributes)``: how often the plain evaluation's error is allowed in float32, where an
            algorithm with fewer products may err more than twice as much.
        gradient: how often ``pyneural.functional.<name>`` can be differentiated: 0, 1, or 2 where
            the second derivative is tested as well.
        writes: names of the parameters that the operation changes in place.
        source: paper or formula.
    """

    name: str
    family: str
    check: Callable[..., Results]
    samples: Callable[[np.random.Generator, np.dtype[Any]], Iterable[Sample]]
    wrong: Callable[[], Iterable[Wrong]]
    dtypes: tuple[np.dtype[Any], ...]
    error: str
    ulps: float
    gradient: int
    writes: tuple[str, ...]
    source: str
    times: Callable[..., float]

    @property
    def signature(self) -> inspect.Signature:
        return inspect.signature(self.check)

    @property
    def doc(self) -> str:
        return inspect.getdoc(self.check) or ""


OPERATIONS: dict[str, Operation] = {}
"""Every declared operation by name."""


def operation(
    *,
    samples: Callable[[np.random.Generator, np.dtype[Any]], Iterable[Sample]],
    wrong: Callable[[], Iterable[Wrong]] = lambda: (),
    dtypes: tuple[np.dtype[Any], ...] = dtypes.FLOATS,
    error: str = "norm",
    ulps: float = 4.0,
    gradient: int = 0,
    writes: tuple[str, ...] = (),
    source: str = "",
    times: Callable[..., float] = lambda *_, **__: 2.0,
) -> Callable[[Callable[..., Results]], Callable[..., Results]]:
    """Declare the decorated function as the contract of an operation (see `Operation`)."""
    if error not in ("elementwise", "norm", "exact"):
        raise ValueError(f"operation: error (={error!r}) must be 'elementwise', 'norm' or 'exact'")

    def declare(check: Callable[..., Results]) -> Callable[..., Results]:
        name = check.__name__
        if name in OPERATIONS:
            raise ValueError(
                f"operation: {name!r} is declared twice, in {OPERATIONS[name].family} and {check.__module__}"
            )
        family = check.__module__.rsplit(".", 2)[-2]
        OPERATIONS[name] = Operation(
            name, family, check, samples, wrong, dtypes, error, ulps, gradient, writes, source, times
        )
        return check

    return declare
