"""Generated from the contracts: every operation, on every backend, in every dtype, with every sample."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from pyneural.kernels import BACKENDS, OPERATIONS, Backend, Operation, Sample, Spec, accuracy, dtypes
from pyneural.kernels.record import copied

# Numba's CUDA kernels need a process of their own: tests/numba_cuda.
HERE = [backend for name, backend in BACKENDS.items() if name != "numba_cuda"]
SUBJECTS = [each for each in HERE if each.name != "reference"]

# Samples of the largest dtype range come last; float32 is what users run.
_USUAL = (dtypes.float32, dtypes.float64, dtypes.int64)


def _cases(*, backends: list[Backend] | None = None, each_dtype: bool = False) -> list[Any]:
    """(operation, backend[, dtype]) as parameters; one operation's kernels are compiled by one worker."""
    cases = []
    for operation in OPERATIONS.values():
        for backend in backends or SUBJECTS:
            if not backend.has(operation):
                continue  # test_declarations.py says so
            for dtype in operation.dtypes if each_dtype else (_usual(operation),):
                name = f"{operation.name}-{backend.name}" + (f"-{dtype}" if each_dtype else "")
                marks = [pytest.mark.xdist_group(operation.family)]
                if backend.name == "cuda" and dtype != _usual(operation):
                    marks.append(pytest.mark.every_dtype)  # a compilation each
                cases.append(pytest.param(operation, backend, dtype, id=name, marks=marks))
    return cases


def _usual(operation: Operation) -> np.dtype[Any]:
    return next((dtype for dtype in _USUAL if dtype in operation.dtypes), operation.dtypes[0])


def _arrays(value: Any) -> Iterator[np.ndarray]:
    if isinstance(value, (list, tuple)):
        for each in value:
            yield from _arrays(each)
    elif isinstance(value, np.ndarray):
        yield value


def _specs(operation: Operation, sample: Sample) -> tuple[Spec, ...]:
    specs = operation.check(*sample.args, **sample.kwargs)
    return () if specs is None else (specs,) if isinstance(specs, Spec) else specs


def _call(operation: Operation, backend: Backend, sample: Sample, **out: Any) -> tuple[np.ndarray, ...]:
    result = getattr(backend, operation.name)(*sample.args, **sample.kwargs, **out)
    return () if result is None else result if isinstance(result, tuple) else (result,)


def _identical(a: np.ndarray, b: np.ndarray) -> bool:
    return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()


def _changed(operation: Operation, sample: Sample, before: Sample) -> list[str]:
    """Names of the parameters that a call must not write to and that differ from ``before``."""
    now = operation.signature.bind(*sample.args, **sample.kwargs).arguments
    then = operation.signature.bind(*before.args, **before.kwargs).arguments
    return [
        name
        for name in now
        if name not in operation.writes
        and not all(_identical(a, b) for a, b in zip(_arrays(now[name]), _arrays(then[name]), strict=True))
    ]


@pytest.mark.parametrize(("operation", "backend", "dtype"), _cases(each_dtype=True))
def test_accuracy(operation: Operation, backend: Backend, dtype: np.dtype[Any], rng: np.random.Generator) -> None:
    """Every sample is as exact as the contract demands, with outputs poisoned beforehand."""
    wrong = []
    for sample in operation.samples(rng, dtype):
        report = accuracy.compare(operation, sample, backend)
        if not report.ok:
            wrong.append(f"{sample.name or 'unnamed'}: {report.message}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize(
    ("operation", "backend", "dtype"),
    [
        each
        for each in _cases(backends=[BACKENDS["numba_cpu"]], each_dtype=True)
        if dtypes.is_half(each.values[2])  # type: ignore[arg-type]
    ],
)
def test_halves(operation: Operation, backend: Backend, dtype: np.dtype[Any], rng: np.random.Generator) -> None:
    """A call in 16 bits is the same call in float32, rounded once.

    The reference and what it is compared with share the step that widens and narrows: `test_accuracy` cannot see it.
    """
    for sample in operation.samples(rng, dtype):
        found = accuracy.evaluate(operation, sample, backend)
        wider = accuracy.evaluate(operation, accuracy.cast_sample(sample, dtypes.float32), backend)
        for got, wide in zip(found, wider, strict=True):
            with np.errstate(all="ignore"):
                rounded = wide.astype(got.dtype)
                same = (got == rounded) | ((got != got) & (rounded != rounded))
                if operation.error != "exact":  # a sum in another order may fall on the other side of a middle
                    x, y = got.astype(np.float64), wide.astype(np.float64)
                    largest = np.max(np.abs(y), initial=0.0, where=np.isfinite(y))
                    same |= np.abs(x - y) <= dtypes.epsilon(dtype) / 2 * np.abs(y) + 1e-6 * largest
            assert same.all(), f"{sample.name}: {got[~same][:3]} for {wide[~same][:3]}"


@pytest.mark.parametrize(("operation", "backend", "dtype"), _cases(each_dtype=True))
def test_results(operation: Operation, backend: Backend, dtype: np.dtype[Any], rng: np.random.Generator) -> None:
    """Results have the contract's shapes and dtypes and are C-contiguous; inputs stay as they were."""
    for sample in operation.samples(rng, dtype):
        before = Sample(copied(sample.args), copied(sample.kwargs))
        results = _call(operation, backend, sample)
        assert [(each.shape, each.dtype) for each in results] == [
            (spec.shape, spec.dtype) for spec in _specs(operation, before)
        ], sample.name
        assert all(each.flags.c_contiguous for each in results), sample.name
        assert not _changed(operation, sample, before), f"{sample.name}: an input was changed"


@pytest.mark.parametrize(("operation", "backend", "dtype"), _cases())
def test_out(operation: Operation, backend: Backend, dtype: np.dtype[Any], rng: np.random.Generator) -> None:
    """``out`` is written and returned, contiguous or strided, and memory around it stays untouched."""
    if operation.writes:
        sample = next(iter(operation.samples(rng, dtype)))
        with pytest.raises(TypeError, match=f"{operation.name}: works in place and takes no out"):
            _call(operation, backend, sample, out=np.zeros(1, dtype))
        return
    for sample in operation.samples(rng, dtype):
        expected = _call(operation, backend, sample)
        specs = _specs(operation, sample)
        outs = tuple(accuracy.poisoned(spec.shape, spec.dtype) for spec in specs)
        around = tuple(accuracy.poisoned(tuple(2 * n + 1 for n in spec.shape), spec.dtype) for spec in specs)
        views = tuple(each[(*(slice(1, None, 2) for _ in each.shape), ...)] for each in around)
        for given in (outs, views):
            results = _call(operation, backend, sample, out=given[0] if len(given) == 1 else given)
            assert all(result is each for result, each in zip(results, given, strict=True)), sample.name
            assert all(_identical(a, b) for a, b in zip(given, expected, strict=True)), sample.name
        for whole, view, spec in zip(around, views, specs, strict=True):
            view[...] = accuracy.poisoned(spec.shape, spec.dtype)
            assert _identical(whole, accuracy.poisoned(whole.shape, spec.dtype)), f"{sample.name}: wrote beside out"


@pytest.mark.parametrize(("operation", "backend", "dtype"), _cases())
def test_wrong_out(operation: Operation, backend: Backend, dtype: np.dtype[Any], rng: np.random.Generator) -> None:
    """An ``out`` of another shape or dtype is refused, naming both."""
    sample = next(iter(operation.samples(rng, dtype)))
    specs = _specs(operation, sample)
    if not specs:
        with pytest.raises(TypeError, match="takes no out"):
            _call(operation, backend, sample, out=np.zeros(3, dtype))
        return
    rest = tuple(np.empty(spec.shape, spec.dtype) for spec in specs[1:])
    other = np.dtype("int16") if specs[0].dtype != np.int16 else np.dtype("int32")
    for wrong in (np.empty((*specs[0].shape, 2), specs[0].dtype), np.empty(specs[0].shape, other)):
        with pytest.raises(ValueError, match=f"{operation.name}: out must have shape") as caught:
            _call(operation, backend, sample, out=(wrong, *rest) if rest else wrong)
        assert f"not shape {wrong.shape} and dtype {wrong.dtype}" in str(caught.value)


@pytest.mark.parametrize(("operation", "backend", "dtype"), _cases(backends=HERE))
def test_refuses(operation: Operation, backend: Backend, dtype: np.dtype[Any], rng: np.random.Generator) -> None:
    """Every wrong call of the contract raises its exception and message and writes nothing."""
    count = len(_specs(operation, next(iter(operation.samples(rng, dtype)))))
    for wrong in operation.wrong():
        call = Sample(wrong.args, wrong.kwargs)
        before = copied(wrong.args)
        outs = tuple(accuracy.poisoned((3,), dtypes.float32) for _ in range(count))
        with pytest.raises(wrong.raises, match=wrong.match) as caught:
            _call(operation, backend, call, **({"out": outs[0] if count == 1 else outs} if count else {}))
        assert type(caught.value) is wrong.raises
        assert str(caught.value).startswith(f"{operation.name}: ")
        assert all(np.isnan(each).all() for each in outs), f"{wrong.match}: out was written"
        assert all(_identical(a, b) for a, b in zip(_arrays(wrong.args), _arrays(before), strict=True)), wrong.match


@pytest.mark.parametrize(("operation", "backend", "dtype"), _cases(backends=HERE))
def test_refuses_lists(operation: Operation, backend: Backend, dtype: np.dtype[Any], rng: np.random.Generator) -> None:
    """A nested list in the place of an array is a TypeError that names operation and parameter."""
    sample = max(operation.samples(rng, dtype), key=lambda each: len(each.args))
    for number, (name, value) in enumerate(zip(operation.signature.parameters, sample.args, strict=False)):
        if isinstance(value, np.ndarray):
            spoiled: Any = value.tolist()
        elif value and isinstance(value, (list, tuple)):
            spoiled = type(value)([value[0].tolist(), *value[1:]])
        else:
            continue
        args = (*sample.args[:number], spoiled, *sample.args[number + 1 :])
        with pytest.raises(TypeError, match=rf"^{operation.name}: {name}"):
            _call(operation, backend, Sample(args, sample.kwargs))
