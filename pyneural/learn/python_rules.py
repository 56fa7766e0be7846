"""What is known of common mistakes in kernels in Python: remarks on lines, and what to look at for an error."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from pyneural import cuda

from .exercise import Remark

_TURNED = re.compile(
    r"((?:cuda\.)?threadIdx\.([xyz])\s*\*\s*(?:cuda\.)?blockDim\.\2)\s*\+\s*((?:cuda\.)?blockIdx\.\2)(?!\s*\*)"
)
_MASK = re.compile(r"(cuda\.shfl\w*_sync)\s*\(\s*\(?\s*(1\s*<<\s*[\w.]+)\s*\)?\s*,")
_STORED = re.compile(r"(\w+)\[(.+?)\]\s*[-+]?=\s*(cuda\.atomic\.\w+)\s*\(\s*(\w+)\s*,\s*(.+?)\s*,")

_ERRORS = (
    (r"an index must be whole numbers, not float", "`/` gives a fraction, also of whole numbers: `//` rounds down"),
    (r"shape of cuda\.\w+\.array", "a name at the top of the file that is a number: `SIZE = 32`"),
    (r"is not defined", "the name's spelling, and where it gets its value"),
    (r"plain function", "the line above its `def`"),
    (r"getitem does not take|setitem does not take", "the array's dimensions, and what stands in its brackets"),
    (r"does not take \(.*array", "a kernel computes with elements, and not with whole arrays: `x[i]`"),
    (r"getiter", "what the loop goes over: `range(...)`"),
    (r"[Uu]nsupported|not supported", "what a kernel may use: docs/simulator.md, \"Kernels of Numba's\""),
    (r"in one place and", "one name for two things: a variable has one type in a kernel, give each a name of its own"),
    (r"Numba compiles from Python|cannot be used in a kernel|cannot be translated", "what a kernel may use: "
     "docs/simulator.md, \"Kernels of Numba's\""),
    (r"has no \w+ in a kernel|has no attribute", "the name's spelling; what there is: docs/simulator.md, \"Kernels of "
     "Numba's\""),
    (r"invalid syntax|expected|indent", "this line and the one before it: colons, brackets and indentation"),
)  # fmt: skip


def compiler_look(message: str) -> str:
    """What to look at for an error of Numba's or Python's."""
    return next((look for pattern, look in _ERRORS if re.search(pattern, message)), "this line and the one before it")


def of_line(text: str) -> Iterator[tuple[str, str]]:
    """Mistakes that a line shows by itself."""
    if match := _TURNED.search(text):
        axis = match[2]
        yield (
            f"`{match[1]} + {match[3]}` lays the threads of a block far apart",
            f"which of the two is multiplied: {match[3]} blocks of cuda.blockDim.{axis} threads come before this one",
        )
    if match := _MASK.search(text):
        says = f"the mask of {match[1]}, `{match[2].strip()}`, names one lane only"
        yield says, "the mask: a lane gets values only of lanes that it names, and all lanes that come must be in it"
    if (match := _STORED.search(text)) and match[1] == match[4]:
        says = f"{match[3]} has stored its result already, and returns what was there before"
        yield says, f"what `{match[1]}[{match[2]}] =` stores after that"


def of_text(text: str) -> Iterator[Remark]:
    """Statements that do nothing, and names that hide what they were meant to be."""
    try:
        tree = ast.parse(text)
    except SyntaxError:
        return
    for node in ast.walk(tree):
        if not isinstance(node, ast.Expr):
            continue
        value, line = node.value, node.lineno
        called = ast.unparse(value.func) if isinstance(value, ast.Call) else ""
        if isinstance(value, ast.Attribute) and ast.unparse(value).startswith("cuda."):
            name = ast.unparse(value)
            yield Remark(f"`{name}` is not called here", f"the brackets of a call: `{name}()`", line)
        elif isinstance(value, ast.Compare | ast.BinOp | ast.BoolOp | ast.UnaryOp | ast.Name | ast.Subscript):
            yield Remark("this changes nothing: what it computes is not kept", "an assignment: `=` or `+=`", line)
        elif re.match(r"cuda\.shfl\w*$", called):
            says = f"nothing takes the value of {called}"
            yield Remark(says, "a shuffle changes no variable: it only gives a value", line)


_FAR = -(1 << 19)
"""An index below which nothing is sought but by a negative index that is made one out of bounds."""


def negative(report: cuda.Report, known: set[int]) -> Remark | None:
    """What to say of a launch in which a negative index was one out of bounds; `known` are lines that stray anyway."""
    strays = (each for each in report.findings if each.kind == "out_of_bounds" and each.line not in known)
    found = next((each for each in strays if each.array is None or (each.index or 0) < _FAR), None)
    if found is None:
        return None
    says = f"an index is negative here for {found.message.split(' of block')[0]}: it counts from the end of the array"
    return Remark(says, "the condition that keeps the index at 0 or above", found.line)
