"""The walk over the graph: `backward` and `grad`.

A node is created after everything it depends on, so visiting nodes from the newest to the oldest
visits every consumer of a result before its producer. The walk is a loop with a heap: a chain of any
length works.
"""

from __future__ import annotations

import heapq
import sys
import weakref
from collections.abc import Sequence
from typing import Any

from pyneural import recording
from pyneural.kernels import dtypes
from pyneural.tensor import Tensor

from . import anomaly
from .autocast_mode import suspended
from .function import Function
from .grad_mode import set_grad_enabled
from .leaf_hooks import Watch

_ones: weakref.WeakValueDictionary[int, Tensor] = weakref.WeakValueDictionary()  # by id

Key = tuple[int, int]  # id of a node and number of its result, or id of a leaf and -1


def backward(
    tensors: Tensor | Sequence[Tensor],
    grad_tensors: Tensor | Sequence[Tensor | None] | None = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
) -> None:
    """Add the derivative of ``tensors`` to the ``.grad`` of every leaf they depend on.

    Args:
        tensors: where to start.
        grad_tensors: the cotangent of each, of its shape and dtype; None means 1, for one element.
        retain_graph: keep what the graph saved, for another backward; default: ``create_graph``.
        create_graph: record the derivative as a graph itself, for derivatives of it.

    Raises:
        RuntimeError: nothing requires a gradient, a cotangent is missing or has another shape, or
            what the graph saved is gone or was changed in place.
    """
    roots = _sequence(tensors)
    cotangents = _cotangents("backward", roots, grad_tensors)
    _walk(roots, cotangents, create_graph if retain_graph is None else retain_graph, create_graph, None)


def grad(
    outputs: Tensor | Sequence[Tensor],
    inputs: Tensor | Sequence[Tensor],
    grad_outputs: Tensor | Sequence[Tensor | None] | None = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    allow_unused: bool = False,
) -> tuple[Tensor | None, ...]:
    """The derivative of ``outputs`` by each of ``inputs``; no ``.grad`` changes.

    Args:
        outputs, grad_outputs, retain_graph, create_graph: as for `backward`.
        inputs: leaves or intermediate tensors of the graph.
        allow_unused: give None for an input that the outputs do not depend on, instead of raising.

    Raises:
        RuntimeError: as `backward`; or an input does not require a gradient, or is not in the graph.
    """
    roots, wanted = _sequence(outputs), _sequence(inputs)
    for number, each in enumerate(wanted):
        if not each.requires_grad:
            raise RuntimeError(f"grad: inputs[{number}] of shape {each.shape} does not require a gradient")
    cotangents = _cotangents("grad", roots, grad_outputs)
    keep = create_graph if retain_graph is None else retain_graph
    found = _walk(roots, cotangents, keep, create_graph, {_key(each) for each in wanted})
    results = tuple(found.get(_key(each)) for each in wanted)
    for number, result in enumerate(results):
        if result is None and not allow_unused:
            raise RuntimeError(
                f"grad: inputs[{number}] of shape {wanted[number].shape} is not in the graph of the outputs; "
                "pass allow_unused=True to get None for it"
            )
    return results


def is_implicit_one(grad: Tensor) -> bool:
    """Whether this cotangent is the 1 that a backward started with because it was given none.

    A function may have written its gradient for that one when it ran forward; no memory is read to tell.
    """
    return _ones.get(id(grad)) is grad and grad._version[0] == 0


def _sequence(tensors: Tensor | Sequence[Tensor]) -> tuple[Tensor, ...]:
    return (tensors,) if isinstance(tensors, Tensor) else tuple(tensors)


def _cotangents(name: str, roots: tuple[Tensor, ...], given: Tensor | Sequence[Tensor | None] | None) -> list[Tensor]:
    cotangents = [given] * len(roots) if given is None else ([given] if isinstance(given, Tensor) else list(given))
    if len(cotangents) != len(roots):
        raise RuntimeError(f"{name}: {len(roots)} tensors but {len(cotangents)} cotangents")
    result = []
    for root, cotangent in zip(roots, cotangents, strict=True):
        if not root.requires_grad:
            raise RuntimeError(f"{name}: a tensor of shape {root.shape} does not require a gradient and has no graph")
        if cotangent is None:
            if root.array.size != 1:
                raise RuntimeError(
                    f"{name}: the derivative of a tensor of shape {root.shape} needs a cotangent of that shape; "
                    "only one element has an implicit one"
                )
            cotangent = root._filled(1)
            _ones[id(cotangent)] = cotangent
        elif cotangent.shape != root.shape or cotangent.device is not root.device:
            raise RuntimeError(
                f"{name}: cotangent of shape {cotangent.shape} on {cotangent.device} for a tensor of shape "
                f"{root.shape} on {root.device}"
            )
        elif cotangent.dtype != root.dtype:
            raise RuntimeError(f"{name}: cotangent of dtype {cotangent.dtype} for a tensor of dtype {root.dtype}")
        result.append(cotangent)
    return result


def _key(tensor: Tensor) -> Key:
    return (id(tensor), -1) if tensor._node is None else (id(tensor._node), tensor._slot)


def _walk(
    roots: tuple[Tensor, ...],
    cotangents: list[Tensor],
    retain: bool,
    create: bool,
    wanted: set[Key] | None,
) -> dict[Key, Tensor]:
    """Propagate the cotangents; into leaves, or, where some are ``wanted``, into the result."""
    found: dict[Key, Tensor] = {}
    pending: dict[int, list[Tensor | None]] = {}  # by node: the gradient of each result so far
    owned: set[Key] = set()  # gradients that this walk allocated and may add to in place
    heap: list[tuple[int, Function]] = []
    useful = None if wanted is None else _useful(roots, wanted)
    watch = Watch(roots) if wanted is None else None

    def send(edge: Any, gradient: Tensor) -> None:
        if type(edge) is tuple:
            node, slot = edge
            if useful is not None and id(node) not in useful:
                return
            slots = pending.get(id(node))
            if slots is None:
                slots = pending[id(node)] = [None] * len(node.outputs)
                heapq.heappush(heap, (-node.order, node))
            slots[slot] = _sum(slots[slot], gradient, (id(node), slot), owned, create)
        elif watch is not None:
            _accumulate(edge, gradient, create)
            watch.arrived(edge, True)
        elif wanted is not None and (id(edge), -1) in wanted:
            key = (id(edge), -1)
            gradient = _hooked(edge._hooks, gradient)
            found[key] = _sum(found.get(key), gradient, key, owned, create)

    def walk() -> None:
        for root, cotangent in zip(roots, cotangents, strict=True):
            send(root if root._node is None else (root._node, root._slot), cotangent)
        del cotangents[:]
        while heap:
            _, node = heapq.heappop(heap)
            gradients = pending.pop(id(node))
            if node.hooks is not None:
                for slot, hooks in node.hooks.items():
                    if gradients[slot] is not None:
                        gradients[slot] = _hooked(hooks, gradients[slot])
            if wanted is not None:
                for slot, gradient in enumerate(gradients):
                    if gradient is not None and (id(node), slot) in wanted:
                        found[(id(node), slot)] = gradient
                if useful is not None and not useful[id(node)]:
                    continue
            for edge, gradient in zip(node.edges, _differentiate(node, gradients), strict=True):
                if edge is not None and gradient is not None:
                    send(edge, gradient)
                elif watch is not None and edge is not None and type(edge) is not tuple:
                    watch.arrived(edge, False)
            del gradients
            if not retain:
                node.release()

    observer = recording.current()
    if observer is not None:
        observer.walked(retain)
    with set_grad_enabled(create), suspended():
        if watch is None:
            walk()
            return found
        failed = True
        try:
            walk()
            failed = False
        finally:
            watch.end(failed)
    return found


def _differentiate(node: Function, gradients: list[Tensor | None]) -> Sequence[Tensor | None]:
    """The gradients of a node's inputs, each of its input's shape."""
    results = node.backward(*gradients)
    if type(results) is not tuple:
        results = (results,)
    if len(results) != len(node.edges):
        raise RuntimeError(f"{node.name}: backward gave {len(results)} gradients for {len(node.edges)} inputs")
    checked: list[Tensor | None] = []
    for number, (gradient, edge, shape) in enumerate(zip(results, node.edges, node.shapes, strict=True)):
        if gradient is None or edge is None:
            checked.append(None)
            continue
        if gradient.array.shape != shape:
            gradient = _unbroadcast(node, gradient, shape)
        if anomaly.state.enabled:
            _refuse_nan(node, number, gradient)
        checked.append(gradient)
    return checked


def _unbroadcast(node: Function, gradient: Any, shape: tuple[int, ...]) -> Tensor:
    """Sum a gradient over the dimensions that broadcasting added or stretched."""
    extra = len(gradient.shape) - len(shape)
    fits = extra >= 0 and all(n in (1, m) for n, m in zip(shape, gradient.shape[extra:], strict=True))
    if not fits:
        raise RuntimeError(f"{node.name}: backward gave shape {gradient.shape} for an input of shape {shape}")
    stretched = [extra + i for i, n in enumerate(shape) if n == 1 and gradient.shape[extra + i] != 1]
    summed: Tensor = gradient.sum(dim=(*range(extra), *stretched)).reshape(shape)
    return summed


def _sum(so_far: Tensor | None, gradient: Any, key: Key, owned: set[Key], create: bool) -> Tensor:
    if so_far is None:
        return gradient  # type: ignore[no-any-return]
    if create or key not in owned:
        owned.add(key)
        return gradient + so_far  # type: ignore[no-any-return]
    so_far.device.kernels.add(so_far.array, gradient.array, out=so_far.array)
    return so_far


def _hooked(hooks: Any, gradient: Any) -> Any:
    if hooks:
        for hook in list(hooks.values()):
            replaced = hook(gradient)
            if replaced is not None:
                if replaced.shape != gradient.shape:
                    raise RuntimeError(f"hook: gave shape {replaced.shape} for a gradient of shape {gradient.shape}")
                gradient = replaced
    return gradient


def _accumulate(leaf: Tensor, gradient: Tensor, create: bool) -> None:
    observer = recording.current()
    if observer is not None:
        observer.accumulates(leaf)
    if leaf._hooks:  # a hook may keep what it is given, or give what it keeps
        gradient = _hooked(leaf._hooks, gradient)
    if leaf.grad is None:
        if create and gradient.requires_grad:
            leaf.grad = gradient.clone()
        else:
            leaf.grad = gradient if not leaf._hooks and _exclusive(gradient) else gradient._copy()
    elif create or leaf.grad.requires_grad:
        leaf.grad = leaf.grad + gradient  # type: ignore[operator]
    else:
        kernels = leaf.device.kernels
        kernels.add(leaf.grad.array, gradient.array, out=leaf.grad.array)
        leaf.grad._version[0] += 1


# References to a gradient that nobody but the walk holds, as `_exclusive` counts them: the loop's variable, its
# list, zip's tuple, the arguments of send, _accumulate and _exclusive, and getrefcount's own.
_WALK_REFERENCES = 7


def _exclusive(gradient: Tensor) -> bool:
    """True if nobody else can see the gradient's memory, so that the leaf may keep it without a copy.

    CPython's reference counts say so; where they are larger than expected, the only cost is a copy.
    """
    array = gradient.array
    return (
        sys.getrefcount(gradient) <= _WALK_REFERENCES
        and sys.getrefcount(array) <= 3  # the tensor, this variable, getrefcount's own
        and type(array.base) is not type(array)  # not a view of another array
        and bool(array.flags.c_contiguous and getattr(array.flags, "writeable", True))  # CuPy knows no read-only array
    )


def _useful(roots: tuple[Tensor, ...], wanted: set[Key]) -> dict[int, bool]:
    """The nodes that some wanted tensor can be reached through, by id; True where it lies behind the node."""
    nodes: dict[int, Function] = {}
    stack = [root._node for root in roots if root._node is not None]
    while stack:
        node = stack.pop()
        if id(node) in nodes:
            continue
        nodes[id(node)] = node
        stack.extend(edge[0] for edge in node.edges if type(edge) is tuple)
    results = {key[0] for key in wanted if key[1] >= 0}
    useful: dict[int, bool] = {}
    for node in sorted(nodes.values(), key=lambda each: each.order):
        behind = any(
            (id(edge[0]) in useful) if type(edge) is tuple else (edge is not None and (id(edge), -1) in wanted)
            for edge in node.edges
        )
        if behind or id(node) in results:
            useful[id(node)] = behind
    return useful


def _refuse_nan(node: Function, number: int, gradient: Tensor) -> None:
    host = gradient.device.to_host(gradient.array)
    if dtypes.is_floating(host.dtype) and (host != host).any():
        called = "" if node.trace is None else "\nIts forward call:\n" + "".join(node.trace)
        raise RuntimeError(f"detect_anomaly: the gradient of input {number} of {node.name} has a NaN.{called}")
