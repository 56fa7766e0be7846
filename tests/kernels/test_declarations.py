"""What every declaration and every backend must have, whatever it computes."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import types
from typing import Any

import numpy as np
import pytest

from pyneural import functional
from pyneural.kernels import BACKENDS, FAMILIES, OPERATIONS, Operation, Spec, dtypes

EACH = pytest.mark.parametrize("operation", OPERATIONS.values(), ids=OPERATIONS)


def _flat(value: Any) -> list[np.ndarray]:
    """The arrays in nested lists and tuples."""
    if isinstance(value, (list, tuple)):
        return [array for each in value for array in _flat(each)]
    return [value] if isinstance(value, np.ndarray) else []


@EACH
def test_documented(operation: Operation) -> None:
    assert len(operation.doc) > 20
    assert operation.source
    assert operation.dtypes
    assert set(operation.dtypes) <= {*dtypes.ALL, np.dtype("uint32")}


@EACH
def test_array_parameters_are_annotated(operation: Operation) -> None:
    """The backend names a parameter that is no array by its annotation."""
    for parameter in operation.signature.parameters.values():
        if parameter.kind is inspect.Parameter.POSITIONAL_OR_KEYWORD:
            assert parameter.annotation is not inspect.Parameter.empty
            assert "Array" in parameter.annotation, f"{parameter.name}: {parameter.annotation}"
        assert parameter.name != "out"


@EACH
@pytest.mark.parametrize("dtype", dtypes.FLOATS, ids=str)
def test_samples_are_varied(operation: Operation, dtype: np.dtype[Any], rng: np.random.Generator) -> None:
    """Enough calls, small ones and odd ones among them, each of which the contract accepts, with normal inputs."""
    if dtype not in operation.dtypes:
        dtype = operation.dtypes[0]
    samples = list(operation.samples(rng, dtype))
    assert 3 <= len(samples) <= 25
    given = [n for each in samples for array in _flat((*each.args, *each.kwargs.values())) for n in array.shape]
    # Random numbers take a shape in the place of arrays.
    given += [n for each in samples for n in each.kwargs.get("shape", ())]
    given += [each.kwargs["n"] for each in samples if "n" in each.kwargs]
    assert min(given) <= 1, "no empty or one-element length"
    assert any(n % 2 for n in given if n > 2), "no odd length"
    for each in samples:
        assert sum(array.size for array in _flat((*each.args, *each.kwargs.values()))) < 200_000, (
            f"{each.name} is too large"
        )
        specs = operation.check(*each.args, **each.kwargs)
        for spec in () if specs is None else (specs,) if isinstance(specs, Spec) else specs:
            assert type(spec.shape) is tuple
            assert isinstance(spec.dtype, np.dtype)
            assert all(type(n) is int and n >= 0 for n in spec.shape), each.name
    # An all-equal input lets a kernel with a wrong index pass; beside a NaN or an infinity it may stand.
    for each in samples:
        floats = [array for array in _flat((*each.args, *each.kwargs.values())) if dtypes.is_floating(array.dtype)]
        if all(np.isfinite(array).all() for array in floats):
            assert not any(array.size > 3 and np.all(array == array.flat[0]) for array in floats), each.name


@EACH
def test_samples_repeat(operation: Operation) -> None:
    """The same generator gives the same calls."""
    first, second = (list(operation.samples(np.random.default_rng(7), operation.dtypes[0])) for _ in range(2))
    for a, b in zip(first, second, strict=True):
        assert a.name == b.name
        assert _bytes(a.args) == _bytes(b.args)
        assert _bytes(tuple(a.kwargs.values())) == _bytes(tuple(b.kwargs.values()))


def _bytes(value: Any) -> Any:
    if isinstance(value, (list, tuple)):
        return [_bytes(each) for each in value]
    return value.tobytes() if isinstance(value, np.ndarray) else repr(value)


@EACH
def test_wrong_calls_are_declared(operation: Operation) -> None:
    wrong = list(operation.wrong())
    needed = 1 if operation.name.endswith("_backward") else 2
    assert len(wrong) >= needed
    for each in wrong:
        assert each.raises in (ValueError, TypeError, IndexError), each
        # A message with values has digits or the name of a dtype or type in it.
        assert each.match, each


@EACH
@pytest.mark.parametrize("dtype", [dtypes.float64, dtypes.float32], ids=str)
def test_reference_keeps_the_dtype(operation: Operation, dtype: np.dtype[Any], rng: np.random.Generator) -> None:
    """Unaided, the reference returns arrays of the contract's shapes and dtypes."""
    if dtype not in operation.dtypes or operation.writes:
        dtype = operation.dtypes[0]
    kernel = BACKENDS["reference"].implementation(operation)
    for sample in operation.samples(rng, dtype):
        specs = operation.check(*sample.args, **sample.kwargs)
        if specs is None:
            assert kernel(*sample.args, **sample.kwargs) is None
            continue
        with np.errstate(all="ignore"):
            results = kernel(*sample.args, **sample.kwargs)
        results, specs = ((results,), (specs,)) if isinstance(specs, Spec) else (results, specs)
        for result, spec in zip(results, specs, strict=True):
            assert np.shape(result) == spec.shape, sample.name
            assert np.asarray(result).dtype == spec.dtype, sample.name


@pytest.mark.parametrize("name", [each for each in BACKENDS if each != "numba_cuda"])
def test_backend_is_complete(name: str) -> None:
    missing = [f"{each.family}.{each.name}" for each in OPERATIONS.values() if not BACKENDS[name].has(each)]
    assert not missing, f"{name} lacks {', '.join(missing)}"


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("name", BACKENDS)
def test_backend_has_nothing_undeclared(name: str, family: str) -> None:
    """A public function of a backend's module is an operation; helpers start with an underscore."""
    if name == "numba_cuda" and importlib.util.find_spec(f"pyneural.kernels.{family}.{name}") is None:
        return  # it need not have every family
    module = importlib.import_module(f"pyneural.kernels.{family}.{name}")
    stray = [
        public
        for public, value in vars(module).items()
        if not public.startswith("_")
        and isinstance(value, types.FunctionType)
        and value.__module__ == module.__name__
        and not (public in OPERATIONS and OPERATIONS[public].family == family)
    ]
    assert not stray


@pytest.mark.parametrize(
    ("operation", "name"),
    [
        pytest.param(operation, name, id=f"{operation.name}-{name}")
        for operation in OPERATIONS.values()
        for name, backend in BACKENDS.items()
        if backend.has(operation)
    ],
)
def test_kernel_takes_the_contracts_arguments(operation: Operation, name: str) -> None:
    """As the backend passes them: arrays by position, attributes by name, and ``out`` by name."""
    kernel = inspect.signature(BACKENDS[name].implementation(operation))
    parameters = operation.signature.parameters.values()
    arrays = [object() for each in parameters if each.kind is inspect.Parameter.POSITIONAL_OR_KEYWORD]
    attributes = {each.name: object() for each in parameters if each.kind is inspect.Parameter.KEYWORD_ONLY}
    if name != "reference" and not operation.writes:
        attributes["out"] = object()
    kernel.bind(*arrays, **attributes)


@EACH
def test_differentiable_operations_are_functions(operation: Operation) -> None:
    """What a contract calls differentiable, `pyneural.functional` (or indexing) offers under its name."""
    assert operation.gradient in (0, 1, 2)
    if operation.gradient and operation.name != "index":
        assert callable(getattr(functional, operation.name))
    if operation.name.endswith("_backward") or operation.writes:
        assert operation.gradient == 0
