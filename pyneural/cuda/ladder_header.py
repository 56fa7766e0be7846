"""Reads what a rung's source says of itself in its first comment; csrc/ladders/README.md is the grammar."""

from __future__ import annotations

import ast
import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple


class Array(NamedTuple):
    """An array of a pass: its name, NumPy dtype, and an expression for each dimension."""

    name: str
    dtype: str
    shape: tuple[str, ...]


class Launch(NamedTuple):
    """One launch, in expressions over the pass's sizes and the source's constants."""

    kernel: str
    template: tuple[str, ...]
    arguments: tuple[str, ...]
    grid: tuple[str, ...]
    block: tuple[str, ...]
    shared: str


class Improvement(NamedTuple):
    """A quantity, the unit of work it is counted for, and the rung compared with (None: the one before)."""

    quantity: str
    unit: str
    over: int | None


@dataclass
class Pass:
    """What one pass takes and makes, and its launches in order."""

    inputs: list[Array] = field(default_factory=list)
    attributes: dict[str, int] = field(default_factory=dict)
    outputs: list[Array] = field(default_factory=list)
    scratch: list[Array] = field(default_factory=list)
    zeroed: list[str] = field(default_factory=list)
    lets: list[tuple[str, str]] = field(default_factory=list)
    requires: list[str] = field(default_factory=list)
    launches: list[Launch] = field(default_factory=list)


@dataclass
class Header:
    """A rung's header.

    Attributes:
        text: the paragraph: the idea, what it changes in memory traffic, what limits it now.
        improves: what falls against an earlier rung; None on a ladder's first.
        arch: the architecture that its instructions need.
        constants: the source's ``constexpr int`` at the file's scope.
        candidates: values of the template parameters to choose from.
        passes: "forward", and where there are any "dgrad" and "wgrad".
    """

    text: str = ""
    improves: Improvement | None = None
    arch: str = "sm_80"
    constants: dict[str, int] = field(default_factory=dict)
    candidates: list[dict[str, int]] = field(default_factory=list)
    passes: dict[str, Pass] = field(default_factory=dict)


_ENTRY = re.compile(r"// (takes|scratch|zero|let|requires|launch|improves|arch|candidate)(?: (\w+))?: (.*)")
_ARRAY = re.compile(r"(\w+)(?::(\w+))?\[([^\]]*)\]")
_LAUNCH = re.compile(r"(\w+)(?:<(.*?)>)?\((.*)\) grid (.*?) block (.*?)(?: shared (.*))?$")


def read(source: str, name: str) -> Header:
    """The header of a source. ValueError, with the line, for what does not follow the grammar."""
    header = Header()
    paragraph = []
    for number, line in _lines(source):
        if not (match := _ENTRY.fullmatch(line)):
            paragraph.append(line[2:].strip())
            continue
        try:
            _entry(header, match[1], match[2], match[3].strip())
        except (ValueError, SyntaxError) as error:
            raise ValueError(f"{name}:{number}: {error}") from None
    header.text = " ".join(" ".join(paragraph).split())
    for match in re.finditer(r"^constexpr int ([^;]*);", source, re.MULTILINE):
        for each in _split(match[1]):
            constant, _, value = each.partition(" = ")
            header.constants[constant] = int(evaluate(value, header.constants))
    if not header.passes or not all(each.launches for each in header.passes.values()):
        raise ValueError(f"{name}: a rung needs takes: and launch: for each of its passes")
    return header


def _lines(source: str) -> list[tuple[int, str]]:
    """The lines of the first comment with their numbers; one that is indented goes on with the one before."""
    found: list[tuple[int, str]] = []
    for number, line in enumerate(source.split("\n"), 1):
        if not line.startswith("//"):
            break
        if line.startswith("//   ") and found:
            found[-1] = found[-1][0], f"{found[-1][1]} {line[2:].strip()}"
        else:
            found.append((number, line))
    return found


def _entry(header: Header, key: str, label: str | None, text: str) -> None:
    if key == "improves":
        quantity, separator, unit = text.partition(" per ")
        if not separator:
            raise ValueError(f"improves: expected 'QUANTITY per UNIT [over NUMBER]', got {text!r}")
        unit, _, over = unit.partition(" over ")
        header.improves = Improvement(quantity.strip(), unit.strip(), int(over) if over else None)
    elif key == "arch":
        header.arch = text
    elif key == "candidate":
        header.candidates.append({k: int(v) for k, v in (each.split("=") for each in text.split())})
    else:
        _pass_entry(header.passes.setdefault(label or "forward", Pass()), key, text)


def _pass_entry(stage: Pass, key: str, text: str) -> None:
    if key == "takes":
        before, separator, after = text.partition("->")
        if not separator:
            raise ValueError(f"takes: expected 'INPUTS -> OUTPUTS', got {text!r}")
        stage.inputs, stage.outputs = _arrays(before), _arrays(after)
        rest = _ARRAY.sub("", before)
        stage.attributes = {k: int(v) for k, v in re.findall(r"(\w+)=(-?\d+)", rest)}
    elif key == "scratch":
        stage.scratch += _arrays(text)
    elif key == "zero":
        stage.zeroed += [each.strip() for each in text.split(",")]
    elif key == "let":
        name, _, expression = text.partition("=")
        stage.lets.append((name.strip(), expression.strip()))
    elif key == "requires":
        stage.requires.append(text)
    else:
        match = _LAUNCH.fullmatch(text)
        if match is None:
            raise ValueError(f"launch: expected 'KERNEL(ARGUMENTS) grid X, Y block X, Y [shared BYTES]', got {text!r}")
        kernel, template, arguments, grid, block, shared = match.groups()
        stage.launches.append(
            Launch(kernel, _split(template or ""), _split(arguments), _split(grid), _split(block), shared or "0")
        )


def _arrays(text: str) -> list[Array]:
    return [Array(name, dtype or "float32", _split(shape)) for name, dtype, shape in _ARRAY.findall(text)]


def _split(text: str) -> tuple[str, ...]:
    """Parts between the commas that stand in no brackets."""
    parts, depth = [""], 0
    for c in text:
        depth += (c in "([") - (c in ")]")
        if c == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += c
    return tuple(each.strip() for each in parts if each.strip())


_BINARY: dict[type, Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.floordiv,  # as C++ divides
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
}
_COMPARE: dict[type, Callable[[Any, Any], Any]] = {
    ast.Eq: operator.eq,
    ast.LtE: operator.le,
    ast.GtE: operator.ge,
    ast.Lt: operator.lt,
    ast.Gt: operator.gt,
}


def ceil(a: int, b: int) -> int:
    """``a / b``, rounded up."""
    return -(-a // b)


def pick(condition: bool, then: Any, otherwise: Any) -> Any:
    """One of two values."""
    return then if condition else otherwise


_FUNCTIONS: dict[str, Callable[..., Any]] = {"ceil": ceil, "min": min, "max": max, "pick": pick}


def evaluate(text: str, scope: Mapping[str, Any]) -> Any:
    """The value of an expression.

    It may hold names, whole numbers, ``+ - * / %``, comparisons, ``and``, and the functions ceil, min, max and pick.
    Raises ValueError for anything else, and for an unknown name.
    """
    return _value(ast.parse(text, mode="eval").body, scope, text)


def _value(node: ast.expr, scope: Mapping[str, Any], text: str) -> Any:
    def value(inner: ast.expr) -> Any:
        return _value(inner, scope, text)

    if isinstance(node, ast.Constant) and type(node.value) is int:
        return node.value
    if isinstance(node, ast.Name) and node.id in scope:
        return scope[node.id]
    if isinstance(node, ast.BinOp) and type(node.op) in _BINARY:
        return _BINARY[type(node.op)](value(node.left), value(node.right))
    if isinstance(node, ast.Compare) and len(node.ops) == 1 and type(node.ops[0]) in _COMPARE:
        return _COMPARE[type(node.ops[0])](value(node.left), value(node.comparators[0]))
    if isinstance(node, ast.BoolOp) and isinstance(node.op, ast.And):
        return all(value(each) for each in node.values)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and not node.keywords:
        function = _FUNCTIONS.get(node.func.id) or scope.get(node.func.id)
        if callable(function):
            return function(*(value(each) for each in node.args))
    name = f"unknown name {node.id}" if isinstance(node, ast.Name) else f"cannot evaluate {ast.unparse(node)}"
    raise ValueError(f"{name} in {text!r}")
