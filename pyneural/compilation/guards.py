"""What a plan takes as given: asked before each use of it."""

from __future__ import annotations

import types
from collections.abc import Callable, Iterator
from typing import Any

from pyneural.autograd.leaf_hooks import is_hooked
from pyneural.nn import Module
from pyneural.tensor import Tensor

from .recorder import Recorder

_PLAIN = (int, float, str, tuple, type(None), Tensor)
"""Attributes of modules that a forward reads as constants."""
_HOOKS = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")
_GONE = object()


class Guards:
    """What a recording found: modules, their attributes, parameters and buffers; names around the function; gradients.

    Args:
        recorder: the recording.
        function: what was recorded; names that functions called by it read are not looked at.
    """

    def __init__(self, recorder: Recorder, function: Callable[..., Any]) -> None:
        modules = list(recorder.modules.values())
        tables = [table for each in modules for table in (each._parameters, each._buffers, each._modules)]
        attributes = [(vars(each), key, value) for each in modules for key, value in vars(each).items()]
        self._names = [(table, key, value) for table in tables for key, value in table.items()]
        self._names += [each for each in attributes if isinstance(each[2], _PLAIN)]
        self._names += _globals(function)
        self._cells = _cells(function)
        self._arrays = [(each, each.array) for table in tables for each in table.values() if isinstance(each, Tensor)]
        self._hooks = [getattr(each, name) for each in modules for name in _HOOKS]
        self._leaves = [each.tensor for each in recorder.leaves.values()]
        # Where the function itself forgets a gradient, it does not matter what that was.
        self._grads = [
            (each.tensor, each.before)
            for each in recorder.leaves.values()
            if each.before is None or each.found is not None
        ]

    def hold(self) -> bool:
        """Whether everything still is as it was."""
        return (
            all([table.get(key, _GONE) is value for table, key, value in self._names])
            and all([_content(cell) is value for cell, value in self._cells])
            and all([each.array is array for each, array in self._arrays])
            and all([leaf.grad is grad for leaf, grad in self._grads])
            and not any(self._hooks)
            and not any([is_hooked(leaf) for leaf in self._leaves])
        )


def hooked(recorder: Recorder) -> bool:
    """Whether hooks of modules or leaves took part, which a plan would not call."""
    return any(getattr(each, name) for each in recorder.modules.values() for name in _HOOKS) or any(
        is_hooked(each.tensor) for each in recorder.leaves.values()
    )


def _function(function: Callable[..., Any]) -> types.FunctionType | None:
    """The Python function behind a callable."""
    if isinstance(function, Module):
        function = function.forward
    function = getattr(function, "__func__", function)
    return function if isinstance(function, types.FunctionType) else None


def _content(cell: Any) -> Any:
    try:
        return cell.cell_contents
    except ValueError:  # it has none
        return _GONE


def _cells(function: Callable[..., Any]) -> list[tuple[Any, Any]]:
    """The variables that a function closes over."""
    found = _function(function)
    return [(cell, _content(cell)) for cell in (found.__closure__ or ())] if found is not None else []


def _globals(function: Callable[..., Any]) -> list[tuple[dict[str, Any], str, Any]]:
    """The globals that a function names, also in functions within it."""
    found = _function(function)
    if found is None:
        return []
    names = dict.fromkeys(name for code in _codes(found.__code__) for name in code.co_names)
    space = found.__globals__
    return [(space, name, space[name]) for name in names if name in space]


def _codes(code: types.CodeType) -> Iterator[types.CodeType]:
    yield code
    for each in code.co_consts:
        if isinstance(each, types.CodeType):
            yield from _codes(each)
