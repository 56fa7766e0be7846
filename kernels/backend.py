"""Backends: one set of kernels for every declared operation, behind the contract's checks."""

from __future__ import annotations

import importlib
import types
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from . import memory
from .contract import OPERATIONS, Operation, Spec
from .cuda_memory import strided
from .dtypes import HALVES, bfloat16, float32

Array = Any
_HALF_CHARS = frozenset(dtype.char for dtype in HALVES)


def _host_copy(array: np.ndarray) -> Array:
    copy = memory.empty(array.shape, array.dtype)
    copy[...] = array
    return copy


def _same(array: Array) -> Array:
    return array


def _host_fill(array: Array, value: Any) -> None:
    array[...] = value


@dataclass(frozen=True)
class Engine:
    """What a backend's arrays are.

    Attributes:
        array_type: the class of its arrays.
        empty: ``empty(shape, dtype)`` allocates one.
        widen_halves: float16 and bfloat16 inputs are computed in float32 and rounded once at the end.
        from_host: a copy of a NumPy array in the engine's memory, C-contiguous.
        to_host: the engine's array as one of NumPy's, copied where it lies elsewhere.
        fill: write one number everywhere.
        strided: a view from an array's first element, of any shape and strides in bytes.
        uploaded: the engine's array for a NumPy array, with its strides; itself on the host.
    """

    array_type: type
    empty: Callable[[tuple[int, ...], np.dtype[Any]], Array]
    widen_halves: bool
    from_host: Callable[[np.ndarray], Array] = _host_copy
    to_host: Callable[[Array], np.ndarray] = _same
    fill: Callable[[Array, Any], None] = _host_fill
    strided: Callable[[Array, Sequence[int], Sequence[int]], Array] = strided
    uploaded: Callable[[np.ndarray], Array] = _same

    def moved(self, value: Any) -> Any:
        """``value`` with every NumPy array in it, also in tuples, lists and dicts, as the engine's with its strides."""
        if isinstance(value, (list, tuple)):
            return type(value)(self.moved(each) for each in value)
        if isinstance(value, dict):
            return {key: self.moved(each) for key, each in value.items()}
        return self.uploaded(value) if isinstance(value, np.ndarray) else value


HOST = Engine(np.ndarray, memory.empty, widen_halves=True)
SIMULATOR = Engine(np.ndarray, memory.empty, widen_halves=False)


class Backend:
    """The operations as attributes: ``backend.gelu(x, approximate="tanh", out=None)``.

    An operation's arguments are checked by its contract, results are allocated unless ``out`` gives
    them (one array, or a tuple for several results), and the kernel of the same name in the module
    ``kernels/<family>/<backend name>.py`` is called with every argument and ``out``. Modules load on
    first use. Kernels of the ``"reference"`` backend return new arrays instead.

    Args:
        device: the device type that this backend alone computes for, which messages then name.
        lacks: dtypes that it computes nothing in; their arrays are refused.
    """

    def __init__(
        self, name: str, engine: Engine, device: str = "", lacks: frozenset[np.dtype[Any]] = frozenset()
    ) -> None:
        self.name = name
        self.engine = engine
        self.device = device
        self.lacks = lacks

    def __repr__(self) -> str:
        return f"<pyneural.kernels backend {self.name!r}>"

    def __getattr__(self, name: str) -> Callable[..., Any]:
        if name.startswith("_") or name not in OPERATIONS:
            raise AttributeError(f"backend {self.name!r}: no operation is named {name!r}")
        bound = self._bind(OPERATIONS[name])
        setattr(self, name, bound)  # the next look-up is a plain attribute
        return bound

    def implementation(self, operation: Operation) -> Callable[..., Any]:
        """The kernel itself, unchecked; NotImplementedError names what the backend lacks."""
        path = f"{__package__}.{operation.family}.{self.name}"
        try:
            module = importlib.import_module(path)
        except ModuleNotFoundError as error:
            if error.name != path:
                raise
            module = types.ModuleType(path)
        kernel = getattr(module, operation.name, None)
        if kernel is None:
            place = f"on the device {self.device!r}" if self.device else f"by the backend {self.name!r}"
            raise NotImplementedError(f"{operation.name} is not implemented {place}")
        return kernel  # type: ignore[no-any-return]

    def has(self, operation: Operation) -> bool:
        """Whether this backend has a kernel for the operation."""
        try:
            self.implementation(operation)
        except NotImplementedError:
            return False
        return True

    def _kernel(self, operation: Operation) -> Callable[..., Any]:
        """The kernel, which writes its results and refuses what the backend lacks."""
        kernel = self.implementation(operation)
        if self.name == "reference":
            kernel = _writing(operation, kernel)
        return _refusing(operation, kernel, self) if self.lacks else kernel

    def unchecked(self, operation: Operation, args: tuple[Any, ...], out: Any) -> Callable[..., Any]:
        """What a call with these arguments and results comes to once it is checked: ``run(*args, out=out, ...)``.

        Without ``out`` where the operation has no result.
        """
        kernel = self._kernel(operation)
        return _widening(operation, kernel) if self.engine.widen_halves and _has_half(args, out) else kernel

    def _bind(self, operation: Operation) -> Callable[..., Any]:
        kernel = self._kernel(operation)
        widened = _widening(operation, kernel) if self.engine.widen_halves else None
        check, empty, name = operation.check, self.engine.empty, operation.name

        def call(*args: Any, out: Any = None, **attributes: Any) -> Any:
            try:
                spec = check(*args, **attributes)
                if out is None and type(spec) is Spec:
                    dtype = spec.dtype
                    out = empty(spec.shape, dtype)
                    # The usual case, decided at once: every call pays for this question.
                    first = args[0] if args else out
                    if widened is None or (
                        type(first) is np.ndarray and first.dtype is dtype and dtype.char not in _HALF_CHARS
                    ):
                        kernel(*args, out=out, **attributes)
                        return out
                elif out is not None:
                    _check_out(name, out, spec)
                elif spec is not None:
                    out = tuple([empty(each.shape, each.dtype) for each in spec])
                run = kernel if widened is None or not _has_half(args, out) else widened
                if spec is None:
                    run(*args, **attributes)
                else:
                    run(*args, out=out, **attributes)
            except Exception:
                self._explain(operation, args)
                raise
            return out

        call.__name__ = call.__qualname__ = name
        call.__doc__ = operation.doc
        return call

    def _explain(self, operation: Operation, args: tuple[Any, ...]) -> None:
        """After a failure, say so if an argument was no array of this backend at all."""
        for parameter, value in zip(operation.signature.parameters.values(), args, strict=False):
            if parameter.annotation not in ("Array", "Array | None") or (
                value is None and parameter.annotation == "Array | None"
            ):
                continue
            # A list that holds no array at all is itself what is wrong.
            several = isinstance(value, (list, tuple)) and (
                not value or any(isinstance(each, self.engine.array_type) for each in value)
            )
            for each in value if several else (value,):
                if isinstance(each, self.engine.array_type) or (several and each is None):
                    continue
                wanted = f"{self.engine.array_type.__module__}.{self.engine.array_type.__qualname__}"
                found = f"{type(each).__module__}.{type(each).__qualname__}"
                raise TypeError(
                    f"{operation.name}: {parameter.name} must be a {wanted} for the backend {self.name!r}, not {found}"
                ) from None


def _check_out(name: str, out: Any, spec: Any) -> None:
    if spec is None:
        raise TypeError(f"{name}: works in place and takes no out")
    outs, specs = ((out,), (spec,)) if isinstance(spec, Spec) else (out, spec)
    if len(outs) != len(specs):
        raise ValueError(f"{name}: out must hold {len(specs)} arrays, not {len(outs)}")
    for array, each in zip(outs, specs, strict=True):
        if tuple(array.shape) != each.shape or array.dtype != each.dtype:
            raise ValueError(
                f"{name}: out must have shape {each.shape} and dtype {each.dtype}, "
                f"not shape {tuple(array.shape)} and dtype {array.dtype}"
            )


def _writing(operation: Operation, function: Callable[..., Any]) -> Callable[..., None]:
    """A reference function, which returns new arrays, as a kernel that writes into ``out``."""
    if operation.writes:
        return function

    def kernel(*args: Any, out: Any, **attributes: Any) -> None:
        results = function(*args, **attributes)
        outs, results = ((out,), (results,)) if not isinstance(out, tuple) else (out, results)
        for target, result in zip(outs, results, strict=True):
            if np.shape(result) != target.shape:
                raise AssertionError(
                    f"{operation.name}: reference gave shape {np.shape(result)}, contract {target.shape}"
                )
            target[...] = result

    return kernel


def _refusing(operation: Operation, kernel: Callable[..., Any], backend: Backend) -> Callable[..., None]:
    """``kernel``, and TypeError for arrays of a dtype that the backend lacks, before anything is computed."""

    def refuse(value: Any) -> None:
        for each in value if isinstance(value, (list, tuple)) else (value,):
            if getattr(each, "dtype", None) in backend.lacks:
                raise TypeError(f"{operation.name}: the backend {backend.name!r} computes nothing in {each.dtype}")

    def call(*args: Any, **attributes: Any) -> None:
        for value in (*args, *attributes.values()):
            refuse(value)
        kernel(*args, **attributes)

    return call


def _is_half(value: Any) -> bool:
    return isinstance(value, np.ndarray) and value.dtype.char in _HALF_CHARS


def _has_half(args: tuple[Any, ...], out: Any) -> bool:
    """True if a call computes in 16 bits: its first array, or its only result, says so."""
    first = args[0] if args else out
    if type(first) in (list, tuple):
        first = first[0] if first else out
    return _is_half(first) or _is_half(out)


def _widening(operation: Operation, kernel: Callable[..., Any]) -> Callable[..., None]:
    """``kernel`` with 16-bit floating arrays computed in float32 and rounded once."""

    def widen(value: Any) -> Any:
        if isinstance(value, (list, tuple)):
            return type(value)(widen(each) for each in value)
        return value.astype(float32) if _is_half(value) else value

    def narrow(target: Any, value: Any) -> None:
        if isinstance(target, (list, tuple)):
            for each, result in zip(target, value, strict=True):
                narrow(each, result)
        elif _is_half(target):
            with np.errstate(over="ignore"):  # beyond the range of 16 bits lies infinity
                target[...] = value

    def widened(*args: Any, **attributes: Any) -> None:
        wide = [widen(value) for value in args]
        wide_attributes = {key: widen(value) for key, value in attributes.items()}
        kernel(*wide, **wide_attributes)
        for name, before, after in zip(operation.signature.parameters, args, wide, strict=False):
            if name in operation.writes:
                narrow(before, after)
        if "out" in attributes:
            narrow(attributes["out"], wide_attributes["out"])

    return widened


BACKENDS: dict[str, Backend] = {
    "reference": Backend("reference", HOST),
    "numba_cpu": Backend("numba_cpu", HOST),
    "cuda": Backend("cuda", SIMULATOR, device="simulator"),
    "numba_cuda": Backend("numba_cuda", SIMULATOR, lacks=frozenset() if bfloat16 is None else frozenset((bfloat16,))),
}

_choices = {"cpu": ("numba_cpu", "reference"), "reference": ("reference",), "simulator": ("cuda",)}
_replacing: list[Callable[[Backend], Backend]] = []


class _Active(dict[str, Backend]):
    """The backend of each device by its name; those of GPUs are made when they are first asked for.

    ``on_gpus`` names the kernels that they then get.
    """

    on_gpus = "cuda"

    def __missing__(self, device: str) -> Backend:
        kind, _, index = device.partition(":")
        if kind != "cuda" or not index.isdecimal():
            raise KeyError(device)
        from . import gpu

        engine = gpu.engine(int(index))
        if self.on_gpus == "cuda":
            found = Backend("cuda", engine, device=device)
        else:
            found = Backend(self.on_gpus, engine, lacks=BACKENDS[self.on_gpus].lacks)
        for replace in _replacing:
            found = replace(found)
        self[device] = found
        return found


_active = _Active({device: BACKENDS[names[0]] for device, names in _choices.items()})


def backend(name: str) -> Backend:
    """The backend called ``name``; ValueError lists the known ones."""
    try:
        return BACKENDS[name]
    except KeyError:
        raise ValueError(f"backend: {name!r} is none of {', '.join(BACKENDS)}") from None


def active(device: str) -> Backend:
    """The backend that computes for a device (``"cpu"``, ``"reference"``, ``"simulator"``, ``"cuda:0"``) at present."""
    return _active[device]


@contextmanager
def use(name: str) -> Iterator[Backend]:
    """Let the devices that can do so compute with the backend ``name`` inside the ``with`` block.

    ``"numba_cuda"`` computes for GPUs and, where Numba's CUDA simulator is on, for the device ``"simulator"``.
    The choice holds for the whole process, not for one thread.
    """
    chosen = backend(name)
    before, on_gpus = dict(_active), _active.on_gpus
    _active.update({device: chosen for device, names in _choices.items() if name in names})
    if name in ("cuda", "numba_cuda"):
        _active.on_gpus = name
        for device in [each for each in _active if each.startswith("cuda:")]:
            del _active[device]
        if name == "numba_cuda" and _numba_simulates():
            _active["simulator"] = chosen
    try:
        yield chosen
    finally:
        _active.on_gpus = on_gpus
        _active.clear()
        _active.update(before)


def _numba_simulates() -> bool:
    """Whether Numba's CUDA simulator is on."""
    from .numba_launch import simulated

    return simulated()


@contextmanager
def replaced(replace: Callable[[Backend], Backend]) -> Iterator[None]:
    """Put ``replace(backend)`` in the place of every active backend inside the ``with`` block."""
    before = dict(_active)
    _active.update({device: replace(each) for device, each in before.items()})
    _replacing.append(replace)
    try:
        yield
    finally:
        _replacing.pop()
        _active.clear()
        _active.update(before)
