"""Kernels written for Numba's CUDA target, in the simulator: translated to CUDA C++, each statement at its Python line.

Types are those that Numba's own inference finds. What is found and counted names the lines of the Python source.
"""

from __future__ import annotations

import linecache
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from . import numba_names as names
from . import numba_types, source
from .kernel import Kernel
from .module import Module, Sources
from .numba_code import Row, Writer
from .numba_names import SPACE
from .numba_types import compiler, type_of
from .unit import Kernel as Declaration
from .unit import SharedArray, Unit

NAMESPACE = "pn_python"
WORDS = {
    "__trap() was called": "an exception was raised",
    "__syncthreads()": "cuda.syncthreads()",
    "__syncwarp()": "cuda.syncwarp()",
}
"""What findings name as CUDA C++ does, and its name in Numba."""
_OPTIONS = ("-fwrapv",)  # whole numbers wrap around, as Numba's do


def from_numba(function: Any, types: Sequence[Any], *, options: Sequence[str] = ()) -> PythonKernel:
    """The kernel of a function of `numba.cuda.jit`, or of a plain function, for the simulator.

    `types` are the arguments' types as Numba's, or values that have them: `from_numba(add, (x, y, 100))`. Arrays are
    C-contiguous. `options` are the host compiler's; `-DPN_NEGATIVE_IS_OUT` makes a negative index one out of bounds,
    which otherwise counts from the end.

    Raises CompileError, with the Python line, for what Numba does not compile or the translation does not know;
    TypeError for what is no function or no type; RuntimeError while Numba's own simulator is on.
    """
    inner = numba_types.python_function(function)
    numba_types.require_numba()
    kinds = tuple(_type(inner.__name__, position, each) for position, each in enumerate(types))
    typed = numba_types.infer(inner, kinds)
    program = Program(typed)
    return PythonKernel(Module(program.sources(), [*_OPTIONS, *options]), inner, kinds)


def _type(kernel: str, position: int, value: Any) -> Any:
    """Numba's type of an argument, which is one already or a value."""
    types = compiler("types")

    kind = value if isinstance(value, types.Type) else type_of(value)
    if isinstance(kind, types.Array):
        if kind.layout != "C" and not (kind.ndim == 1 and kind.layout == "F"):
            raise TypeError(f"{kernel}: argument {position + 1} must be a C-contiguous array, got {kind}")
        return types.Array(kind.dtype, kind.ndim, "C", readonly=not kind.mutable)
    return kind


class Program:
    """The C++ of a kernel and of the functions that it calls."""

    def __init__(self, typed: numba_types.Typed) -> None:
        self.kernel = typed
        self.file = typed.function.__code__.co_filename
        self.structs: dict[Any, str] = {}
        self.declarations: list[str] = []
        self.functions: dict[tuple[Any, Any], str] = {}
        self.bodies: list[tuple[str, str, list[Row]]] = []
        """Name, file and lines of each function, callees first."""
        self.shapes: dict[str, tuple[int, ...]] = {}
        """Of shared arrays, by their names."""
        self.name = names.identifier(typed.function.__name__)
        types, ir = compiler("types"), compiler("ir")
        self.types = types
        if not isinstance(typed.result, types.NoneType):
            writer = Writer(self, typed, self.name, True)
            ends = [each for block in typed.ir.blocks.values() for each in block.find_insts(ir.Return)]
            writer.line = min(each.loc.line for each in ends if typed.types[each.value.name] != types.none)
            raise writer.refuse("a kernel returns nothing: it stores its results")
        rows = Writer(self, typed, self.name, True).write()
        self.bodies.append((self.name, self.file, rows))

    def function(self, typed: numba_types.Typed) -> str:
        """The name of a function that kernels call, which is written first."""
        key = typed.function, tuple(typed.types[f"arg.{name}"] for name in typed.ir.arg_names)
        if key not in self.functions:
            name = f"{names.identifier(typed.function.__name__)}_{len(self.functions) + 1}"
            self.functions[key] = name
            rows = Writer(self, typed, name, False).write()
            self.bodies.append((name, typed.function.__code__.co_filename, rows))
        return self.functions[key]

    def cpp(self, kind: Any, writer: Writer) -> str:
        """C++ for a type of Numba's."""
        types, kind = self.types, numba_types.plain(kind)
        if str(kind) in names.NUMBERS:
            return names.NUMBERS[str(kind)]
        if isinstance(kind, types.NoneType | types.Omitted) or (isinstance(kind, types.BaseTuple) and not len(kind)):
            return f"{SPACE}::Nothing"
        if isinstance(kind, types.Array):
            return f"{SPACE}::View<{self.cpp(kind.dtype, writer)}, {kind.ndim}>"
        if isinstance(kind, types.UniTuple):
            return f"{SPACE}::Uni<{self.cpp(kind.dtype, writer)}, {len(kind)}>"
        if isinstance(kind, types.BaseTuple):
            return self.struct(kind, writer)
        if isinstance(kind, types.RangeType):
            return f"{SPACE}::Range<{self.cpp(kind.dtype, writer)}>"
        if isinstance(kind, types.RangeIteratorType):
            return f"{SPACE}::RangeIterator<{self.cpp(kind.yield_type, writer)}>"
        if isinstance(kind, types.UniTupleIter):
            return f"{SPACE}::TupleIterator<{self.cpp(kind.container.dtype, writer)}, {len(kind.container)}>"
        if isinstance(kind, types.Pair):
            return f"{SPACE}::Pair<{self.cpp(kind.first_type, writer)}>"
        raise writer.refuse(f"values of type {kind} cannot be translated")

    def struct(self, kind: Any, writer: Writer) -> str:
        if kind not in self.structs:
            fields = "".join(f" {self.cpp(each, writer)} f{k};" for k, each in enumerate(kind.types))
            self.structs[kind] = f"Tuple{len(self.structs)}"
            self.declarations.append(f"struct {self.structs[kind]} {{{fields} }};")
        return self.structs[kind]

    def tuple_of(self, kind: Any, parts: list[str], writer: Writer) -> str:
        inner = f"{{{', '.join(parts)}}}"
        return (
            f"{self.cpp(kind, writer)}{{{inner}}}"
            if isinstance(kind, self.types.UniTuple) and parts
            else (f"{self.cpp(kind, writer)}{inner}")
        )

    def constant(self, value: Any, kind: Any, writer: Writer) -> str:
        """A value that the source has as a constant, or a global name for."""
        kind = numba_types.plain(kind)
        if isinstance(value, bool | int | float | np.number | np.bool_):
            return names.literal(value, kind)
        if isinstance(value, tuple) and isinstance(kind, self.types.BaseTuple):
            parts = [self.constant(v, k, writer) for v, k in zip(value, kind.types, strict=True)]
            return self.tuple_of(kind, parts, writer)
        if value is None:
            return f"{SPACE}::Nothing{{}}"
        if isinstance(value, np.ndarray):
            raise writer.refuse("an array outside of the kernel cannot be used in it: pass it as an argument")
        raise writer.refuse(f"the constant {value!r} cannot be translated")

    def sources(self) -> Sources:
        """The text, with every line named after the Python line that it comes from."""
        lines = ["#include <pyneural_sim/numba.h>", f"namespace {NAMESPACE} {{", *self.declarations]
        origin: list[tuple[str, int]] = [("", 0)] * len(lines)
        ends: dict[str, tuple[str, int]] = {}
        for name, file, rows in self.bodies:
            escaped = file.replace("\\", "\\\\").replace('"', '\\"')
            for row in rows:
                lines += [f'#line {row.line} "{escaped}"', row.text]
                origin += [("", 0), (file, row.line)]
            ends[name] = file, max(row.line for row in rows)
        lines.append("}")
        unit = source.rewrite("\n".join(lines), self.file)
        self._relocate(unit, [*origin, ("", 0)], ends)
        files = {file for _, file, _ in self.bodies}
        originals = {file: "".join(linecache.getlines(file)) for file in files}
        return Sources(unit.text, self.file, unit, originals=originals, shapes=self.shapes, words=WORDS)

    def _relocate(self, unit: Unit, origin: list[tuple[str, int]], ends: dict[str, tuple[str, int]]) -> None:
        """Places of the C++ text as places of the Python source."""
        arrays: dict[tuple[str, str, int], SharedArray] = {}
        for (name, _, line), array in unit.arrays.items():
            file, number = origin[line - 1]
            array.end = ends.get(array.function, (file, number))[1]
            arrays[name, file, number] = array
        unit.arrays = arrays
        unit.dynamic = [(name, size, origin[line - 1][1]) for name, size, line in unit.dynamic]
        for kernel in unit.kernels:
            kernel.line = self.kernel.function.__code__.co_firstlineno


class PythonKernel(Kernel):
    """A kernel of Numba's; arguments are those of the Python function."""

    def __init__(self, module: Module, function: Callable[..., Any], kinds: tuple[Any, ...]) -> None:
        declaration: Declaration = module.sources.unit.kernels[0]
        super().__init__(module, declaration.name, declaration)
        self.function = function
        self.kinds = kinds
        self.name = function.__name__
        self.names = list(function.__code__.co_varnames[: function.__code__.co_argcount])

    @property
    def signature(self) -> str:
        return f"{self.name}({', '.join(f'{kind} {name}' for name, kind in zip(self.names, self.kinds, strict=True))})"

    def shapes(self, values: tuple[Any, ...]) -> dict[str, tuple[int, ...]]:
        pairs = zip(self.names, values, strict=True)
        return {names.identifier(name): value.shape for name, value in pairs if isinstance(value, np.ndarray)}

    def expanded(self, values: tuple[Any, ...]) -> tuple[Any, ...]:
        """Arrays with their shapes, tuples as structs. Raises TypeError for values of other types."""
        if len(values) != len(self.kinds):
            raise TypeError(f"{self.name}: takes {len(self.kinds)} arguments ({self.signature}), got {len(values)}")
        found: list[Any] = []
        for name, kind, value in zip(self.names, self.kinds, values, strict=True):
            found += self._one(name, kind, value)
        return tuple(found)

    def _one(self, name: str, kind: Any, value: Any) -> list[Any]:
        types = compiler("types")

        if isinstance(kind, types.Array):
            if not isinstance(value, np.ndarray) or value.ndim != kind.ndim:
                got = f"of {value.ndim} dimensions" if isinstance(value, np.ndarray) else type(value).__name__
                raise TypeError(f"{self.name}: {name} takes an array of {kind.ndim} dimensions, got {got}")
            return [value, *value.shape]
        if isinstance(kind, types.BaseTuple):
            return [_packed(kind, value, f"{self.name}: {name}")]
        if isinstance(kind, types.NoneType):
            return [b"\0"]
        whole = isinstance(kind, types.Integer | types.Boolean)
        if not isinstance(value, int | float | np.number | np.bool_) or (
            whole and isinstance(value, float | np.floating)
        ):
            raise TypeError(f"{self.name}: {name} takes {kind}, got {value!r}")
        return [value]


def _packed(kind: Any, value: Any, where: str) -> bytes:
    """A tuple of numbers as C++ keeps it."""
    if not isinstance(value, tuple) or len(value) != len(kind):
        raise TypeError(f"{where} takes {kind}, got {value!r}")
    if not value:
        return b"\0"
    return np.array(_record(kind, value), _dtype(kind, where)).tobytes()


def _record(kind: Any, value: Any) -> Any:
    if not hasattr(kind, "types"):
        return value
    parts = [_record(each, one) for each, one in zip(kind.types, value, strict=True)]
    return ((parts,) if len(set(kind.types)) == 1 else tuple(parts)) if parts else ()


def _dtype(kind: Any, where: str) -> np.dtype[Any]:
    if hasattr(kind, "types"):
        if len(set(kind.types)) == 1:
            return np.dtype([("v", _dtype(kind.types[0], where), (len(kind),))], align=True)
        return np.dtype([(f"f{k}", _dtype(each, where)) for k, each in enumerate(kind.types)], align=True)
    try:
        return np.dtype(str(kind))
    except TypeError:
        raise TypeError(f"{where}: a tuple of a launch has numbers only, not {kind}") from None
