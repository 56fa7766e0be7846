"""Several elementwise operations in one pass: a kernel generated from what each does to an element.

What an operation computes for one element is the function that its own kernel has (`elementwise.loops.Pointwise`), so
that the results are the same bits; what lies between two of them stays in a register.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable
from typing import Any

import numpy as np
from numba.core import types

from .elementwise import numba_cpu as elementwise
from .elementwise.loops import EXACT, compiled, inlined, piece
from .entry import KIND, Entries, elements, handle, size
from .near import bring, step
from .parallel import spread
from .pointwise import Pointwise, Program, Work
from .vector import select

Array = Any
ndarray = np.ndarray

_COPY = Pointwise("copy", lambda x: x)
_WHERE = Pointwise("where", lambda c, a, b: select(c, a, b))


def work(name: str, kernel: Any, args: tuple[Any, ...], attributes: dict[str, Any], out: Any) -> Work | None:
    """A call of ``kernel``, the operation ``name`` with Numba, element by element; None if it cannot be told so."""
    if name in ("gt", "ge"):
        return Work(getattr(elementwise, {"gt": "lt", "ge": "le"}[name]).pointwise, args[::-1], ())
    if name == "cast":
        return Work(_COPY, args, ()) if args[0].dtype == out.dtype else None
    if name == "where":
        return Work(_WHERE, args, ())
    if hasattr(kernel, "chosen_by"):
        kernel, attributes = kernel.chosen_by(**attributes)
    does = getattr(kernel, "pointwise", None)
    if does is None:  # also pow, which is a square or a power by the exponent's value
        return None
    return Work(does, args, tuple(float(attributes.get(key, default)) for key, default in does.numbers))


@functools.lru_cache(maxsize=512)
def kernel(program: Program) -> Callable[..., bool]:
    """``kernel(np.ndarray, *numbers, *arrays)``, compiled and kept on disk; False if an array is not as it must be."""
    text = program.source()
    known = "\n".join([text, *(each.does.name for each in program.instructions), str(program.dtype)])
    name = f"fused_{hashlib.sha256(known.encode()).hexdigest()[:12]}"
    space: dict[str, Any] = {
        "__name__": __name__, "elements": elements, "size": size, "spread": spread, "piece": piece, "step": step,
        "bring": bring,
    }  # fmt: skip
    exec(compile(text, __file__, "exec"), space)
    functions = [inlined(each.does.f, f"{each.does.name}_scalar") for each in program.instructions]
    number = np.float32 if program.dtype == np.float32 else np.float64
    span = compiled(space["make"](*functions, number), f"{name}_span")

    def signature(_: Any) -> Any:
        return (KIND, *[types.float64] * program.numbers, *[handle(dtype) for dtype, _ in program.arrays])

    return Entries(_closed(space["enclose"], span, name), name, signature, **EXACT)[None]


def _closed(enclose: Callable[..., Any], span: Any, name: str) -> Callable[..., bool]:
    made: Callable[..., bool] = enclose(span)
    made.__name__ = name
    return made
