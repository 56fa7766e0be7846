"""Solutions in Python: read, translated for the simulator, and asked what is wrong with them."""

from __future__ import annotations

import linecache
import traceback
import warnings
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pyneural import cuda
from pyneural.cuda.numba_types import require_numba

from .exercise import Exercise

NEGATIVE = "-DPN_NEGATIVE_IS_OUT"


def names(path: Path) -> dict[str, Any]:
    """The names of a solution's module. Raises CompileError at the line that fails."""
    require_numba()
    text = path.read_text(encoding="utf-8", errors="replace")
    linecache.checkcache(str(path))
    space: dict[str, Any] = {"__name__": path.stem, "__file__": str(path)}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of a launch in the file Numba warns before it says that there is no GPU
            exec(compile(text, str(path), "exec"), space)
    except SyntaxError as error:
        raise _error(path, error.lineno or 1, str(error.msg)) from error
    except Exception as error:
        lines = [each.lineno for each in traceback.extract_tb(error.__traceback__) if each.filename == str(path)]
        line = (lines or [1])[-1] or 1
        raise _error(path, line, _what(error, linecache.getline(str(path), line))) from error
    return space


def _what(error: Exception, line: str) -> str:
    if line.lstrip().startswith("@"):
        if type(error).__name__ == "CudaSupportError":
            return "write @cuda.jit without types in brackets: they come from the arguments of the launch"
    elif type(error).__name__ == "CudaSupportError" or "launch configuration" in str(error):
        return (
            "the check launches the kernel by itself: a launch in the file, `kernel[blocks, threads](...)`, stands "
            'behind `if __name__ == "__main__":`'
        )
    return f"{type(error).__name__}: {error}"


def _error(path: Path, line: int, message: str) -> cuda.CompileError:
    return cuda.CompileError([cuda.Diagnostic(str(path), line, 1, f"error: {message}")])


class Kernels(Mapping[str, cuda.Kernel]):
    """The kernels of a solution by name, for arguments as the exercise's cases have.

    Raises CompileError, and KeyError for a name that the solution lacks.
    """

    def __init__(self, path: Path, exercise: Exercise, options: Sequence[str] = ()) -> None:
        self.path = path
        self.space = names(path)
        self.arguments = arguments(exercise)
        self.doubles = exercise.doubles
        self.options = options

    def __getitem__(self, name: str) -> cuda.Kernel:
        function = self.doubles.get(name, name)
        values = self.arguments[function]
        return kernel(self.path, self.space, function, _double(values) if name != function else values, self.options)

    def __iter__(self) -> Iterator[str]:
        return iter((*self.arguments, *self.doubles))

    def __len__(self) -> int:
        return len(self.arguments) + len(self.doubles)


def _double(values: Mapping[str, Any]) -> Mapping[str, Any]:
    return {name: each.astype(np.float64) if isinstance(each, np.ndarray) else each for name, each in values.items()}


def kernel(
    path: Path, space: Mapping[str, Any], name: str, values: Mapping[str, Any], options: Sequence[str] = ()
) -> cuda.Kernel:
    """One kernel of a solution's."""
    if name not in space:
        others = ", ".join(key for key, value in space.items() if hasattr(value, "py_func")) or "none"
        raise KeyError(f"{path} has no kernel {name!r}; it has: {others}")
    function = getattr(space[name], "py_func", None)
    if function is None:
        line = getattr(getattr(space[name], "__code__", None), "co_firstlineno", 1)
        raise _error(path, line, f"{name} is a plain function: a kernel has @cuda.jit in the line above")
    if "cuda" not in type(space[name]).__module__:
        what = f"{name} is compiled for the CPU: a kernel has @cuda.jit in the line above"
        raise _error(path, function.__code__.co_firstlineno, what)
    count = function.__code__.co_argcount
    if count != len(values):
        wanted = ", ".join(values)
        raise _error(
            path, function.__code__.co_firstlineno, f"{name} has {count} parameters, and the launch gives {wanted}"
        )
    return cuda.from_numba(function, tuple(values.values()), options=options)


def arguments(exercise: Exercise) -> dict[str, Mapping[str, Any]]:
    """Those of a launch of each kernel."""
    found: dict[str, Mapping[str, Any]] = {}
    for case in exercise.cases(np.random.default_rng(0)):
        found.setdefault(case.kernel or exercise.kernel, case.arguments)
    return found
