"""One random call of an operation, and what must hold of it on the CPU's kernels."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import reject
from hypothesis import strategies as st

from pyneural.kernels import OPERATIONS, Operation, Sample, accuracy, backend

from . import moves, pointwise, windows
from .draw import Draw

CASES: dict[str, pointwise.Case] = {**pointwise.CASES, **windows.CASES, **moves.CASES}


@st.composite
def calls(draw: Any, name: str, dtypes: tuple[np.dtype[Any], ...] = (), specials: bool = True) -> Sample:
    """Calls of the operation ``name``, of any of its dtypes or of ``dtypes``."""
    operation = OPERATIONS[name]
    dtype = draw(st.sampled_from(dtypes or operation.dtypes))
    try:
        args, kwargs = CASES[name](Draw(draw, dtype, specials))
        operation.check(*args, **kwargs)
    except (ValueError, IndexError):  # windows that do not fit, dimensions named twice, ...
        reject()
    return Sample(args, kwargs)


def verify(operation: Operation, sample: Sample) -> None:
    """The CPU's kernels are as exact as the contract demands, change no input, and write to any ``out`` alike."""
    subject = backend("numba_cpu")
    with np.errstate(all="ignore"):
        report = accuracy.compare(operation, sample, subject)
    assert report.ok, f"{report.message}: {describe(operation, sample)}"
    if operation.writes:
        return
    before = _bytes((sample.args, sample.kwargs))
    results = as_tuple(getattr(subject, operation.name)(*sample.args, **sample.kwargs))
    assert _bytes((sample.args, sample.kwargs)) == before, f"an input was changed: {describe(operation, sample)}"
    specs = as_tuple(operation.check(*sample.args, **sample.kwargs))
    whole = [accuracy.poisoned(tuple(2 * n + 1 for n in spec.shape), spec.dtype) for spec in specs]
    views = tuple(each[(*(slice(1, None, 2) for _ in each.shape), ...)] for each in whole)
    getattr(subject, operation.name)(*sample.args, **sample.kwargs, out=views if len(views) > 1 else views[0])
    for view, result, around, spec in zip(views, results, whole, specs, strict=True):
        assert view.tobytes() == result.tobytes(), f"another result in strided memory: {describe(operation, sample)}"
        view[...] = accuracy.poisoned(spec.shape, spec.dtype)
        untouched = accuracy.poisoned(around.shape, spec.dtype).tobytes()
        assert around.tobytes() == untouched, f"wrote beside out: {describe(operation, sample)}"


def describe(operation: Operation, sample: Sample) -> str:
    """A call in one line: shapes, strides in elements and dtypes of the arrays, and the attributes."""

    def of(value: Any) -> str:
        if isinstance(value, np.ndarray):
            strides = tuple(n // max(value.itemsize, 1) for n in value.strides)
            text = f"{value.dtype}{list(value.shape)}" + ("" if value.flags.c_contiguous else f" strides {strides}")
            return f"{text} {value.tolist()}" if value.size <= 6 else text
        if isinstance(value, (list, tuple)):
            return f"({', '.join(map(of, value))})"
        return repr(value)

    given = [*map(of, sample.args), *(f"{name}={of(value)}" for name, value in sample.kwargs.items())]
    return f"{operation.name}({', '.join(given)})"


def _bytes(value: Any) -> list[bytes]:
    if isinstance(value, dict):
        return _bytes(tuple(value.values()))
    if isinstance(value, (list, tuple)):
        return [each for part in value for each in _bytes(part)]
    return [value.tobytes()] if isinstance(value, np.ndarray) else []


def as_tuple(value: Any) -> tuple[Any, ...]:
    """One result or several as a tuple."""
    return value if isinstance(value, tuple) else (value,)
