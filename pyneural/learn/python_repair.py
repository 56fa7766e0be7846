"""`repair` for kernels in Python: the line on which one small change would make all results right.

The function is rebuilt once with all changes in it, as `other if pn_change == 3 else this`, and one more argument of
each launch says which of them it has.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from pyneural import cuda
from pyneural.cuda.numba_types import compiler, infer, plain, type_of

from .exercise import Case
from .language import PYTHON
from .python import names
from .repair import Change, Repair, first_of, written

CHANGE = "pn_change"
_OTHER: dict[type[ast.cmpop], tuple[type[ast.cmpop], str]] = {
    ast.Lt: (ast.LtE, "<"), ast.LtE: (ast.Lt, "<="), ast.Gt: (ast.GtE, ">"), ast.GtE: (ast.Gt, ">="),
}  # fmt: skip


def repair(
    path: Path, text: str, kernel: str, cases: list[Case], right: Callable[[Case, cuda.Kernel], bool]
) -> Repair | None:
    """The change after which `right` holds for every case; None where no small one is enough."""
    if any(case.kernel not in ("", kernel) for case in cases):
        return None
    space, values = names(path), tuple(cases[0].arguments.values())
    tree = ast.parse(text)
    function = next((n for n in tree.body if isinstance(n, ast.FunctionDef) and n.name == kernel), None)
    if function is None:
        return None
    changes = Changes(function, written(text, PYTHON), *whole(space, kernel, function, values))
    body = [changes.visit(each) for each in function.body]
    if not changes.made:
        return None
    function.body = body
    function.args.args.append(ast.arg(CHANGE))
    module = ast.fix_missing_locations(ast.Module([function], []))
    try:
        exec(compile(module, str(path), "exec"), space)
        launched = cuda.from_numba(space[kernel], (*values, 0))
    except cuda.CompileError:
        return None  # a name that cannot be exchanged: nothing is claimed

    def holds(case: Case, number: int) -> bool:
        return right(replace(case, arguments={**case.arguments, CHANGE: number}), launched)

    return first_of(changes.made, cases, holds)


def whole(
    space: Mapping[str, Any], kernel: str, function: ast.FunctionDef, values: tuple[Any, ...]
) -> tuple[list[str], dict[str, int]]:
    """Names of whole numbers: those from outside of the body, and variables with the first line that they have a value
    after."""
    types = compiler("types")
    typed = infer(space[kernel].py_func, tuple(type_of(value) for value in values))
    kinds = {name.split(".")[0]: plain(kind) for name, kind in typed.types.items() if not name.startswith("$")}
    numbers = {name for name, kind in kinds.items() if isinstance(kind, types.Integer)}
    parameters = [each.arg for each in function.args.args]
    constants = [name for name, value in space.items() if type(value) is int and not name.startswith("_")]
    first: dict[str, int] = {}
    for node in ast.walk(function):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store) and node.id in numbers:
            first[node.id] = min(first.get(node.id, node.lineno), node.lineno)
    return [*(name for name in parameters if name in numbers), *constants], first


class Changes(ast.NodeTransformer):
    """Puts all changes into a body, of lines that are the student's."""

    def __init__(self, function: ast.FunctionDef, lines: set[int], sizes: list[str], variables: dict[str, int]) -> None:
        self.lines = lines
        self.sizes = sizes
        self.variables = variables
        self.loops = [
            (each.iter, each.target.id)
            for each in ast.walk(function)
            if isinstance(each, ast.For) and isinstance(each.target, ast.Name)
        ]
        self.made: list[Change] = []

    def change(self, line: int, token: str) -> ast.expr:
        """The condition that this change is the one of the launch."""
        self.made.append(Change(line, token))
        return ast.Compare(ast.Name(CHANGE, ast.Load()), [ast.Eq()], [ast.Constant(len(self.made))])

    def visit_Compare(self, node: ast.Compare) -> ast.expr:
        changed = ast.Compare(self.visit(node.left), node.ops, [self.visit(each) for each in node.comparators])
        result: ast.expr = changed
        for k, op in enumerate(node.ops):
            if type(op) in _OTHER and node.lineno in self.lines:
                other, token = _OTHER[type(op)]
                ops = [*node.ops[:k], other(), *node.ops[k + 1 :]]
                test = self.change(node.lineno, token)
                result = ast.IfExp(test, ast.Compare(changed.left, ops, changed.comparators), result)
        return _placed(result, node)

    def visit_Name(self, node: ast.Name) -> ast.expr:
        if not isinstance(node.ctx, ast.Load) or node.lineno not in self.lines:
            return node
        result: ast.expr = node
        for other in self.kin(node):
            result = ast.IfExp(self.change(node.lineno, node.id), ast.Name(other, ast.Load()), result)
        return _placed(result, node)

    def kin(self, node: ast.Name) -> Iterator[str]:
        """What may stand in place of a name; a loop's own variable does not stand in its head."""
        own = {name for head, name in self.loops if any(node is each for each in ast.walk(head))}
        if node.id in self.sizes:
            yield from (each for each in self.sizes if each != node.id)
        elif node.id in self.variables:
            known = (name for name, line in self.variables.items() if line < node.lineno)
            yield from (each for each in known if each != node.id and each not in own)

    def visit_Call(self, node: ast.Call) -> ast.expr:
        """What an array of shared memory begins with must stay a constant."""
        if ast.unparse(node.func).endswith(".array"):
            return node
        node.args = [self.visit(each) for each in node.args]
        return node

    def visit_Attribute(self, node: ast.Attribute) -> ast.expr:
        return node

    def visit_AugAssign(self, node: ast.AugAssign) -> ast.AugAssign:
        node.value = self.visit(node.value)
        return node


def _placed(new: ast.expr, old: ast.expr) -> ast.expr:
    """At the line of what it stands for."""
    for node in ast.walk(new):
        if isinstance(node, ast.expr) and not hasattr(node, "lineno"):
            ast.copy_location(node, old)
    return new
