"""Who takes part in ``pyneural bench``; ``python -m pyneural.bench.contestants --contestant KIND`` is one of them."""

from __future__ import annotations

import importlib
import importlib.util
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from pyneural.kernels import dtypes

from . import subjects
from .machine import versions
from .workloads import WORKLOADS, Workload, inputs

MODULE = "pyneural.bench.contestants"
SUBJECT = "pyneural"


def _every(workload: Workload) -> bool:
    return True


WIDE = ("float64", "float32")
ALL = tuple(each.name for each in dtypes.FLOATS)


@dataclass(frozen=True)
class Kind:
    """A library as a contestant.

    Attributes:
        packages: what must be installed; the first is imported.
        dtypes: that it computes in.
        has: whether it has an operation.
        lacks: what it needs besides the packages, and why it cannot be used; asked once these are there.
    """

    packages: tuple[str, ...]
    dtypes: tuple[str, ...]
    has: Callable[[Workload], bool] = _every
    lacks: Callable[[], list[str]] = list

    def missing(self) -> list[str]:
        """What is not installed."""
        return [each for each in self.packages if importlib.util.find_spec(each) is None] or self.lacks()


KINDS: dict[str, Kind] = {
    SUBJECT: Kind(("numba",), ALL),
    "reference": Kind(("numpy",), ALL),
    "numpy": Kind(("numpy",), WIDE, lambda workload: workload.numpy is not None),
    "scipy": Kind(("scipy",), WIDE, lambda workload: workload.scipy is not None),
    "numba": Kind(("numba",), WIDE, lambda workload: bool(workload.numba)),
    "torch": Kind(("torch",), ALL),
    "torch-compile": Kind(("torch",), ALL),
}
"""By the name that ``--against`` takes: NumPy, SciPy, Numba's own gufuncs, PyTorch eager and compiled."""

# OpenBLAS chooses its kernel for this processor only where nothing tells it which.
ENVIRONMENT: dict[str, str | None] = {"OPENBLAS_CORETYPE": None, "OPENBLAS_L2_SIZE": None}

TUNED: dict[str, str | None] = {
    "MALLOC_MMAP_THRESHOLD_": str(1 << 30),
    "MALLOC_TRIM_THRESHOLD_": str(8 << 30),
    "MALLOC_TOP_PAD_": str(256 << 20),
    "GLIBC_TUNABLES": "glibc.malloc.hugetlb=1",
}
"""Tells glibc to keep freed memory mapped, as we do. Where it gives that back to the system, a call that returns a new
array measures page faults, which cost several times the call and another time in each run."""

RIVALS = {**ENVIRONMENT, **TUNED}


def _poison(array: np.ndarray) -> None:
    """On one thread, whoever's it is: what several write lies in the cache of each that will write it again."""
    array.fill(math.nan)


def prepare(kind: str, options: dict[str, Any]) -> subjects.Subject:
    """The contestant's side of one case: `workloads.inputs` in its arrays, and the call on them."""
    workload, arrays = WORKLOADS[options["operation"]], inputs(options)
    if kind in ("torch", "torch-compile"):
        return _torch(workload, arrays, compiled=kind == "torch-compile")
    if kind in (SUBJECT, "reference"):
        return _pyneural(workload, arrays, "cpu" if kind == SUBJECT else "reference")
    function = {"numpy": workload.numpy, "scipy": workload.scipy, "numba": None}[kind]
    if function is None:
        function = gufunc(workload.numba, arrays[0].dtype.name)
    call = function
    return subjects.Subject(lambda: call(*arrays), np.asarray, tuple(arrays), _poison)


def _pyneural(workload: Workload, arrays: list[np.ndarray], device: str) -> subjects.Subject:
    import pyneural

    tensors = [pyneural.from_numpy(each).to(device) for each in arrays]
    return subjects.Subject(
        lambda: workload.call(pyneural, pyneural.functional, *tensors),
        lambda result: result.numpy(),
        tuple(each.numpy() for each in tensors),
        lambda result: _poison(result.numpy()),
    )


class Torch(NamedTuple):
    """What PyTorch computes of a case: over the memory of NumPy's arrays, or on copies of ``tensors``."""

    tensors: list[Any]
    call: Callable[..., Any]
    to_numpy: Callable[[Any], np.ndarray]


def torch_on(workload: Workload, arrays: list[np.ndarray], *, compiled: bool) -> Torch:
    """A case in PyTorch's words."""
    import torch

    def shared(array: np.ndarray) -> Any:
        if array.dtype == dtypes.bfloat16:  # which PyTorch does not take from NumPy
            return torch.from_numpy(array.view(np.int16)).view(torch.bfloat16)
        return torch.from_numpy(array)

    def to_numpy(result: Any) -> np.ndarray:
        return np.asarray((result.float() if result.dtype == torch.bfloat16 else result).numpy())

    call = _compiled(workload) if compiled else workload.call
    return Torch(
        [shared(each) for each in arrays], lambda *tensors: call(torch, torch.nn.functional, *tensors), to_numpy
    )


def _torch(workload: Workload, arrays: list[np.ndarray], *, compiled: bool) -> subjects.Subject:
    tensors, call, to_numpy = torch_on(workload, arrays, compiled=compiled)

    def poison(result: Any) -> None:
        import torch

        if result.dtype == torch.bfloat16:  # which NumPy does not take
            _poison(result.view(torch.int16).numpy().view(dtypes.bfloat16))
        else:
            _poison(result.numpy())

    return subjects.Subject(lambda: call(*tensors), to_numpy, tuple(arrays), poison)


_made: dict[Any, Any] = {}


def _compiled(workload: Workload) -> Any:
    """The call through ``torch.compile``, made once."""
    import torch

    if workload.call not in _made:
        compiled = torch.compile(lambda *tensors: workload.call(torch, torch.nn.functional, *tensors))
        _made[workload.call] = lambda library, functions, *tensors: compiled(*tensors)
    return _made[workload.call]


def gufunc(name: str, dtype: str) -> Any:
    """What a user of Numba would write: ``vectorize`` and ``guvectorize`` on all threads."""
    if (name, dtype) not in _made:
        import numba

        kind = getattr(numba, dtype)
        scalar: Any = numba.vectorize
        rows: Any = numba.guvectorize
        made: dict[str, Callable[[], Any]] = {
            "add": lambda: scalar([kind(kind, kind)], target="parallel")(lambda x, y: x + y),
            "mul": lambda: scalar([kind(kind, kind)], target="parallel")(lambda x, y: x * y),
            "exp": lambda: scalar([kind(kind)], target="parallel")(lambda x: math.exp(x)),
            "sum": lambda: rows([(kind[:], kind[:])], "(n)->()", target="parallel")(_sum),
            "softmax": lambda: rows([(kind[:], kind[:])], "(n)->(n)", target="parallel")(_softmax),
        }
        _made[name, dtype] = made[name]()
    return _made[name, dtype]


def _sum(x: Any, out: Any) -> None:
    total = x[0] * 0
    for i in range(x.shape[0]):
        total += x[i]
    out[0] = total


def _softmax(x: Any, out: Any) -> None:
    largest = x[0]
    for i in range(x.shape[0]):
        largest = max(largest, x[i])
    total = x[0] * 0
    for i in range(x.shape[0]):
        out[i] = math.exp(x[i] - largest)
        total += out[i]
    for i in range(x.shape[0]):
        out[i] /= total


def describe(kind: str) -> dict[str, Any]:
    """Versions; of pyneural also the registers it computes in and the ceilings of its threads."""
    if kind != SUBJECT:
        importlib.import_module(KINDS[kind].packages[0])  # now, when nothing is timed
        return versions(*KINDS[kind].packages)
    import pyneural
    from pyneural.kernels import simd

    from . import ceilings

    return {
        "pyneural": pyneural.__version__,
        **versions("numba", "llvmlite"),
        "simd": simd.CHOSEN.name,
        "ceilings": ceilings.measured(),
    }


if __name__ == "__main__":
    subjects.serve(prepare, describe)
