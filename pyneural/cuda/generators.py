"""Arguments of a kernel from text: `2.0, rand(1024), zeros(32, 32), arange(8, dtype=int64), None`.

The text is read by a small evaluator of its own: numbers, their arithmetic, tuples, names that the caller allows, and
calls of the makers below. An array takes the dtype that the kernel's parameter wants, unless it is given one.
"""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from .arguments import POINTER, Parameter
from .kernel import empty
from .tensor_map import TensorMap, tensor_map

Array = Any

_OPERATORS: dict[type[ast.AST], Callable[..., Any]] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv, ast.Mod: operator.mod, ast.Pow: operator.pow, ast.LShift: operator.lshift,
    ast.USub: operator.neg, ast.UAdd: operator.pos,
}  # fmt: skip
_DTYPES = (
    "bool", "int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64", "float16", "bfloat16", "float32",
    "float64", "complex64", "complex128",
)  # fmt: skip


def dtype_of(name: str) -> np.dtype[Any]:
    """A dtype by its name; bfloat16 is that of ml_dtypes."""
    if name == "bfloat16":
        import ml_dtypes

        name = ml_dtypes.bfloat16
    dtype: np.dtype[Any] = np.dtype(name)
    return dtype


class Makers:
    """The functions that a text may call; each makes an array of the dtype that is wanted."""

    def __init__(self, rng: np.random.Generator, dtype: np.dtype[Any]) -> None:
        self.rng = rng
        self.dtype = dtype

    def rand(self, *shape: int, low: float = 0.0, high: float = 1.0) -> Array:
        """Uniform in [low, high)."""
        return self._real("rand", self.rng.uniform(low, high, shape))

    def randn(self, *shape: int, mean: float = 0.0, std: float = 1.0) -> Array:
        """Normal."""
        return self._real("randn", self.rng.normal(mean, std, shape))

    def ints(self, *shape: int, low: int = 0, high: int = 10) -> Array:
        """Uniform integers in [low, high)."""
        return self.rng.integers(low, high, shape).astype(self.dtype)

    def zeros(self, *shape: int) -> Array:
        return np.zeros(shape, self.dtype)

    def ones(self, *shape: int) -> Array:
        return np.ones(shape, self.dtype)

    def full(self, shape: int | tuple[int, ...], value: float) -> Array:
        return np.full(shape, value, self.dtype)

    def arange(self, *bounds: float) -> Array:
        return np.arange(*bounds).astype(self.dtype)

    def empty(self, *shape: int) -> Array:
        """As cudaMalloc leaves it: `sanitize` reports what is read before it is written."""
        return empty(shape, self.dtype)

    def tensor_map(self, array: Array, box: tuple[int, ...], *, swizzle: int = 0) -> TensorMap:
        """Of an array, for a kernel with TMA: `tensor_map(rand(64, 64, dtype=float16), (64, 64), swizzle=128)`."""
        return tensor_map(array, box, swizzle=swizzle)

    def _real(self, name: str, values: Array) -> Array:
        if self.dtype.kind in "biu":
            raise TypeError(f"{name} makes fractions, but the array is of {self.dtype}; use ints(..., low=0, high=10)")
        return values.astype(self.dtype)


MAKERS = ("rand", "randn", "ints", "zeros", "ones", "full", "arange", "empty", "tensor_map")


def dimensions(text: str) -> tuple[int, ...]:
    """`16,16` or `(16, 16)` or `256`, for a grid or a block. Raises ValueError."""
    inner = text.strip()
    if inner.startswith("(") and inner.endswith(")"):
        inner = inner[1:-1].rstrip(", ")
    try:
        return tuple(int(part) for part in inner.split(","))
    except ValueError:
        raise ValueError(f"{text!r} is not one to three integers, such as 16,16") from None


def evaluate(
    text: str, parameters: list[Parameter], *, seed: int = 0, names: Mapping[str, Any] | None = None
) -> list[Any]:
    """The values of a list of arguments.

    Args:
        text: what stands between the parentheses of a call.
        parameters: those of the kernel, for the dtypes of arrays.
        seed: of the random makers.
        names: variables that the text may use; they come before makers of the same name.

    Raises:
        ValueError: the text is no list of values; TypeError: a maker is called wrongly.
    """
    try:
        tree = ast.parse(f"_({text}\n)", mode="eval").body
    except (SyntaxError, ValueError):
        raise ValueError(f"arguments (={text!r}) are not a list of values") from None
    if not isinstance(tree, ast.Call) or tree.keywords:
        raise ValueError(f"arguments (={text!r}) are not a list of values")
    reader = _Reader(np.random.default_rng(seed), names or {})
    values = []
    for position, node in enumerate(tree.args):
        reader.parameter = parameters[position] if position < len(parameters) else None
        values.append(reader.value(node))
    return values


class _Reader:
    def __init__(self, rng: np.random.Generator, names: Mapping[str, Any]) -> None:
        self.rng = rng
        self.names = names
        self.parameter: Parameter | None = None

    def value(self, node: ast.AST) -> Any:
        if isinstance(node, ast.Constant) and isinstance(node.value, bool | int | float | complex | None):
            return node.value
        if isinstance(node, ast.Name):
            return self._name(node.id)
        if isinstance(node, ast.Tuple | ast.List):
            return tuple(self.value(each) for each in node.elts)
        if isinstance(node, ast.UnaryOp) and type(node.op) in _OPERATORS:
            return self._apply(node, node.op, node.operand)
        if isinstance(node, ast.BinOp) and type(node.op) in _OPERATORS:
            return self._apply(node, node.op, node.left, node.right)
        if isinstance(node, ast.Attribute | ast.Subscript) and self.names:
            return self._part(node)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            return self._call(node.func.id, node)
        raise ValueError(f"{ast.unparse(node)!r} is no value that an argument may have")

    def _name(self, name: str) -> Any:
        if name in self.names:
            return self.names[name]
        constants = {"true": True, "false": False, "nullptr": None, "NULL": None, "inf": np.inf, "nan": np.nan}
        if name in constants:
            return constants[name]
        raise ValueError(f"{name!r} is not known; arrays are made by {', '.join(MAKERS)}")

    def _apply(self, node: ast.AST, sign: ast.AST, *operands: ast.AST) -> Any:
        values = [self.value(each) for each in operands]
        numbers = [v for v in values if isinstance(v, int | float)]
        if isinstance(sign, ast.Pow | ast.LShift) and any(abs(v) > 1024 for v in numbers):
            raise ValueError(f"{ast.unparse(node)!r} is too large")
        try:
            return _OPERATORS[type(sign)](*values)
        except (TypeError, ArithmeticError) as error:
            raise ValueError(f"{ast.unparse(node)!r}: {error}") from None

    def _part(self, node: ast.Attribute | ast.Subscript) -> Any:
        whole = self.value(node.value)
        if isinstance(node, ast.Attribute):
            return getattr(whole, node.attr)
        return whole[self._index(node.slice)]

    def _index(self, node: ast.AST) -> Any:
        if isinstance(node, ast.Slice):
            return slice(*(None if part is None else self.value(part) for part in (node.lower, node.upper, node.step)))
        if isinstance(node, ast.Tuple):
            return tuple(self._index(each) for each in node.elts)
        return self.value(node)

    def _call(self, name: str, node: ast.Call) -> Any:
        if name not in MAKERS:
            raise ValueError(f"{name!r} makes no array; {', '.join(MAKERS)} do")
        options = {}
        dtype = self._wanted()
        for keyword in node.keywords:
            if keyword.arg == "dtype":
                dtype = self._dtype(keyword.value)
            elif keyword.arg:
                options[keyword.arg] = self.value(keyword.value)
        values = [self.value(each) for each in node.args]
        try:
            return getattr(Makers(self.rng, dtype), name)(*values, **options)
        except (TypeError, ValueError) as error:
            raise type(error)(f"{ast.unparse(node)}: {error}".replace("Makers.", "")) from None

    def _dtype(self, node: ast.AST) -> np.dtype[Any]:
        name = node.id if isinstance(node, ast.Name) else node.value if isinstance(node, ast.Constant) else None
        if name not in _DTYPES:
            raise ValueError(f"dtype (={ast.unparse(node)}) must be one of {', '.join(_DTYPES)}")
        return dtype_of(str(name))

    def _wanted(self) -> np.dtype[Any]:
        """The dtype of the parameter's elements; float32 where it says nothing."""
        if self.parameter is None or self.parameter.kind != POINTER or self.parameter.dtype is None:
            return np.dtype(np.float32)
        return dtype_of(self.parameter.dtype)
