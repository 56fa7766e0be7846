"""What is known of common mistakes in kernels in Python: remarks on lines, and what to look at for an error."""

from __future__ import annotations

import re
from collections.abc import Iterator

from pyneural import cuda

from .exercise import Remark
from .python_text import PythonSource

_TURNED = re.compile(
    r"((?:cuda\.)?threadIdx\.([xyz])\s*\*\s*(?:cuda\.)?blockDim\.\2)\s*\+\s*((?:cuda\.)?blockIdx\.\2)(?!\s*\*)"
)
_MASK = re.compile(r"(cuda\.shfl\w*_sync)\s*\(\s*\(?\s*(1\s*<<\s*[\w.]+)\s*\)?\s*,")
_STORED = re.compile(r"(\w+)\[(.+?)\]\s*[-+]?=\s*(cuda\.atomic\.\w+)\s*\(\s*(\w+)\s*,\s*(.+?)\s*,")

_ERRORS = (
    (r"shape of cuda\.\w+\.array", "a name at the top of the file that is a number: `SIZE = 32`"),
    (r"returns nothing", "an array for results: `y[i] = ...` in the place of `return ...`"),
    (r"by itself|for the CPU|takes the number of|takes a type", "this line"),
    (r"is not defined", "the name's spelling, and where it gets its value"),
    (r"plain function", "the line above its `def`"),
    (r"xor does not take \(.*float", "`^` is the exclusive or of bits: a power is `**`"),
    (r"shfl\w*: missing", "the mask of lanes, which comes first: `cuda.shfl_down_sync(0xFFFFFFFF, value, distance)`"),
    (r"unpack Dim3", "the parts of it, one by one: `cuda.threadIdx.x`, `cuda.threadIdx.y`"),
    (r"NumPy function 'numpy\.(?:abs|sin|cos|tan|exp|log|sqrt|floor|ceil|tanh)\w*'", "NumPy's functions are for "
     "arrays: of one number `math.exp`, `math.sqrt` and their like"),
    (r"\w+ of \w*Tuple\(.* cannot be translated", "tuples are compared place after place: compare each number by "
     "itself"),
    (r"matmul does not take|getitem does not take \(array.*slice|mul does not take \(.*array", "a kernel computes with "
     "elements, and not with whole arrays or slices: a loop over `x[i]`, or one element for each thread"),
    (r"getitem does not take|setitem does not take", "the array's dimensions, and what stands in its brackets"),
    (r"does not take \(.*array", "a kernel computes with elements, and not with whole arrays: `x[i]`; one of two "
     "dimensions has two numbers in its brackets"),
    (r"a string", "a number in its place: `math.inf`, `-math.inf`"),
    (r"getiter", "what the loop goes over: `range(...)`"),
    (r"[Uu]nsupported|not supported", "what a kernel may use: docs/simulator.md, \"Kernels of Numba's\""),
    (r"in one place and", "one name for two things: a variable has one type in a kernel, give each a name of its own"),
    (r"Numba compiles from Python|cannot be used in a kernel|cannot be translated", "what a kernel may use: "
     "docs/simulator.md, \"Kernels of Numba's\""),
    (r"has no \w+ in a kernel|has no attribute", "the name's spelling; what there is: docs/simulator.md, \"Kernels of "
     "Numba's\""),
    (r"invalid syntax|expected ['\"]|expected an? |indent|never closed|unmatched", "this line and the one before it: "
     "colons, brackets and indentation"),
)  # fmt: skip
_CALLED = (
    (r"\bnp\.(?:zeros|empty|ones|full|array)\w*\(", "a kernel makes no NumPy arrays: `cuda.shared.array` is memory of "
     "the block, `cuda.local.array` of the thread"),
    (r"\[[^\[\]]*:[^\[\]]*\]", "a kernel has no slices, and no functions of them: a loop over the elements"),
    (r"\bcuda\.atomic\.\w+\(\s*\w+\[", "array and index are two arguments of an atomic: `cuda.atomic.add(x, i, "
     "value)`"),
)  # fmt: skip
"""What to look at where Numba says little, by what is called on the line."""
_SAYS_LITTLE = re.compile(r"Numba compiles from Python|values to unpack")


def compiler_look(message: str, source: PythonSource | None = None, line: int = 0) -> str:
    """What to look at for an error of Numba's or Python's on a line."""
    source = source or PythonSource("")
    if _SAYS_LITTLE.search(message):
        for pattern, look in _CALLED:
            if re.search(pattern, source.line(line)):
                return look
    if "an index must be whole numbers, not float" in message:
        return f"`/` gives a fraction, also of whole numbers: `//` rounds down{_fractions(source, line)}"
    if match := re.search(r"item does not take \(array\(\w+, (\d)d.*Tuple\(\w+ x (\d)\)", message):
        return _dimensions(source, line, int(match[1]), int(match[2]))
    match = re.search(r"\b(\w+) is (?:an array of \w+ in one place and|\w+ in one place and an array)", message)
    if match and (lines := source.given(match[1])):
        place = f" (line {', '.join(map(str, lines))})"
        return f"`{match[1]} =` gives the name another value{place}: `{match[1]}[0] =` stores in the array"
    return next((look for pattern, look in _ERRORS if re.search(pattern, message)), "this line and the one before it")


def _fractions(source: PythonSource, line: int) -> str:
    """Where the names in the indices of a line get a fraction."""
    words = {word for _, index in source.indices(line) for word in re.findall(r"[A-Za-z_]\w*", index)}
    given = re.compile(rf"\b({'|'.join(sorted(words)) or '(?!)'})\s*(?:/=|=(?!=).*[^/]/[^/])")
    found = [f"`{text.strip()}` (line {number})" for number, text in source.numbered() if given.search(text)]
    return f": {', '.join(found)}" if found else ""


def _dimensions(source: PythonSource, line: int, dimensions: int, given: int) -> str:
    """For an index of too many numbers, or too few."""
    look = f"the array's dimensions: {dimensions}, and {given} numbers in its brackets"
    for _, index in source.indices(line):
        for setting in source.settings(index, line):
            if f"cuda.grid({given})" in setting.value:
                return f"{look}: {setting} gives {given}, and cuda.grid({dimensions}) gives {dimensions}"
    return look


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
