"""Einstein summation, as a sequence of batched matrix products."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from pyneural.tensor import Tensor

from .layout import expand, getitem, permute, reshape
from .matmul import matmul
from .operands import require_tensor

_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

Labels = list[str]


def einsum(equation: Any, *operands: Any) -> Tensor:
    """The sum of products that ``equation`` describes, e.g. ``einsum("bij,bjk->bik", a, b)``.

    A label that the result does not have is summed over; one that an operand has twice means its
    diagonal; ``...`` stands for dimensions that broadcast. Without ``->`` the result has the labels
    that occur once, in alphabetical order, after those of ``...``. Operands and label lists may also
    alternate: ``einsum(a, [0, 1], b, [1, 2], [0, 2])``. Products are taken from left to right.

    Raises:
        ValueError: an equation that does not fit the operands, with the label or operand at fault.
    """
    if isinstance(equation, Tensor):
        equation, operands = _from_lists((equation, *operands))
    if len(operands) == 1 and isinstance(operands[0], (list, tuple)):
        operands = tuple(operands[0])
    if not operands:
        raise ValueError("einsum: expected at least one operand")
    for number, each in enumerate(operands):
        require_tensor("einsum", **{f"operand {number}": each})
    terms, result = _parse(equation, operands)
    tensors = [_diagonal(x, labels) for x, labels in zip(operands, terms, strict=True)]
    terms = [list(dict.fromkeys(labels)) for labels in terms]
    _check_lengths(tensors, terms)
    x, labels = _sum_out(tensors[0], terms[0], {*result}.union(*terms[1:]))
    for i in range(1, len(tensors)):
        needed = {*result}.union(*terms[i + 1 :])
        y, other = _sum_out(tensors[i], terms[i], needed | set(labels))
        x, labels = _sum_out(x, labels, needed | set(other))
        x, labels = _product(x, labels, y, other, needed)
    x, labels = _sum_out(x, labels, set(result))
    return permute(x, [labels.index(each) for each in result])


def _from_lists(arguments: tuple[Any, ...]) -> tuple[str, tuple[Any, ...]]:
    """Operands and label lists in turn as an equation."""

    def text(labels: Sequence[Any]) -> str:
        return "".join("..." if each is Ellipsis else _LETTERS[each] for each in labels)

    count = len(arguments) // 2
    equation = ",".join(text(arguments[2 * i + 1]) for i in range(count))
    if len(arguments) % 2:
        equation += "->" + text(arguments[-1])
    return equation, arguments[: 2 * count : 2]


def _parse(equation: str, operands: tuple[Tensor, ...]) -> tuple[list[Labels], Labels]:
    """The labels of each operand and of the result; the dimensions of ``...`` are labelled by numbers."""
    if not isinstance(equation, str):
        raise TypeError(f"einsum: equation must be a str, not {type(equation).__name__}")
    left, arrow, right = equation.replace(" ", "").partition("->")
    parts = left.split(",")
    if len(parts) != len(operands):
        raise ValueError(f"einsum: equation {equation!r} names {len(parts)} operands, but {len(operands)} are given")
    broadcast = 0
    for part, x in zip(parts, operands, strict=True):
        named = len(part.replace("...", "", 1))
        if ("..." in part and named > x.ndim) or ("..." not in part and named != x.ndim):
            raise ValueError(f"einsum: {part!r} does not fit an operand of shape {x.shape}")
        if "..." in part:
            broadcast = max(broadcast, x.ndim - named)
    terms = []
    for part, x in zip(parts, operands, strict=True):
        own = x.ndim - len(part.replace("...", "", 1))
        terms.append(_labels(equation, part, [str(n) for n in range(broadcast - own, broadcast)]))
    everything = [label for labels in terms for label in labels]
    numbers = [str(n) for n in range(broadcast)]
    if arrow:
        result = _labels(equation, right, numbers)
    else:
        result = numbers + sorted(each for each in set(everything) if each.isalpha() and everything.count(each) == 1)
    for each in result:
        if each not in everything:
            raise ValueError(f"einsum: result label {each!r} of {equation!r} is on no operand")
        if result.count(each) > 1:
            raise ValueError(f"einsum: result label {each!r} of {equation!r} occurs twice")
    return terms, result


def _labels(equation: str, part: str, numbers: Labels) -> Labels:
    before, dots, after = part.partition("...")
    for each in before + after:
        if each not in _LETTERS:
            raise ValueError(f"einsum: {each!r} in {equation!r} is no label")
    return [*before, *(numbers if dots else []), *after]


def _diagonal(x: Tensor, labels: Labels) -> Tensor:
    """``x`` with every repeated label taken along its diagonal, at its first place."""
    labels = list(labels)
    for label in dict.fromkeys(labels):
        while labels.count(label) > 1:
            first = labels.index(label)
            second = labels.index(label, first + 1)
            n, m = x.shape[first], x.shape[second]
            if n != m:
                raise ValueError(f"einsum: label {label!r} has lengths {n} and {m} on one operand")
            order = [first, second, *(i for i in range(x.ndim) if i not in (first, second))]
            flat = reshape(permute(x, order), (n * n, *(x.shape[i] for i in order[2:])))
            x = getitem(flat, slice(None, None, n + 1)) if n else reshape(flat, (0, *flat.shape[1:]))
            labels = [label, *(labels[i] for i in order[2:])]
            back = [*range(1, first + 1), 0, *range(first + 1, x.ndim)]
            x, labels = permute(x, back), [labels[i] for i in back]
    return x


def _check_lengths(tensors: list[Tensor], terms: list[Labels]) -> None:
    lengths: dict[str, int] = {}
    for x, labels in zip(tensors, terms, strict=True):
        for label, n in zip(labels, x.shape, strict=True):
            known = lengths.setdefault(label, n)
            if known == 1:
                lengths[label] = n
            elif n not in (1, known):
                raise ValueError(f"einsum: label {label!r} has lengths {known} and {n}")


def _sum_out(x: Tensor, labels: Labels, needed: set[str]) -> tuple[Tensor, Labels]:
    """Sum over the labels that nothing else needs."""
    dims = [i for i, label in enumerate(labels) if label not in needed]
    if not dims:
        return x, labels
    return x.sum(dim=dims), [label for label in labels if label in needed]


def _product(x: Tensor, a: Labels, y: Tensor, b: Labels, needed: set[str]) -> tuple[Tensor, Labels]:
    """Multiply, and sum over the shared labels that are not needed any more."""
    shared = [label for label in a if label in b]
    batch = [label for label in shared if label in needed]
    summed = [label for label in shared if label not in needed]
    rows = [label for label in a if label not in b]
    columns = [label for label in b if label not in a]
    length = {**dict(zip(b, y.shape, strict=True))}
    for label, n in zip(a, x.shape, strict=True):
        length[label] = max(n, length.get(label, 1)) if 0 not in (n, length.get(label, n)) else 0
    left = _arranged(x, a, [batch, rows, summed], length)
    right = _arranged(y, b, [batch, summed, columns], length)
    labels = [*batch, *rows, *columns]
    return reshape(matmul(left, right), [length[label] for label in labels]), labels


def _arranged(x: Tensor, labels: Labels, groups: list[Labels], length: dict[str, int]) -> Tensor:
    """``x`` with one dimension for each group of labels; lengths of 1 are repeated where they broadcast."""
    order = [label for group in groups for label in group]
    x = permute(x, [labels.index(label) for label in order])
    x = expand(x, [length[label] for label in order])
    return reshape(x, [math.prod(length[label] for label in group) for group in groups])
