"""C++ for the types, constants, operators and functions of Numba's CUDA target: tables, no more."""

from __future__ import annotations

import functools
import math
import operator
from typing import Any

import numpy as np

from .numba_types import library

SPACE = "pn_numba"
"""The namespace of csrc/simulator/include/pyneural_sim/numba.h."""

NUMBERS = {
    "bool": "bool", "int8": "signed char", "int16": "short", "int32": "int", "int64": "long long",
    "uint8": "unsigned char", "uint16": "unsigned short", "uint32": "unsigned int", "uint64": "unsigned long long",
    "float16": "__half", "float32": "float", "float64": "double",
}  # fmt: skip

RESERVED = frozenset((
    "alignas", "alignof", "and", "and_eq", "asm", "auto", "bitand", "bitor", "bool", "break", "case", "catch", "char",
    "class", "compl", "const", "constexpr", "const_cast", "continue", "decltype", "default", "delete", "do", "double",
    "dynamic_cast", "else", "enum", "explicit", "export", "extern", "false", "float", "for", "friend", "goto", "if",
    "inline", "int", "long", "mutable", "namespace", "new", "noexcept", "not", "not_eq", "nullptr", "operator", "or",
    "or_eq", "private", "protected", "public", "register", "reinterpret_cast", "return", "short", "signed", "sizeof",
    "static", "static_assert", "static_cast", "struct", "switch", "template", "this", "thread_local", "throw", "true",
    "try", "typedef", "typeid", "typename", "union", "unsigned", "using", "virtual", "void", "volatile", "wchar_t",
    "while", "xor", "xor_eq", "main", "std", "pnsim", "pn_numba", "threadIdx", "blockIdx", "blockDim", "gridDim",
    "warpSize", "NULL", "INFINITY", "NAN", "assert", "errno", "half", "file", "line", "unix", "linux", "printf",
))  # fmt: skip

OPERATORS = {
    operator.add: "({0} + {1})", operator.sub: "({0} - {1})", operator.mul: "({0} * {1})",
    operator.truediv: "({0} / {1})", operator.and_: "({0} & {1})", operator.or_: "({0} | {1})",
    operator.xor: "({0} ^ {1})", operator.lshift: "({0} << {1})", operator.rshift: "({0} >> {1})",
    operator.floordiv: f"{SPACE}::floor_divide({{0}}, {{1}})", operator.mod: f"{SPACE}::modulo({{0}}, {{1}})",
    operator.pow: f"{SPACE}::power({{0}}, {{1}})",
    operator.eq: "({0} == {1})", operator.ne: "({0} != {1})", operator.lt: "({0} < {1})", operator.le: "({0} <= {1})",
    operator.gt: "({0} > {1})", operator.ge: "({0} >= {1})",
    operator.neg: "(-{0})", operator.pos: "(+{0})", operator.invert: "(~{0})", operator.not_: "(!{0})",
}  # fmt: skip
COMPARISONS = {
    operator.eq: "==", operator.ne: "!=", operator.lt: "<", operator.le: "<=", operator.gt: ">", operator.ge: ">=",
}  # fmt: skip

_MATH = (
    "acos", "acosh", "asin", "asinh", "atan", "atan2", "atanh", "ceil", "copysign", "cos", "cosh", "erf", "erfc", "exp",
    "expm1", "fabs", "floor", "hypot", "isfinite", "isinf", "isnan", "ldexp", "lgamma", "log", "log10", "log1p",
    "log2", "pow", "remainder", "sin", "sinh", "sqrt", "tan", "tanh", "trunc",
)  # fmt: skip

ATOMICS = {
    "add": "atomicAdd", "sub": "atomicAdd", "max": f"{SPACE}::atomic_max", "min": f"{SPACE}::atomic_min",
    "and_": "atomicAnd", "or_": "atomicOr", "xor": "atomicXor", "inc": "atomicInc", "dec": "atomicDec",
    "exch": "atomicExch", "cas": "atomicCAS", "compare_and_swap": "atomicCAS",
}  # fmt: skip


@functools.cache
def functions() -> dict[Any, str]:
    """What a call of each function becomes; `{0}` is its first argument, of the type that Numba gives it."""
    cuda = library("numba.cuda")

    table: dict[Any, str] = {getattr(math, name): f"std::{name}({{0}})" for name in _MATH}
    for name in ("atan2", "copysign", "hypot", "pow", "remainder"):
        table[getattr(math, name)] = f"std::{name}({{0}}, {{1}})"
    table |= {
        math.ldexp: "std::ldexp({0}, int({1}))",
        math.gamma: "std::tgamma({0})",
        math.degrees: f"({{0}} * {180 / math.pi!r})",
        math.radians: f"({{0}} * {math.pi / 180!r})",
        bool: "{0}",
        int: "{0}",
        float: "{0}",
        abs: f"{SPACE}::absolute({{0}})",
        pow: f"{SPACE}::power({{0}}, {{1}})",
        round: "std::rint({0})",
        cuda.syncthreads: "__syncthreads()",
        cuda.syncthreads_count: "__syncthreads_count({0})",
        cuda.syncthreads_and: "__syncthreads_and({0})",
        cuda.syncthreads_or: "__syncthreads_or({0})",
        cuda.threadfence: "__threadfence()",
        cuda.threadfence_block: "__threadfence_block()",
        cuda.threadfence_system: "__threadfence_system()",
        cuda.activemask: "__activemask()",
        cuda.lanemask_lt: f"((1u << {SPACE}::lane()) - 1u)",
        cuda.match_any_sync: "__match_any_sync(unsigned({0}), {1})",
        cuda.popc: f"{SPACE}::count_bits({{0}})",
        cuda.clz: f"{SPACE}::leading_zeros({{0}})",
        cuda.ffs: "__builtin_ffsll((long long){0})",
        cuda.fma: "std::fma({0}, {1}, {2})",
        cuda.cbrt: "std::cbrt({0})",
        cuda.selp: "({0} ? {1} : {2})",
    }
    for name in ("fmul_rn", "fadd_rn", "fsub_rn", "fdiv_rn", "dmul_rn", "dadd_rn", "dsub_rn", "ddiv_rn"):
        function = getattr(cuda.libdevice, name, None)
        if function is not None:
            table[function] = f"__{name}({{0}}, {{1}})"
    return table | warp_functions()


@functools.cache
def warp_functions() -> dict[Any, str]:
    """Those that Numba itself writes in Python, by their Python function; in numba-cuda they are none of Python's."""
    cuda = library("numba.cuda")

    table = {
        cuda.shfl_sync: "__shfl_sync(unsigned({0}), {1}, int({2}))",
        cuda.shfl_up_sync: "__shfl_up_sync(unsigned({0}), {1}, unsigned({2}))",
        cuda.shfl_down_sync: "__shfl_down_sync(unsigned({0}), {1}, unsigned({2}))",
        cuda.shfl_xor_sync: "__shfl_xor_sync(unsigned({0}), {1}, int({2}))",
        cuda.all_sync: "__all_sync(unsigned({0}), bool({1}))",
        cuda.any_sync: "__any_sync(unsigned({0}), bool({1}))",
        cuda.ballot_sync: "int(__ballot_sync(unsigned({0}), bool({1})))",
    }
    return {getattr(function, "py_func", function): text for function, text in table.items()}


def literal(value: Any, kind: Any) -> str:
    """A number of Python's as C++ of Numba's type `kind`."""
    name = str(kind)
    if name == "bool":
        return "true" if value else "false"
    if name.startswith("float"):
        number = float(value)
        if math.isnan(number):
            text = '__builtin_nan("")'
        elif math.isinf(number):
            text = "__builtin_inf()" if number > 0 else "(-__builtin_inf())"
        else:
            text = repr(number) if number >= 0 and not str(number).startswith("-") else f"({number!r})"
        return text if name == "float64" else f"{NUMBERS[name]}({text})"
    number = int(np.int64(np.uint64(int(value)))) if int(value) >= 1 << 63 else int(value)
    text = "(-9223372036854775807ll - 1)" if number == -(1 << 63) else f"{number}ll" if number >= 0 else f"({number}ll)"
    return text if name == "int64" else f"(({NUMBERS[name]}){text})"


def identifier(name: str) -> str:
    """A name of Numba's as one of C++: `i.1` and `$4load_global.0` are variables as well."""
    text = "".join(each if each.isascii() and (each.isalnum() or each == "_") else f"_{ord(each):x}" if
                   not each.isascii() else "_" for each in name)  # fmt: skip
    if text[:1].isdigit() or name.startswith("$"):
        text = f"t{text}"
    return f"{text}_" if text in RESERVED else text
