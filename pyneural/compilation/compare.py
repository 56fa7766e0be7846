"""Whether two recordings are of one and the same computation, so that it can be repeated without its Python."""

from __future__ import annotations

from typing import Any

import numpy as np

from .recorder import Act, Copy, Draw, Fill, Kernel, Recorder, Ref, Step


def difference(first: Recorder, second: Recorder) -> str:
    """Where the two differ, in words; empty if they are the same."""
    for number, (a, b) in enumerate(zip(first.steps, second.steps, strict=False), 1):
        what = _step(a, b)
        if what:
            return f"two calls differ in step {number} ({b.name}): {what}"
    if len(first.steps) != len(second.steps):
        return f"two calls differ: {len(first.steps)} steps and {len(second.steps)}"
    if [id(each) for each in first.generators] != [id(each) for each in second.generators]:
        return "two calls draw from different generators"
    if list(first.modules) != list(second.modules):
        return "two calls use different modules"
    return ""


def _step(a: Step, b: Step) -> str:
    if type(a) is not type(b) or a.name != b.name:
        return f"{a.name} before, {b.name} now"
    if isinstance(a, Kernel) and isinstance(b, Kernel):
        if a.attributes.keys() != b.attributes.keys():
            return f"attributes {sorted(a.attributes)} before, {sorted(b.attributes)} now"
        for key, value in a.attributes.items():
            what = unlike(value, b.attributes[key])
            if what:
                return f"{key} {what}"
        return unlike(a.args, b.args) or unlike(a.out, b.out)
    if isinstance(a, Fill) and isinstance(b, Fill):
        return unlike(a.value, b.value) or unlike(a.target, b.target)
    if isinstance(a, Copy) and isinstance(b, Copy):
        return unlike(a.source, b.source) or unlike(a.target, b.target)
    if isinstance(a, Act) and isinstance(b, Act):
        if a.owner is not b.owner or len(a.grads) != len(b.grads):
            return "another optimizer or schedule, or other parameters"
        for (param, grad), (other, theirs) in zip(a.grads, b.grads, strict=True):
            if param is not other or unlike(grad, theirs):
                return f"another gradient of a parameter of shape {param.shape}"
    return ""


def unlike(a: Any, b: Any) -> str:
    """How two values of recordings differ, in words; empty if they are the same."""
    if isinstance(a, Ref) or isinstance(b, Ref):
        return "" if a == b else f"is {_shown(a)} before, {_shown(b)} now"
    if isinstance(a, np.ndarray) and isinstance(b, np.ndarray):
        return _array(a, b)
    if type(a) is not type(b):
        return f"is a {type(a).__name__} before, a {type(b).__name__} now"
    if isinstance(a, (tuple, list)):
        if len(a) != len(b):
            return f"has {len(a)} values before, {len(b)} now"
        return next((what for x, y in zip(a, b, strict=True) if (what := unlike(x, y))), "")
    if isinstance(a, dict):
        if a.keys() != b.keys():
            return f"has {sorted(map(str, a))} before, {sorted(map(str, b))} now"
        return next((what for key in a if (what := unlike(a[key], b[key]))), "")
    if isinstance(a, Draw):
        return "" if (a.number, a.part) == (b.number, b.part) else "is another random number"
    if a is b or a == b or (a != a and b != b):  # NaN is the same each time
        return ""
    return f"is {a!r} before, {b!r} now"


def _array(a: np.ndarray, b: np.ndarray) -> str:
    """Arrays from outside: the same memory, or the same constant."""
    if a.shape != b.shape or a.dtype != b.dtype:
        return f"is {_shown(a)} before, {_shown(b)} now"
    if a is b or (a.ctypes.data == b.ctypes.data and a.strides == b.strides):
        return ""
    same = np.array_equal(a, b, equal_nan=a.dtype.kind == "f")
    return "" if same else f"is another array of shape {a.shape} each time"


def _shown(value: Any) -> str:
    if isinstance(value, Ref):
        return f"{value.dtype} {value.shape} of allocation {value.allocation}"
    return f"{value.dtype} {value.shape} from outside" if isinstance(value, np.ndarray) else repr(value)
