"""CUDA C++ for one function of Numba's: a statement for each typed instruction, at the line of the Python source.

Numba's instructions are jumps between blocks, and so is the C++: what a `for` or an `and` means was decided by Numba.
"""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING, Any, NamedTuple

from . import numba_names as names
from .errors import CompileError, Diagnostic
from .numba_names import SPACE
from .numba_types import Typed, compiler, plain

if TYPE_CHECKING:
    from .from_numba import Program


class Block(NamedTuple):
    """An array whose name and shape the C++ knows: shared, local, or a kernel's parameter."""

    name: str
    shape: tuple[str, ...]
    """Its sides in C++."""
    nested: bool
    """Whether it is indexed as `name[i][j]`, and not as one dimension."""


class Row(NamedTuple):
    """A line of C++ and the line of Python that it comes from."""

    text: str
    line: int


class Writer:
    """Writes one function for arguments of given types."""

    def __init__(self, program: Program, typed: Typed, name: str, kernel: bool) -> None:
        self.ir, self.numba = compiler("ir"), compiler("types")
        self.program = program
        self.typed = typed
        self.name = name
        self.kernel = kernel
        self.file, self.line = typed.function.__code__.co_filename, typed.function.__code__.co_firstlineno
        self.rows: list[Row] = []
        self.declared: list[Row] = []
        self.used: dict[str, str] = {}
        self.taken: set[str] = set()
        self.blocks: dict[str, Block] = {}
        self.dims: dict[str, str] = {}
        self.definitions: dict[str, list[Any]] = {}
        for block in typed.ir.blocks.values():
            for each in block.find_insts(self.ir.Assign):
                self.definitions.setdefault(each.target.name, []).append(each.value)

    def refuse(self, message: str) -> CompileError:
        return CompileError([Diagnostic(self.file, self.line, 1, f"error: {message}")])

    # Names, types, values
    def variable(self, name: str) -> str:
        if name not in self.used:
            wanted = names.identifier(name)
            while wanted in self.taken:
                wanted += "_"
            self.taken.add(wanted)
            self.used[name] = wanted
            kind = self.type(name)
            if self.has_value(kind):
                self.declared.append(Row(f"{self.program.cpp(kind, self)} {wanted}{{}};", self.line))
        return self.used[name]

    def type(self, name: str) -> Any:
        return plain(self.typed.types[name])

    def has_value(self, kind: Any) -> bool:
        """Whether there is something at run time: modules, functions and types are known by their type alone."""
        types = self.numba
        return isinstance(
            kind,
            types.Number | types.Boolean | types.BaseTuple | types.Array | types.RangeType | types.RangeIteratorType
            | types.Pair | types.UniTupleIter,
        )  # fmt: skip

    def only(self, name: str) -> Any:
        """The one value that a variable is ever given; None where there are several."""
        found = self.definitions.get(name, [])
        return found[0] if len(found) == 1 else None

    def constant(self, name: str) -> Any:
        """The number that a variable always is, or None."""
        value = self.only(name)
        if isinstance(value, self.ir.Var):
            return self.constant(value.name)
        if isinstance(value, self.ir.Const | self.ir.Global | self.ir.FreeVar):
            import numpy as np

            return value.value if isinstance(value.value, bool | int | float | np.number | np.bool_) else None
        return None

    def value(self, var: Any) -> str:
        name = var.name
        if isinstance(self.typed.types[name], self.numba.Omitted | self.numba.NoneType):
            return f"{SPACE}::Nothing{{}}"
        constant = self.constant(name)
        if constant is not None:
            return names.literal(constant, self.type(name))
        if (block := self.block(name)) is not None:
            return self.view(block, self.type(name))
        if not self.has_value(self.type(name)):
            text = isinstance(self.type(name), self.numba.UnicodeType)
            raise self.refuse(f"{'a string' if text else self.said(var)} is no value that a kernel can keep")
        return self.variable(name)

    def said(self, var: Any) -> str:
        """A variable as the user knows it."""
        return "this" if var.name.startswith("$") else var.name.split(".")[0]

    def view(self, block: Block, kind: Any) -> str:
        element, dims = self.program.cpp(kind.dtype, self), kind.ndim
        start = f"({element}*){block.name}" if block.nested else block.name
        return f"{SPACE}::View<{element}, {dims}>{{{start}, {{{', '.join(block.shape)}}}}}"

    def block(self, name: str) -> Block | None:
        """The array that a variable always is."""
        value = self.only(name)
        if isinstance(value, self.ir.Var):
            return self.block(value.name)
        return self.blocks.get(name)

    def cast(self, text: str, source: Any, target: Any) -> str:
        source, target = plain(source), plain(target)
        if source == target:
            return text
        types = self.numba
        if isinstance(source, types.Number | types.Boolean) and isinstance(target, types.Number | types.Boolean):
            kind = self.program.cpp(target, self)
            if "float16" in (str(source), str(target)):
                return f"{kind}(float({text}))" if str(target) == "float16" else f"(({kind})(float({text})))"
            return f"(({kind}){text})"
        if isinstance(source, types.BaseTuple) and isinstance(target, types.BaseTuple) and len(source) == len(target):
            parts = [
                self.cast(self.element(text, source, k), source.types[k], target.types[k]) for k in range(len(source))
            ]
            return self.program.tuple_of(target, parts, self)
        if isinstance(source, types.Array) and isinstance(target, types.Array):
            return text
        raise self.refuse(f"{source} cannot become {target} here")

    def element(self, text: str, kind: Any, k: int) -> str:
        return f"{text}.v[{k}]" if isinstance(kind, self.numba.UniTuple) else f"{text}.f{k}"

    # Statements
    def write(self) -> list[Row]:
        """The function's lines."""
        head = self.head()
        for label, block in sorted(self.typed.ir.blocks.items()):
            self.rows.append(Row(f"L{label}:;", self.line))
            for statement in block.body:
                self.line = statement.loc.line
                self.statement(statement)
        first = self.typed.function.__code__.co_firstlineno
        return [*(Row(text, first) for text in head), *self.declared, *self.rows, Row("}", self.line)]

    def head(self) -> list[str]:
        arguments = self.typed.ir.arg_names
        kinds = [plain(self.typed.types[f"arg.{name}"]) for name in arguments]
        parameters = []
        for name, kind in zip(arguments, kinds, strict=True):
            own = names.identifier(name)
            self.taken.add(own)
            if self.kernel and isinstance(kind, self.numba.Array):
                sides = tuple(f"{own}_n{k}" for k in range(kind.ndim))
                self.taken.update(sides)
                parameters += [f"{self.program.cpp(kind.dtype, self)}* {own}", *(f"long long {each}" for each in sides)]
                self.blocks[name] = Block(own, sides, False)
            else:
                parameters.append(f"{self.program.cpp(kind, self)} {own}")
                self.used.setdefault(name, own)
            if len(self.definitions.get(name, [])) > 1 and self.kernel and isinstance(kind, self.numba.Array):
                raise self.refuse(f"{name} is an array of the launch and cannot be given another value")
        qualifier = (
            "__global__ void" if self.kernel else f"static __device__ {self.program.cpp(self.typed.result, self)}"
        )
        return [f"{qualifier} {self.name}({', '.join(parameters)}) {{"]

    def statement(self, s: Any) -> None:
        ir = self.ir
        if isinstance(s, ir.Assign):
            self.assign(s)
        elif isinstance(s, ir.SetItem | ir.StaticSetItem):
            index = s.index if isinstance(s, ir.SetItem) else s.index_var
            kind = self.type(s.target.name)
            if not isinstance(kind, self.numba.Array):
                raise self.refuse(f"nothing can be stored in {self.said(s.target)}, which is {kind}")
            place = self.place(s.target, index)
            self.emit(f"{place} = {self.cast(self.value(s.value), self.type(s.value.name), kind.dtype)};")
        elif isinstance(s, ir.Branch):
            test = self.cast(self.value(s.cond), self.type(s.cond.name), self.numba.boolean)
            self.emit(f"if ({test}) goto L{s.truebr}; else goto L{s.falsebr};")
        elif isinstance(s, ir.Jump):
            self.emit(f"goto L{s.target};")
        elif isinstance(s, ir.Return):
            empty = self.kernel or isinstance(self.typed.result, self.numba.NoneType)
            value = "" if empty else self.cast(self.value(s.value), self.type(s.value.name), self.typed.result)
            self.emit(f"return {value};" if self.kernel or not empty else f"return {SPACE}::Nothing{{}};")
        elif isinstance(s, ir.Print):
            self.print(s)
        elif isinstance(s, ir.StaticRaise | ir.Raise | ir.DynamicRaise | ir.StaticTryRaise):
            self.emit("__trap();")
        elif not isinstance(s, ir.Del | ir.PopBlock):
            raise self.refuse(f"`{type(s).__name__}` cannot be translated")

    def emit(self, text: str) -> None:
        self.rows.append(Row(text, self.line))

    def assign(self, s: Any) -> None:
        ir, target, value = self.ir, s.target.name, s.value
        kind = self.type(target)
        if isinstance(value, ir.Arg):
            if value.name in self.blocks:
                self.blocks[target] = self.blocks[value.name]
            elif target != value.name and self.has_value(kind):
                self.emit(f"{self.variable(target)} = {self.used[value.name]};")
        elif isinstance(value, ir.Const | ir.Global | ir.FreeVar):
            if self.has_value(kind) and self.constant(target) is None:
                self.emit(f"{self.variable(target)} = {self.program.constant(value.value, kind, self)};")
        elif isinstance(value, ir.Var):
            self.copy(target, value, kind)
        elif isinstance(value, ir.Expr):
            text = self.expression(value, s.target)
            if text and self.has_value(kind):
                self.emit(f"{self.variable(target)} = {text};")
            elif text:
                self.emit(f"{text};")
        else:
            raise self.refuse(f"`{type(value).__name__}` cannot be translated")

    def copy(self, target: str, value: Any, kind: Any) -> None:
        if value.name in self.dims:
            self.dims[target] = self.dims[value.name]
        if not self.has_value(kind) or self.constant(target) is not None or self.block(target) is not None:
            return
        self.emit(f"{self.variable(target)} = {self.cast(self.value(value), self.type(value.name), kind)};")

    def print(self, s: Any) -> None:
        formats, values = [], []
        for number, each in enumerate(s.args):
            constant = s.consts.get(number)
            kind = self.type(each.name)
            if isinstance(constant, str):
                formats.append(constant.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%"))
            elif isinstance(kind, self.numba.Integer | self.numba.Boolean):
                formats.append("%lld")
                values.append(f"(long long){self.value(each)}")
            elif isinstance(kind, self.numba.Float):
                formats.append("%f")
                values.append(f"(double){self.value(each)}")
            else:
                raise self.refuse(f"print takes numbers and constant strings in a kernel, not {kind}")
        self.emit(f'printf("{" ".join(formats)}\\n"{"".join(f", {each}" for each in values)});')

    # Expressions
    def expression(self, e: Any, target: Any) -> str:
        method = getattr(self, f"_{e.op}", None)
        if method is None:
            raise self.refuse(_UNKNOWN.get(e.op, f"`{e.op}` cannot be translated"))
        return str(method(e, target))

    def _binop(self, e: Any, target: Any) -> str:
        return self.operation(e, e.immutable_fn if e.op == "inplace_binop" else e.fn, (e.lhs, e.rhs))

    _inplace_binop = _binop

    def _unary(self, e: Any, target: Any) -> str:
        return self.operation(e, e.fn, (e.value,))

    def operation(self, e: Any, function: Any, operands: tuple[Any, ...]) -> str:
        types = self.numba
        kinds = [self.type(each.name) for each in operands]
        if function in (operator.is_, operator.is_not) or types.none in kinds:
            same = all(kind == types.none for kind in kinds)
            return "true" if same == (function in (operator.is_, operator.eq)) else "false"
        signature = self.typed.calls[e]
        if function not in names.OPERATORS or not all(isinstance(k, types.Number | types.Boolean) for k in kinds):
            sign = getattr(function, "__name__", str(function))
            raise self.refuse(f"{sign} of {' and '.join(str(kind) for kind in kinds)} cannot be translated")
        values = [self.cast(self.value(v), k, t) for v, k, t in zip(operands, kinds, signature.args, strict=True)]
        sides = [plain(each) for each in signature.args]
        signed = [each.signed for each in sides if isinstance(each, types.Integer)]
        if function in names.COMPARISONS and len(set(signed)) == 2:
            return f"({SPACE}::compare({values[0]}, {values[1]}) {names.COMPARISONS[function]} 0)"
        result = plain(signature.return_type)
        # In the type of the result, as Numba does; -x and ~x are computed in their operand's.
        if len(values) == 2 and function not in (*names.COMPARISONS, operator.pow) and str(result) != "float16":
            values = [self.cast(v, k, result) for v, k in zip(values, sides, strict=True)]
        kind = self.program.cpp(result, self)
        return f"(({kind}){names.OPERATORS[function].format(*values)})"

    def _getattr(self, e: Any, target: Any) -> str:
        types = self.numba
        owner, kind = self.type(e.value.name), self.type(target.name)
        if isinstance(owner, types.Module):
            if type(kind).__name__ == "Dim3":
                self.dims[target.name] = e.attr
                return ""
            if not self.has_value(kind):
                return ""
            special = {"laneid": f"{SPACE}::lane()", "warpsize": "32"}.get(e.attr)
            return special or names.literal(getattr(owner.pymod, e.attr), kind)
        if e.value.name in self.dims:
            return f"(int){self.dims[e.value.name]}.{e.attr}"
        if isinstance(owner, types.Array):
            return self.of_array(e, owner)
        if not self.has_value(kind):
            return ""
        raise self.refuse(f"the attribute {e.attr} of {owner} cannot be translated")

    def of_array(self, e: Any, owner: Any) -> str:
        sides = self.sides(e.value)
        if e.attr == "shape":
            return self.program.tuple_of(self.numba.UniTuple(self.numba.intp, owner.ndim), list(sides), self)
        if e.attr in ("size", "nbytes"):
            product = " * ".join(sides) or "1ll"
            return f"({product})" if e.attr == "size" else f"({product} * {owner.dtype.bitwidth // 8})"
        if e.attr in ("ndim", "itemsize"):
            return f"{owner.ndim if e.attr == 'ndim' else owner.dtype.bitwidth // 8}ll"
        if e.attr == "dtype":
            return ""
        raise self.refuse(f"the attribute {e.attr} of an array cannot be translated; shape, size, ndim and dtype can")

    def sides(self, array: Any) -> tuple[str, ...]:
        if (block := self.block(array.name)) is not None:
            return block.shape
        return tuple(f"{self.variable(array.name)}.n[{k}]" for k in range(self.type(array.name).ndim))

    def _getitem(self, e: Any, target: Any) -> str:
        kind = self.type(e.value.name)
        if isinstance(kind, self.numba.UniTuple):
            return f"{self.value(e.value)}.v[{self.wrapped(e.index, f'{len(kind)}ll')}]"
        if isinstance(kind, self.numba.Array):
            return self.place(e.value, e.index)
        raise self.refuse(f"an element of {kind} cannot be translated")

    def _static_getitem(self, e: Any, target: Any) -> str:
        kind = self.type(e.value.name)
        if isinstance(kind, self.numba.BaseTuple):
            if not isinstance(e.index, int):
                raise self.refuse("a slice of a tuple cannot be translated")
            return self.element(self.value(e.value), kind, e.index % len(kind))
        return self._getitem(e.value and _Item(e.value, e.index_var), target)

    _typed_getitem = _getitem

    def place(self, array: Any, index: Any) -> str:
        """An element of an array, as C++ that can be read and assigned; or a part of it with fewer dimensions."""
        kind, sides = self.type(array.name), self.sides(array)
        if index is None:  # the first element
            return f"{self.view(first, kind) if (first := self.block(array.name)) else self.value(array)}.p[0]"
        indices = self.indices(index)
        if len(indices) > kind.ndim:
            raise self.refuse(f"{self.said(array)} has {kind.ndim} dimensions, and not {len(indices)}")
        at = [self.wrapped(each, side) for each, side in zip(indices, sides, strict=False)]
        block = self.block(array.name)
        if block and block.nested and len(at) == kind.ndim:
            return f"{block.name}{''.join(f'[{each}]' for each in at)}"
        text = at[0] if at else "0"
        for each, side in zip([*at[1:], *(["0"] * (kind.ndim - len(at)))], sides[1:], strict=True):
            text = f"({text}) * {side} + {each}"
        start = block.name if block and not block.nested else f"{self.value(array)}.p"
        if len(at) == kind.ndim:
            return f"{start}[{text}]"
        element, left = self.program.cpp(kind.dtype, self), kind.ndim - len(at)
        return f"{SPACE}::View<{element}, {left}>{{{start} + ({text}), {{{', '.join(sides[len(at) :])}}}}}"

    def indices(self, index: Any) -> list[Any]:
        """The indices, each as a variable or as C++ with its type."""
        kind = self.type(index.name)
        if isinstance(kind, self.numba.Integer | self.numba.Boolean):
            return [index]
        if isinstance(kind, self.numba.BaseTuple) and all(isinstance(k, self.numba.Integer) for k in kind.types):
            value = self.only(index.name)
            while isinstance(value, self.ir.Var):
                value = self.only(value.name)
            if isinstance(value, self.ir.Expr) and value.op == "build_tuple":
                return list(value.items)
            return [(self.element(self.value(index), kind, k), kind.types[k]) for k in range(len(kind))]
        what = "a slice: write a loop over its elements" if "slice" in str(kind) else str(kind)
        raise self.refuse(f"an index must be whole numbers, not {what}")

    def wrapped(self, index: Any, side: str) -> str:
        """An index that counts from the end where it is negative, and may be so."""
        if isinstance(index, tuple):
            text, kind, constant = *index, None
        else:
            kind, constant = self.type(index.name), self.constant(index.name)
            text = self.value(index)
        if constant is not None and constant >= 0:
            return str(int(constant))
        if not getattr(kind, "signed", False):
            return str(text)
        return f"{SPACE}::at({text}, {side})"

    def _build_tuple(self, e: Any, target: Any) -> str:
        kind = self.type(target.name)
        if all(self.has_value(each) for each in kind.types):
            parts = [
                self.cast(self.value(item), self.type(item.name), each)
                for item, each in zip(e.items, kind.types, strict=True)
            ]
            return self.program.tuple_of(kind, parts, self)
        raise self.refuse("a tuple in a kernel has numbers, arrays and tuples only")

    def _exhaust_iter(self, e: Any, target: Any) -> str:
        if not isinstance(self.type(e.value.name), self.numba.BaseTuple):
            raise self.refuse("only a tuple can be taken apart")
        return str(self.value(e.value))

    def _getiter(self, e: Any, target: Any) -> str:
        kind = self.type(e.value.name)
        if not isinstance(kind, self.numba.RangeType | self.numba.UniTuple):
            raise self.refuse(f"a loop over {kind} cannot be translated: write `for i in range(...)`")
        return f"{SPACE}::iterator({self.value(e.value)})"

    def _iternext(self, e: Any, target: Any) -> str:
        return f"{SPACE}::next({self.variable(e.value.name)})"

    def _pair_first(self, e: Any, target: Any) -> str:
        return f"{self.value(e.value)}.first"

    def _pair_second(self, e: Any, target: Any) -> str:
        return f"{self.value(e.value)}.second"

    def _cast(self, e: Any, target: Any) -> str:
        kind = self.type(target.name)
        return self.cast(self.value(e.value), self.type(e.value.name), kind) if self.has_value(kind) else ""

    def _null(self, e: Any, target: Any) -> str:
        return ""

    _undef = _null

    def _call(self, e: Any, target: Any) -> str:
        from .numba_calls import call

        return call(self, e, target)


class _Item(NamedTuple):
    value: Any
    index: Any


_UNKNOWN = {
    "build_list": "a list cannot be used in a kernel: cuda.local.array is an array of a thread's own",
    "build_map": "a dictionary cannot be used in a kernel",
    "build_set": "a set cannot be used in a kernel",
    "build_slice": "a slice cannot be used in a kernel: write a loop over its elements",
    "make_function": "a function cannot be defined within a kernel",
}
