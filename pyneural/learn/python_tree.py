"""What is known of common mistakes in kernels in Python that show in a statement's structure, and in the arguments that
the lesson's launches give: their dimensions, types and sizes."""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from .exercise import Case, Remark

_COMPUTED = ast.Compare | ast.BinOp | ast.BoolOp | ast.UnaryOp | ast.Name | ast.Subscript


def remarks(text: str, cases: Sequence[Case] = (), doubles: bool = False) -> Iterator[Remark]:
    """Of a source that compiles; `doubles` says that its kernels are for arrays of float64 as well."""
    try:
        tree = ast.parse(text)
    except SyntaxError:
        return
    kernel = _Kernel(tree, cases)
    said: set[tuple[int, str]] = set()
    for node in ast.walk(tree):
        line = getattr(node, "lineno", 0)
        for says, look in (
            found for rule in (*_RULES, *([_rounded] if doubles else [])) for found in rule(node, kernel)
        ):
            if (line, says) not in said:
                said.add((line, says))
                yield Remark(says, look, line)


class _Kernel:
    """What rules ask of a source and of the arguments of its launches."""

    def __init__(self, tree: ast.Module, cases: Sequence[Case]) -> None:
        self.cases = cases
        self.functions = {each.name: each for each in ast.walk(tree) if isinstance(each, ast.FunctionDef)}
        self.below: dict[str, set[str]] = {}
        """The sizes that a name is compared with by `name < size`."""
        for each in ast.walk(tree):
            if isinstance(each, ast.Compare):
                sides = [each.left, *each.comparators]
                for op, left, right in zip(each.ops, sides[:-1], sides[1:], strict=True):
                    if isinstance(op, ast.Lt) and isinstance(left, ast.Name) and isinstance(right, ast.Name):
                        self.below.setdefault(left.id, set()).add(right.id)
        self.tiles = {
            each.targets[0].id: (kind, each.lineno, "shared" in ast.unparse(each.value))
            for each in ast.walk(tree)
            if isinstance(each, ast.Assign) and isinstance(each.targets[0], ast.Name) and (kind := _kind(each.value))
        }
        """The type of each shared or local array, its line, and whether it is shared."""
        self.stores = [each for each in ast.walk(tree) if isinstance(each, ast.Assign | ast.AugAssign)]
        self.tests = [each.test for each in ast.walk(tree) if isinstance(each, ast.While)]
        self.loops = [each for each in ast.walk(tree) if isinstance(each, ast.For | ast.While)]
        self.names = [each for each in ast.walk(tree) if isinstance(each, ast.Name) and isinstance(each.ctx, ast.Load)]
        self.atomics = [
            f"{ast.unparse(each.args[0])},"
            for each in ast.walk(tree)
            if isinstance(each, ast.Call) and ast.unparse(each.func).startswith("cuda.atomic.") and each.args
        ]
        self.stored = Counter(name for each in self.stores for name in _stored(each))
        self.local = {name for name, (_, _, shared) in self.tiles.items() if not shared}
        self.loads = [
            (each.value.id, each)
            for each in ast.walk(tree)
            if isinstance(each, ast.Subscript) and isinstance(each.ctx, ast.Load) and isinstance(each.value, ast.Name)
        ]

    def arrays(self, name: str, ndim: int) -> list[tuple[Case, Any]]:
        """The array of this name in each case, where it has so many dimensions."""
        found = [(case, case.arguments.get(name)) for case in self.cases]
        return [(case, each) for case, each in found if isinstance(each, np.ndarray) and each.ndim == ndim]

    def floating(self, name: str) -> bool:
        """Whether an array of the launch is of floating numbers."""
        return any(getattr(case.arguments.get(name), "dtype", np.dtype(int)).kind == "f" for case in self.cases)

    def is_size(self, name: str) -> bool:
        return any(isinstance(case.arguments.get(name), int | np.integer) for case in self.cases)

    def is_side(self, size: str, name: str, ndim: int, axis: int) -> bool:
        """Whether a size is this side of an array in all cases, and in some is no other side of it."""
        found = self.arrays(name, ndim) if self.is_size(size) else []
        sides = [(case.arguments.get(size), each.shape) for case, each in found]
        return bool(sides) and all(s == shape[axis] for s, shape in sides) and any(
            shape.count(s) == 1 for s, shape in sides
        )  # fmt: skip


def _kind(node: ast.expr) -> str:
    """The type of an array that `cuda.shared.array` or `cuda.local.array` makes."""
    if not isinstance(node, ast.Call) or not re.fullmatch(r"cuda\.(shared|local)\.array", ast.unparse(node.func)):
        return ""
    given = [*node.args[1:], *(each.value for each in node.keywords if each.arg == "dtype")]
    return ast.unparse(given[0]).rpartition(".")[2] if given else ""


def _range(node: ast.AST) -> list[ast.expr]:
    """What a loop's `range` is given."""
    if isinstance(node, ast.For) and isinstance(node.iter, ast.Call) and ast.unparse(node.iter.func) == "range":
        return node.iter.args
    return []


def _names(node: ast.AST) -> set[str]:
    return {each.id for each in ast.walk(node) if isinstance(each, ast.Name)}


def _subscripts(node: ast.AST) -> Iterator[tuple[str, list[ast.expr]]]:
    """Array and indices of every subscript of a name."""
    for each in ast.walk(node):
        if isinstance(each, ast.Subscript) and isinstance(each.value, ast.Name):
            yield each.value.id, each.slice.elts if isinstance(each.slice, ast.Tuple) else [each.slice]


def _not_kept(node: ast.AST, kernel: _Kernel) -> Iterator[tuple[str, str]]:
    if not isinstance(node, ast.Expr):
        return
    value = node.value
    called = ast.unparse(value.func) if isinstance(value, ast.Call) else ""
    if isinstance(value, ast.Attribute) and ast.unparse(value).startswith("cuda."):
        name = ast.unparse(value)
        yield f"`{name}` is not called here", f"the brackets of a call: `{name}()`"
    elif isinstance(value, _COMPUTED):
        yield "this changes nothing: what it computes is not kept", "an assignment: `=` or `+=`"
    elif re.match(r"cuda\.shfl\w*$", called):
        yield f"nothing takes the value of {called}", "a shuffle changes no variable: it only gives a value"
    elif re.match(r"(math\.\w+|max|min|abs|round|pow|int|float)$", called) or _gives(kernel.functions.get(called)):
        yield f"nothing takes the value of {called}", f"`{called}` changes no variable: it only gives a value"


def _given_away(node: ast.AST, kernel: _Kernel) -> Iterator[tuple[str, str]]:
    """`y = ...` for `y[i] = ...`."""
    targets = node.targets if isinstance(node, ast.Assign) else []
    for name in (each.id for each in targets if isinstance(each, ast.Name)):
        if any(isinstance(case.arguments.get(name), np.ndarray) for case in kernel.cases):
            says = f"this gives the name `{name}` another value, and stores nothing in the array"
            yield says, f"an index: `{name}[...] =` stores in an element"


def _gives(function: ast.FunctionDef | None) -> bool:
    """Whether a function returns something and stores nothing."""
    if function is None:
        return False
    nodes = [*ast.walk(function)]
    stores = any(isinstance(each, ast.Subscript) and isinstance(each.ctx, ast.Store) for each in nodes)
    return not stores and any(isinstance(each, ast.Return) and each.value is not None for each in nodes)


def _bits(node: ast.AST, kernel: _Kernel) -> Iterator[tuple[str, str]]:
    """`a < b & c < d`, which is a < (b & c) < d."""
    if not isinstance(node, ast.Compare) or len(node.ops) < 2:
        return
    for inner in node.comparators[:-1]:
        if isinstance(inner, ast.BinOp) and isinstance(inner.op, ast.BitAnd | ast.BitOr):
            sign, word = ("&", "and") if isinstance(inner.op, ast.BitAnd) else ("|", "or")
            says = f"`{ast.unparse(inner)}` is computed first here, and then compared"
            yield says, f"`{sign}` is of bits and binds more tightly than `<`: conditions are joined by `{word}`"


def _order_of_range(node: ast.AST, kernel: _Kernel) -> Iterator[tuple[str, str]]:
    given = [ast.unparse(each) for each in _range(node)]
    if len(given) == 3 and kernel.is_size(given[2]) and re.search(r"gridsize|blockDim|gridDim", given[1]):
        yield f"`{given[2]}` is the step of this range, and `{given[1]}` its end", "range takes start, stop and step"


def _last_one(node: ast.AST, kernel: _Kernel) -> Iterator[tuple[str, str]]:
    """`range(..., n - 1)` whose variable is an index as it is."""
    given = _range(node)
    if not given or not isinstance(node, ast.For) or not isinstance(node.target, ast.Name):
        return
    stop, name = given[min(1, len(given) - 1)], node.target.id
    sized = re.fullmatch(r"(\w+|len\(\w+\)|\w+\.(?:size|shape\[\d\])) - 1", ast.unparse(stop))
    indices = [index for _, each in _subscripts(node) for index in each]
    alone = any(isinstance(index, ast.Name) and index.id == name for index in indices)
    if sized and alone and not any(isinstance(index, ast.BinOp) and name in _names(index) for index in indices):
        last = f"{sized[1]} - 2"
        says = f"range ends before `{ast.unparse(stop)}`: the last `{name}` is at most {last}"
        yield says, f"the end of this range: an array of {sized[1]} has a place {sized[1]} - 1"


def _by_one(node: ast.AST, kernel: _Kernel) -> Iterator[tuple[str, str]]:
    """A tree's steps that do not halve."""
    given = [ast.unparse(each) for each in _range(node)]
    if len(given) != 3 or given[2] != "-1" or not isinstance(node, ast.For) or not isinstance(node.target, ast.Name):
        return
    name = node.target.id
    added = re.compile(rf"(\w+)\[(\w+)\] \+= \1\[(?:\2 \+ {name}|{name} \+ \2)\]")
    if any(added.fullmatch(ast.unparse(each)) for each in ast.walk(node) if isinstance(each, ast.AugAssign)):
        says = f"`{name}` goes down by 1 in each round of this range, and is not halved"
        yield says, f"how many elements are left after a step of the tree: a `while` loop with `{name} //= 2`"


def _rows_for_columns(node: ast.AST, kernel: _Kernel) -> Iterator[tuple[str, str]]:
    """`range(..., len(a))` for what is an index along a's rows."""
    given = _range(node)
    if not given or not isinstance(node, ast.For) or not isinstance(node.target, ast.Name):
        return
    match = re.fullmatch(r"len\((\w+)\)", ast.unparse(given[min(1, len(given) - 1)]))
    if not match or not (found := kernel.arrays(match[1], 2)):
        return
    along = [index for array, indices in _subscripts(node) if array == match[1] for index in indices[1:]]
    if any(node.target.id in _names(index) for index in along):
        case = found[0][0]
        sizes = [name for name in case.arguments if kernel.is_side(name, match[1], 2, 0)]
        shown = f", `{sizes[0]}`" if sizes else ""
        says = (
            f"`len({match[1]})` is the number of rows of `{match[1]}`{shown}, and `{node.target.id}` counts along one"
        )
        yield says, f"the length of a row: `{match[1]}.shape[1]`"


def _shape_turned(node: ast.AST, kernel: _Kernel) -> Iterator[tuple[str, str]]:
    """`width, height = x.shape`."""
    if not isinstance(node, ast.Assign) or not isinstance(node.targets[0], ast.Tuple):
        return
    match = re.fullmatch(r"(\w+)\.shape", ast.unparse(node.value))
    names = [ast.unparse(each) for each in node.targets[0].elts]
    if not match or len(names) != 2:
        return
    if kernel.is_side(names[0], match[1], 2, 1) and kernel.is_side(names[1], match[1], 2, 0):
        says = f"the shape of `{match[1]}` is ({names[1]}, {names[0]})"
        yield says, "the order of the names: a shape has the number of rows first"


def _indices_turned(node: ast.AST, kernel: _Kernel) -> Iterator[tuple[str, str]]:
    """`x[column, row]`, where the source itself compares column with the number of columns."""
    if not isinstance(node, ast.Subscript) or not isinstance(node.value, ast.Name):
        return
    (name, indices), *_ = _subscripts(node)
    if len(indices) != 2 or not all(isinstance(each, ast.Name) for each in indices):
        return
    first, second = (each.id for each in indices if isinstance(each, ast.Name))
    columns = [size for size in kernel.below.get(first, ()) if kernel.is_side(size, name, 2, 1)]
    rows = [size for size in kernel.below.get(second, ()) if kernel.is_side(size, name, 2, 0)]
    if columns and rows:
        says = f"`{name}` has `{rows[0]}` rows, and `{first}`, its first index here, goes up to `{columns[0]}`"
        yield says, "the order of the indices, of which the row's comes first; or, where that is right, the guard"


def _whole_tile(node: ast.AST, kernel: _Kernel) -> Iterator[tuple[str, str]]:
    """An array of whole numbers that floating ones are stored in."""
    if not isinstance(node, ast.Assign) or not isinstance(node.targets[0], ast.Name):
        return
    name = node.targets[0].id
    kind, line, _ = kernel.tiles.get(name, ("", 0, False))
    if line != node.lineno or not re.match(r"u?int", kind):
        return
    for store in kernel.stores:
        target = store.targets[0] if isinstance(store, ast.Assign) else store.target
        if not isinstance(target, ast.Subscript) or ast.unparse(target.value) != name:
            continue
        loaded = sorted({array for array, _ in _subscripts(store.value) if kernel.floating(array)})
        if loaded:
            says = f"`{name}` is of whole numbers, and those of `{loaded[0]}` lose their fractions in it"
            yield f"{says} (line {store.lineno})", f"the type of `{name}`: that of `{loaded[0]}` is float32"
            return


def _rounded_down(node: ast.AST, kernel: _Kernel) -> Iterator[tuple[str, str]]:
    """`x[i] // 2` of a floating number."""
    if not isinstance(node, ast.BinOp) or not isinstance(node.op, ast.FloorDiv):
        return
    if any(kernel.floating(array) for array, _ in _subscripts(node)):
        yield f"`{ast.unparse(node)}` is rounded down to a whole number", "`/` divides; `//` rounds down as well"


def _not_set(node: ast.AST, kernel: _Kernel) -> Iterator[tuple[str, str]]:
    """A thread's own array that is set in an `if` only, and read outside of it."""
    if not isinstance(node, ast.If) or node.orelse:
        return
    for own in sorted(kernel.local & _stored(node)):
        if kernel.stored[own] > sum(own in _stored(each) for each in ast.walk(node) if isinstance(each, _STORE)):
            continue
        inside = {id(each) for each in ast.walk(node)}
        line = next((each.lineno for name, each in kernel.loads if name == own and id(each) not in inside), 0)
        if line:
            says = f"`{own}` is set where `{ast.unparse(node.test)}` only, and read in any case (line {line})"
            yield says, "what its other places hold: an array of a thread begins with anything"


_STORE = (ast.Assign, ast.AugAssign)


def _stored(node: ast.AST) -> set[str]:
    """The arrays that are stored to in a node."""
    return {
        each.value.id
        for each in ast.walk(node)
        if isinstance(each, ast.Subscript) and isinstance(each.ctx, ast.Store) and isinstance(each.value, ast.Name)
    }


def _rounded(node: ast.AST, kernel: _Kernel) -> Iterator[tuple[str, str]]:
    """`float32(x[i])` where x may be of float64."""
    if not isinstance(node, ast.Call) or not re.fullmatch(r"(\w+\.)?float32", ast.unparse(node.func)):
        return
    if any(kernel.floating(array) for each in node.args for array, _ in _subscripts(each)):
        says = f"`{ast.unparse(node)}` rounds to float32, also where the array is of float64"
        yield says, "a value without a type of its own: it has that of the array"


def _fractions(node: ast.AST, kernel: _Kernel) -> Iterator[tuple[str, str]]:
    """`distance = distance / 2` in a loop that is to end with it."""
    target = node.targets[0] if isinstance(node, ast.Assign) else getattr(node, "target", None)
    if not isinstance(node, ast.Assign | ast.AugAssign) or not isinstance(target, ast.Name):
        return
    name, text = target.id, ast.unparse(node)
    halved = re.fullmatch(rf"{name} = {name} / [\w.]+|{name} /= [\w.]+", text)
    if halved and any(re.fullmatch(rf"{name} (> 0|>= 1)", ast.unparse(each)) for each in kernel.tests):
        yield f"`/` gives a fraction: `{name}` may be 0.5 in the next round", "`//`, which rounds down"


def _own_atomic(node: ast.AST, kernel: _Kernel) -> Iterator[tuple[str, str]]:
    """An atomic operation on an array that no other thread has."""
    if not isinstance(node, ast.Assign) or not isinstance(node.targets[0], ast.Name):
        return
    name = node.targets[0].id
    if name in kernel.local and any(each.startswith(f"{name},") for each in kernel.atomics):
        says = f"`{name}` is an array of each thread's own, and no other thread counts in it"
        yield says, "`cuda.shared.array`, which all threads of a block share"


def _begins_anew(node: ast.AST, kernel: _Kernel) -> Iterator[tuple[str, str]]:
    """A sum that is needed behind a loop, and set to 0 in each of its rounds."""
    if not isinstance(node, ast.Assign) or not isinstance(node.targets[0], ast.Name):
        return
    name = node.targets[0].id
    if not re.fullmatch(r"(?:\w*\.?float(?:32|64)|\w*\.?int(?:32|64))?\(?0(?:\.0?)?\)?", ast.unparse(node.value)):
        return
    for loop in kernel.loops:
        inner = [each for each in loop.body if isinstance(each, ast.For | ast.While)]
        added = any(isinstance(e, ast.AugAssign) and ast.unparse(e.target) == name for i in inner for e in ast.walk(i))
        used = [e for e in ast.walk(loop) if isinstance(e, ast.Name) and e.id == name and isinstance(e.ctx, ast.Load)]
        after = [e for e in kernel.names if e.id == name and e.lineno > (loop.end_lineno or 0)]
        if node in loop.body and added and not used and after:
            says = f"`{name}` begins anew in each round of the loop on line {loop.lineno}"
            yield says, f"what `{name}` is for: the last round's sum alone is left behind the loop"


_RULES: tuple[Callable[[ast.AST, _Kernel], Iterator[tuple[str, str]]], ...] = (
    _not_kept, _given_away, _bits, _order_of_range, _last_one, _by_one, _rows_for_columns, _shape_turned,
    _indices_turned, _whole_tile, _rounded_down, _not_set, _fractions,
    _own_atomic, _begins_anew,
)  # fmt: skip
"""Each yields what a node shows, and what to look at."""
