"""What rules read in a source beyond single lines: loops and borders in both languages, structure in Python."""

from __future__ import annotations

import numpy as np
import pytest

from pyneural.learn import loops, python_rules, python_tree, rules
from pyneural.learn.exercise import Case
from pyneural.learn.python_text import PythonSource
from pyneural.learn.text import Source

CASES = [
    Case(
        "",
        {"x": np.zeros((3, width), np.float32), "y": np.zeros((3, width), np.int32), "height": 3, "width": width},
        {},
        1,
        32,
    )
    for width in (5, 3)
]
TREE = "for half in range(64, 0, -1):\n    if t < half:\n        s[t] += s[t + half]"
OWN = "g = cuda.local.array(4, float32)\nfor e in range(4):\n    if e < width:\n        g[e] = 1\n    v += g[e]"
SUM = "for i in range(4):\n    v = 0\n    for j in range(4):\n        v += j\nz = v"
GUARDED = "if row < height and column < width:\n    "


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("max(a, b)", "nothing takes the value of max"),
        ("a = max(a, b)", ""),
        ("def f(v):\n    return v\nf(1)", "nothing takes the value of f"),
        ("def f(v):\n    v[0] = 1\nf(x)", ""),
        ("x = 2 * y[0]", "this gives the name `x` another value"),
        ("z = 2 * y[0]", ""),
        ("z = a < b & c < d", "`b & c` is computed first"),
        ("z = (a < b) & (c < d)", ""),
        ("for i in range(0, cuda.gridsize(1), width):\n    pass", "`width` is the step"),
        ("for i in range(0, width, cuda.gridsize(1)):\n    pass", ""),
        ("for i in range(0, width - 1, 2):\n    y[0, i] = 1", "range ends before `width - 1`"),
        ("for i in range(0, width - 1, 2):\n    y[0, i] = x[0, i + 1]", ""),
        (TREE, "goes down by 1"),
        (TREE.replace("t + half", "half"), ""),
        ("for j in range(len(x)):\n    v += x[0, j]", "`len(x)` is the number of rows of `x`, `height`"),
        ("for j in range(len(x)):\n    v += x[j, 0]", ""),
        ("width, height = x.shape", "the shape of `x` is (height, width)"),
        ("height, width = x.shape", ""),
        (GUARDED + "y[column, row] = 1", "`y` has `height` rows, and `column`"),
        (GUARDED + "y[row, column] = 1", ""),
        ("t = cuda.shared.array((3, 5), int32)\nt[a] = x[0, a]", "`t` is of whole numbers"),
        ("t = cuda.shared.array((3, 5), int32)\nt[a] = y[0, a]", ""),
        ("t = cuda.shared.array((3, 5), dtype=float32)\nt[a] = x[0, a]", ""),
        ("z = x[0, 0] // 2", "is rounded down"),
        ("z = y[0, 0] // 2", ""),
        ("while d > 0:\n    d = d / 2", "`d` may be 0.5"),
        ("while d > 0:\n    d /= 2", "`d` may be 0.5"),
        ("while d > 0:\n    d //= 2", ""),
        ("while d > e:\n    d /= 2", ""),
        ("c = cuda.local.array(4, int32)\ncuda.atomic.add(c, 0, 1)", "of each thread's own"),
        ("c = cuda.shared.array(4, int32)\ncuda.atomic.add(c, 0, 1)", ""),
        (SUM, "`v` begins anew in each round of the loop on line 1"),
        (SUM.replace("    v = 0\n", ""), ""),
        (SUM.replace("z = v", "z = 1"), ""),
        (SUM.replace("    v = 0\n", "    v = 0\n    y[0, i] = v\n"), ""),
        (OWN, "`g` is set where `e < width` only"),
        (OWN.replace("    v +=", "        v +="), ""),
        (OWN.replace("    v +=", "    else:\n        g[e] = 0\n    v +="), ""),
        (OWN.replace("for", "g[0] = g[1] = 0\nfor"), ""),
    ],
)
def test_rules_of_structure(text: str, says: str) -> None:
    found = [each.says for each in python_tree.remarks(text, CASES)]
    assert (len(found) == 1 and says in found[0]) if says else not found, found


def test_single_precision_is_told_where_kernels_are_for_both() -> None:
    text = "z = float32(x[0, 0])\nz = float32(0)"
    assert not list(python_tree.remarks(text, CASES))
    (found,) = python_tree.remarks(text, CASES, doubles=True)
    assert (found.line, "rounds to float32" in found.says) == (1, True)


@pytest.mark.parametrize(
    ("message", "line", "look"),
    [
        ("error: an index must be whole numbers, not float64", 2, "`half = n / 2` (line 1)"),
        ("error: getitem does not take (array(float32, 1d, C), UniTuple(int64 x 2))", 4, "`i = cuda.grid(2)` (line 3)"),
        ("error: y is an array of int32 in one place and int64 in another", 2, "another value (line 5)"),
        ("error: y is int64 in one place and float64 in another", 2, "one type in a kernel"),
        ("error: this calls a function that Numba compiles from Python", 6, "`cuda.shared.array`"),
        ("error: not enough values to unpack (expected 3, got 2)", 7, "two arguments of an atomic"),
        ("error: not enough values to unpack (expected 3, got 2)", 1, "this line and the one before it"),
        ("error: expected ':'", 1, "colons"),
    ],
)
def test_errors_are_explained_by_the_source(message: str, line: int, look: str) -> None:
    source = PythonSource(
        "half = n / 2\n"
        "y[half] = 1\n"
        "i = cuda.grid(2)\n"
        "y[i] = x[i]\n"
        "y = 2 * n\n"
        "z = np.zeros(4)\n"
        "cuda.atomic.add(y[0], 1)\n"
    )
    assert look in python_rules.compiler_look(message, source, line)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("i = {0}blockIdx.x + {0}threadIdx.x", "one element apart"),
        ("i = {0}blockIdx.x * {0}blockDim.x + {0}threadIdx.x", ""),
        ("i = 2 * {0}blockIdx.x + {0}threadIdx.x", ""),
        ("i =+ n", "`=+` stores"),
        ("i += n", ""),
        ("i = +n", ""),
    ],
)
def test_rules_of_lines_in_both_languages(text: str, says: str) -> None:
    for source in (Source(text.format("")), PythonSource(text.format("cuda."))):
        found = [each.says for each in rules.remarks(source, [])]
        assert (len(found) == 1 and says in found[0]) if says else not found, found


CPP = "constexpr int STEP = 16;\nfor (int first = {}; first < k; first += {}) {{\n  int b = {};\n}}"
PYTHON = "STEP, SIDE = 16, 3\nfor first in range({}, k, {}):\n    b = {}"


@pytest.mark.parametrize(
    ("start", "step", "text", "says"),
    [
        ("0", "STEP", "first % 2", "always 0"),
        ("1", "STEP", "first % 2", "always 1"),
        ("0", "16", "t + first % 8", "always 0"),
        ("0", "STEP", "first % 3", ""),
        ("0", "STEP", "first / STEP % 2", ""),
        ("0", "STEP", "k * first % 2", ""),
        ("t", "STEP", "first % 2", ""),
        ("0", "n", "first % 2", ""),
    ],
)
def test_a_remainder_that_never_changes(start: str, step: str, text: str, says: str) -> None:
    for source in (Source(CPP.format(start, step, text)), PythonSource(PYTHON.format(start, step, text))):
        found = list(loops.remarks(source))
        assert ([each.line for each in found], says in str(found)) == ([3] if says else [], True)


ONLINE = """float most = -1, sum = 0;
for (int i = 0; i < n; i++) {
  float higher = fmaxf(most, x[i]);
  sum += expf(x[i] - higher);
  most = higher;
}"""


@pytest.mark.parametrize(
    ("right", "wrong", "line"),
    [
        ("", "", 4),
        ("  sum +=", "  sum *= expf(most - higher);\n  sum +=", 0),
        ("sum += expf(x[i] - higher)", "sum = sum * expf(most - higher) + expf(x[i] - higher)", 0),
        ("  float higher", "  sum = 0;\n  float higher", 0),
        ("fmaxf(most, x[i])", "x[0]", 0),
        ("  most = higher;\n", "", 0),
    ],
)
def test_a_sum_measured_from_what_grows(right: str, wrong: str, line: int) -> None:
    found = list(loops.remarks(Source(ONLINE.replace(right, wrong, 1) if right else ONLINE)))
    assert [each.line for each in found] == ([line] if line else [])


def test_the_nearest_place_within_is_told() -> None:
    text = "int r = min(max(i - 1, 0), n - 1);"
    (found,) = loops.remarks(Source(text))
    assert "`min(max(i - 1, 0), n - 1)` makes of a place outside" in found.says
    assert not list(loops.remarks(Source(f"{text}\nif (i - 1 >= 0) y[i] = x[r];")))
