"""Calls within a kernel of Numba's, as C++."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from . import numba_names as names
from .numba_names import SPACE
from .numba_types import Default, bound, device, is_builtin, is_device, library, plain

if TYPE_CHECKING:
    from .numba_code import Writer


def call(w: Writer, e: Any, target: Any) -> str:
    """The C++ of a call; the empty string where nothing is left to do at run time."""
    kind, types = w.typed.types[e.func.name], w.numba
    if e.vararg is not None:
        raise w.refuse("a call with *arguments cannot be translated")
    signature = w.typed.calls[e]
    if is_device(kind):
        return _device(w, e, kind.function, signature)
    if isinstance(kind, types.ExceptionClass):
        return ""
    arguments = [*e.args, *(each for _, each in e.kws)]
    if is_builtin(kind):
        return _builtin(w, arguments, kind.which, signature)
    if isinstance(kind, types.NumberClass):
        return w.cast(w.value(arguments[0]), w.type(arguments[0].name), signature.return_type)
    key = getattr(kind, "typing_key", None)
    if key is range:
        return _range(w, arguments, signature)
    if key is len:
        return _length(w, arguments[0])
    special = _special(w, key, e, arguments, target, signature)
    if special is not None:
        return special
    text = names.functions().get(key) if key is not None and _hashable(key) else None
    if key is slice:
        raise w.refuse("a slice cannot be used in a kernel: write a loop over its elements")
    if text is None:
        raise w.refuse(f"{_name(key, kind)} cannot be translated")
    result, made = plain(signature.return_type), text.format(*_values(w, arguments, signature))
    return made if isinstance(result, types.NoneType) else f"(({w.program.cpp(result, w)}){made})"


def _hashable(key: Any) -> bool:
    return getattr(type(key), "__hash__", None) is not None


def _name(key: Any, kind: Any) -> str:
    module = getattr(key, "__module__", "") or ""
    if module.endswith("unsafe.eh"):
        return "a `try`"
    name = getattr(key, "__name__", None) or getattr(key, "_name", None) or str(kind)
    return f"{module.removeprefix('numba.')}.{name}" if module and module != "builtins" else str(name)


def _values(w: Writer, arguments: list[Any], signature: Any) -> list[str]:
    """The arguments, of the types that the signature asks for."""
    return [
        w.cast(w.value(each), w.type(each.name), kind)
        for each, kind in zip(arguments, signature.args, strict=False)
        if not isinstance(kind, w.numba.Omitted)
    ]


def _device(w: Writer, e: Any, function: Any, signature: Any) -> str:
    given = bound(function, e.args, e.kws)
    values = []
    for each, kind in zip(given, signature.args, strict=True):
        if isinstance(each, Default):
            values.append(w.program.constant(each.value, kind, w))
        else:
            values.append(w.cast(w.value(each), w.type(each.name), kind))
    if (text := names.warp_functions().get(function)) is not None:
        return f"(({w.program.cpp(signature.return_type, w)}){text.format(*values)})"
    name = w.program.function(device(function, signature.args))
    return f"{name}({', '.join(values)})"


def _builtin(w: Writer, arguments: list[Any], function: Any, signature: Any) -> str:
    values = _values(w, arguments, signature)
    if function is int:
        return w.cast(values[0], signature.args[0], signature.return_type)
    which, text = "smaller" if function is min else "larger", values[0]
    for each in values[1:]:
        text = f"{SPACE}::{which}({text}, {each})"
    return text


def _range(w: Writer, arguments: list[Any], signature: Any) -> str:
    element = w.program.cpp(signature.return_type.dtype, w)
    values = _values(w, arguments, signature)
    start, stop, step = ("0", *values, "1") if len(values) == 1 else (*values, "1")[:3]
    return f"{SPACE}::Range<{element}>{{({element}){start}, ({element}){stop}, ({element}){step}}}"


def _length(w: Writer, value: Any) -> str:
    kind = w.type(value.name)
    if isinstance(kind, w.numba.BaseTuple):
        return f"{len(kind)}ll"
    return w.sides(value)[0]


def _special(w: Writer, key: Any, e: Any, arguments: list[Any], target: Any, signature: Any) -> str | None:
    """Functions of `numba.cuda` that are no plain calls; None for the others."""
    cuda = library("numba.cuda")

    if key in (cuda.shared.array, cuda.local.array):
        return _array(w, key is cuda.shared.array, e, target, signature)
    if key in (cuda.grid, cuda.gridsize):
        return _grid(w, key is cuda.grid, arguments[0], signature)
    if key is cuda.syncwarp:
        return f"__syncwarp({', '.join(f'unsigned({each})' for each in _values(w, arguments, signature))})"
    if key in (math.frexp, math.modf):
        which = "fraction_exponent" if key is math.frexp else "fraction_whole"
        return f"{SPACE}::{which}<{w.program.cpp(signature.return_type, w)}>({_values(w, arguments, signature)[0]})"
    if key is cuda.brev:
        value, wide = _values(w, arguments, signature)[0], str(signature.return_type) == "uint64"
        return f"__brevll({value})" if wide else f"__brev({value})"
    for name, function in names.ATOMICS.items():
        if key is getattr(cuda.atomic, name):
            return _atomic(w, name, function, arguments)
    return None


def _array(w: Writer, shared: bool, e: Any, target: Any, signature: Any) -> str:
    from .numba_code import Block, Row

    given = dict(zip(("shape", "dtype"), e.args, strict=False)) | dict(e.kws)
    shape = w.typed.types[given["shape"].name]
    sides = [each.literal_value for each in (shape.types if isinstance(shape, w.numba.BaseTuple) else (shape,))]
    if len(w.definitions[target.name]) > 1:
        raise w.refuse(f"{w.said(target)} is given more than one array: give each a name of its own")
    name = names.identifier(target.name)
    while name in w.taken:
        name += "_"
    w.taken.add(name)
    element = w.program.cpp(signature.return_type.dtype, w)
    if shared and sides == [0]:
        w.declared.append(Row(f"; extern __shared__ {element} {name}[];", w.line))
        count = f"((long long)::pnsim::dynamic_shared_bytes() / {signature.return_type.dtype.bitwidth // 8}ll)"
        w.blocks[target.name] = Block(name, (count,), False)
        return ""
    if any(each <= 0 for each in sides):
        raise w.refuse(f"an array of shape {tuple(sides)} has no elements")
    if shared:
        w.program.shapes[name] = tuple(sides)
    dimensions = "".join(f"[{each}]" for each in sides)
    w.declared.append(Row(f"{'__shared__ ' if shared else ''}{element} {name}{dimensions};", w.line))
    w.blocks[target.name] = Block(name, tuple(f"{each}ll" for each in sides), True)
    return ""


def _grid(w: Writer, place: bool, dims: Any, signature: Any) -> str:
    count = w.constant(dims.name)
    texts = []
    for axis in "xyz"[:count]:
        product = f"(long long)(blockIdx.{axis}) * (long long)(blockDim.{axis}) + (long long)(threadIdx.{axis})"
        size = f"(long long)(gridDim.{axis}) * (long long)(blockDim.{axis})"
        texts.append(f"({product if place else size})")
    kind = plain(signature.return_type)
    if count == 1:
        return w.cast(texts[0], w.numba.int64, kind)
    return w.program.tuple_of(kind, [w.cast(text, w.numba.int64, kind.dtype) for text in texts], w)


def _atomic(w: Writer, name: str, function: str, arguments: list[Any]) -> str:
    array = arguments[0]
    element = w.type(array.name).dtype
    if name == "compare_and_swap":
        place, rest = w.place(array, None), arguments[1:]
    else:
        place, rest = w.place(array, arguments[1]), arguments[2:]
    values = [w.cast(w.value(each), w.type(each.name), element) for each in rest]
    kind = w.program.cpp(element, w)
    if name == "sub":
        values = [f"({kind})(-{values[0]})"]
    carrier = kind
    if kind == "long long" and name in ("add", "sub", "cas", "compare_and_swap"):
        carrier = "unsigned long long"
    if name in ("inc", "dec") and kind != "unsigned int":
        raise w.refuse(f"cuda.atomic.{name} is translated for uint32 only, not for {element}")
    if name in ("exch", "cas", "compare_and_swap") and kind == "double":
        raise w.refuse(f"cuda.atomic.{name} takes whole numbers only")
    given = ", ".join(f"({carrier}){each}" for each in values)
    return f"(({kind}){function}(({carrier}*)&{place}, {given}))"
