"""Hooks of leaves whose gradient is whole, and what runs at the end of a backward."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any

from pyneural.tensor import RemovableHandle, Tensor

LeafHook = Callable[[Tensor], Any]

_hooks: dict[int, tuple[weakref.ref[Tensor], dict[int, LeafHook]]] = {}  # by the leaf's id
_running: list[list[Callable[[bool], Any]]] = []  # callbacks of the backwards that run, the innermost last


def register(leaf: Tensor, hook: LeafHook) -> RemovableHandle:
    """Call ``hook(leaf)`` in each backward once the leaf's ``grad`` has all that this backward adds to it."""
    key = id(leaf)
    found = _hooks.get(key)
    if found is None or found[0]() is not leaf:
        found = _hooks[key] = (weakref.ref(leaf, lambda _: _hooks.pop(key, None)), {})
    return RemovableHandle(found[1], hook)


def is_hooked(leaf: Tensor) -> bool:
    """Whether a hook is called when a gradient of this leaf is known."""
    found = _hooks.get(id(leaf))
    return bool(leaf._hooks) or (found is not None and found[0]() is leaf and bool(found[1]))


def queue_callback(callback: Callable[[bool], Any]) -> None:
    """Call ``callback(failed)`` at the end of the backward that runs now; ``failed`` after an exception.

    Raises:
        RuntimeError: no backward runs.
    """
    if not _running:
        raise RuntimeError("queue_callback: no backward runs")
    _running[-1].append(callback)


class Watch:
    """Over one backward: which gradient of which leaf is still to come."""

    def __init__(self, roots: tuple[Tensor, ...]) -> None:
        self._left: dict[int, int] = {}
        self._begun: dict[int, Tensor] = {}
        self._callbacks: list[Callable[[bool], Any]] = []
        _running.append(self._callbacks)
        if _hooks:
            self._count(roots)

    def _count(self, roots: tuple[Tensor, ...]) -> None:
        """How often each leaf with hooks is an input of something that ``roots`` depend on."""
        seen: set[int] = set()
        stack = []
        for root in roots:
            if root._node is None:
                self._expect(root)
            else:
                stack.append(root._node)
        while stack:
            node = stack.pop()
            if id(node) in seen:
                continue
            seen.add(id(node))
            for edge in node.edges:
                if type(edge) is tuple:
                    stack.append(edge[0])
                elif edge is not None:
                    self._expect(edge)

    def _expect(self, leaf: Tensor) -> None:
        if id(leaf) in _hooks:
            self._left[id(leaf)] = self._left.get(id(leaf), 0) + 1

    def arrived(self, leaf: Tensor, with_gradient: bool) -> None:
        """One of the leaf's gradients is in its ``grad``, or turned out to be none."""
        left = self._left.get(id(leaf))
        if left is None:
            return
        if with_gradient:
            self._begun[id(leaf)] = leaf
        self._left[id(leaf)] = left - 1
        if left == 1 and id(leaf) in self._begun:
            self._call(leaf)

    def _call(self, leaf: Tensor) -> None:
        del self._left[id(leaf)]
        del self._begun[id(leaf)]
        for hook in list(_hooks[id(leaf)][1].values()):
            hook(leaf)

    def end(self, failed: bool) -> None:
        """The walk is over. What it never came to, because a gradient above was None, will not come."""
        try:
            if not failed:
                for leaf in list(self._begun.values()):
                    self._call(leaf)
        except BaseException:
            failed = True
            raise
        finally:
            _running.remove(self._callbacks)
            for each in self._callbacks:
                each(failed)
