"""The teaching ladders in ``csrc/ladders``: every rung is one CUDA source that says itself how it is launched.

>>> from pyneural.cuda import ladders
>>> ladders.ladder("matmul")
[<rung matmul/01_naive>, <rung matmul/02_coalesced>, ...]
>>> c = ladders.rung("matmul", 3).run(a, b)                  # NumPy arrays: the simulator; CuPy arrays: their GPU
>>> c, report = ladders.rung("matmul", 3).sanitize(a, b)
>>> c, counters = ladders.rung("matmul", 3).profile(a, b)

What a source says of itself is in ``csrc/ladders/README.md``; `ladder_header` reads it.
"""

from __future__ import annotations

import functools
import pathlib
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from . import gpu, toolchain
from .arguments import is_gpu
from .findings import Report
from .kernel import empty
from .ladder_header import Array, Header, Launch, evaluate, read
from .module import compile
from .profile import Counters, profile
from .resources import Resources, resources
from .sanitize import sanitize
from .tensor_map import tensor_map

FOLDER = toolchain.CSRC / "ladders"


class Call(NamedTuple):
    """One launch with its values: kernel's name, grid, block, bytes of dynamic shared memory, arguments."""

    kernel: str
    grid: tuple[int, ...]
    block: tuple[int, ...]
    shared: int
    arguments: tuple[Any, ...]


class Prepared(NamedTuple):
    """The launches of one pass in their order, and the arrays that they fill."""

    calls: list[Call]
    outputs: list[Any]

    @property
    def result(self) -> Any:
        return self.outputs[0] if len(self.outputs) == 1 else tuple(self.outputs)


class Rung:
    """One numbered file of a ladder.

    Attributes:
        ladder, number, name: ``csrc/ladders/<ladder>/<number>_<name>.cu``.
        path: the source.
        header: what the source says of itself.
    """

    def __init__(self, path: pathlib.Path) -> None:
        number, _, self.name = path.stem.partition("_")
        self.ladder, self.number, self.path = path.parent.name, int(number), path
        self.header: Header = read(path.read_text(encoding="utf-8"), f"{self.ladder}/{path.name}")

    def __repr__(self) -> str:
        return f"<rung {self.ladder}/{self.path.stem}>"

    @property
    def passes(self) -> list[str]:
        """``["forward"]``, and "dgrad" and "wgrad" where the rung has them."""
        return list(self.header.passes)

    @property
    def candidates(self) -> list[dict[str, int]]:
        """The template parameters to choose from; one empty choice where there are none. The first is the default."""
        return self.header.candidates or [{}]

    def prepare(
        self, *inputs: Any, pass_: str = "forward", candidate: dict[str, int] | None = None, **attributes: int
    ) -> Prepared:
        """The launches of a pass on these arrays, with new memory for its results.

        Raises ValueError for a pass, shape or attribute that the rung does not take, TypeError for a wrong count.
        """
        if pass_ not in self.header.passes:
            raise ValueError(f"{self!r}: pass (={pass_!r}) must be one of {', '.join(self.passes)}")
        stage = self.header.passes[pass_]
        scope: dict[str, Any] = {**self.header.constants, **(self.candidates[0] if candidate is None else candidate)}
        self._bind(scope, stage.inputs, stage.attributes, inputs, attributes)
        on_gpu = any(is_gpu(each) for each in inputs)
        for name, expression in stage.lets:
            scope[name] = evaluate(expression, scope)
        for expression in stage.requires:
            if not evaluate(expression, scope):
                sizes = {name: value for name, value in scope.items() if name in expression}
                values = ", ".join(f"{name}={value}" for name, value in sizes.items())
                raise ValueError(f"{self!r}: takes only {expression} ({values})")
        made = {}
        for array in (*stage.outputs, *stage.scratch):
            shape = tuple(int(evaluate(each, scope)) for each in array.shape)
            made[array.name] = _memory(shape, array.dtype, array.name in stage.zeroed, on_gpu)
        scope |= made | {"tma": _map, "ints": _ints, "head": _head}
        calls = [call for each in stage.launches if (call := _call(each, scope)) is not None]
        return Prepared(calls, [made[array.name] for array in stage.outputs])

    def _bind(
        self,
        scope: dict[str, Any],
        declared: list[Array],
        known: dict[str, int],
        inputs: tuple[Any, ...],
        attributes: dict[str, int],
    ) -> None:
        if len(inputs) != len(declared):
            raise TypeError(f"{self!r}: takes {len(declared)} arrays, got {len(inputs)}")
        if unknown := set(attributes) - set(known):
            raise TypeError(f"{self!r}: does not take {', '.join(sorted(unknown))}")
        scope |= known | attributes
        for array, value in zip(declared, inputs, strict=True):
            if value.ndim != len(array.shape):
                raise ValueError(
                    f"{self!r}: {array.name} must have {len(array.shape)} dimensions, not {value.ndim} {value.shape}"
                )
            for dimension, size in zip(array.shape, value.shape, strict=True):
                if dimension.isidentifier():
                    scope.setdefault(dimension, size)
                if (wanted := evaluate(dimension, scope)) != size:
                    raise ValueError(
                        f"{self!r}: {array.name} has shape {value.shape}, where {dimension} must be {wanted}"
                    )
            scope[array.name] = value

    def module(self, target: str = "simulator") -> Any:
        """The compiled source."""
        return _module(self.path, target, self.path.stat().st_mtime_ns)

    def run(self, *inputs: Any, **options: Any) -> Any:
        """The result: on the GPU for CuPy's arrays, else in the simulator. Options as for `prepare`."""
        prepared = self.prepare(*inputs, **options)
        module = self.module("gpu" if any(is_gpu(each) for each in inputs) else "simulator")
        for call in prepared.calls:
            module[call.kernel][call.grid, call.block, call.shared](*call.arguments)
        return prepared.result

    def sanitize(self, *inputs: Any, schedule: int | None = None, **options: Any) -> tuple[Any, list[Report]]:
        """The result, and a report of each launch in the simulator with every access checked."""
        prepared = self.prepare(*inputs, **options)
        module, reports = self.module(), []
        for call in prepared.calls:
            checked = sanitize(module[call.kernel], schedule=schedule, timeout=60.0)
            reports.append(checked[call.grid, call.block, call.shared](*call.arguments))
        return prepared.result, reports

    def profile(self, *inputs: Any, **options: Any) -> tuple[Any, Counters]:
        """The result, and what the simulator counted over all launches."""
        prepared = self.prepare(*inputs, **options)
        module, total = self.module(), Counters()
        for call in prepared.calls:
            counted = profile(module[call.kernel])[call.grid, call.block, call.shared](*call.arguments)
            total.merge(counted.total)
        return prepared.result, total

    def resources(self, calls: list[Call], arch: str | None = None) -> list[Resources]:
        """What nvcc gives the kernel of each call; CompilerNotFoundError without nvcc."""
        names = list(dict.fromkeys(call.kernel for call in calls))
        found = resources(self.path, arch or self.header.arch, instances=[name for name in names if "<" in name])
        by_name = {name.replace(" ", "").replace("(int)", ""): each for name, each in found.items()}
        return [by_name[call.kernel.replace(" ", "")] for call in calls]


def _call(launch: Launch, scope: dict[str, Any]) -> Call | None:
    """None where the grid has no blocks: there is nothing to do."""
    grid = tuple(int(evaluate(each, scope)) for each in launch.grid)
    block = tuple(int(evaluate(each, scope)) for each in launch.block)
    if 0 in grid:
        return None
    template = [evaluate(each, scope) for each in launch.template]
    kernel = launch.kernel + (f"<{', '.join(map(str, template))}>" if template else "")
    arguments = tuple(evaluate(each, scope) for each in launch.arguments)
    return Call(kernel, grid, block, int(evaluate(launch.shared, scope)), arguments)


def _memory(shape: tuple[int, ...], dtype: str, zeroed: bool, on_gpu: bool) -> Any:
    if on_gpu:
        import cupy

        return cupy.asarray(np.zeros(shape, dtype)) if zeroed else cupy.empty(shape, dtype)
    if zeroed:
        return np.zeros(shape, dtype)
    array = empty(shape, dtype)
    array.view(np.ndarray).reshape(-1).view(np.uint8)[...] = 255  # NaN, or -1: nothing that could pass for a result
    return array


def _map(array: Any, *box: int) -> Any:
    """A tensor map with lines of 128 bytes, swizzled."""
    return tensor_map(array, box, swizzle=128)


def _ints(*values: int) -> bytes:
    """A struct of ints, as a parameter by value."""
    return np.array(values, np.int32).tobytes()


def _head(array: Any, count: int) -> bytes:
    """A struct of the first ``count`` elements, as a parameter by value; zeros where there are fewer."""
    host = (array.get() if is_gpu(array) else array).reshape(-1)[:count]
    filled = np.zeros(count, host.dtype)
    filled[: host.size] = host
    return filled.tobytes()


@functools.lru_cache(maxsize=128)
def _module(path: pathlib.Path, target: str, changed: int) -> Any:
    options: tuple[str, ...] = ()
    if target == "simulator":
        arch = read(path.read_text(encoding="utf-8"), path.name).arch
        options = (f"-arch={arch}",) if arch != "sm_80" else ()
    elif not gpu.available():
        raise RuntimeError(f"{path.name}: no GPU: {gpu.obstacle()}")
    return compile(path, target, options=options)


def names() -> list[str]:
    """The ladders that there are."""
    return sorted(folder.name for folder in FOLDER.iterdir() if folder.is_dir() and any(folder.glob("*.cu")))


def ladder(name: str) -> list[Rung]:
    """All rungs of a ladder, from the first up. ValueError for an unknown one."""
    if name not in names():
        raise ValueError(f"ladder (={name!r}) must be one of {', '.join(names())}")
    return [Rung(path) for path in sorted((FOLDER / name).glob("[0-9][0-9]_*.cu"))]


def rung(name: str, number: int) -> Rung:
    """One rung by its number. ValueError where there is none."""
    for each in ladder(name):
        if each.number == number:
            return each
    raise ValueError(f"rung: {name} has no rung {number} (it has {len(ladder(name))})")


def every() -> Iterator[Rung]:
    """All rungs of all ladders."""
    for name in names():
        yield from ladder(name)


__all__ = ["FOLDER", "Call", "Prepared", "Rung", "every", "ladder", "names", "rung"]
