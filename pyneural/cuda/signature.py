"""What NVRTC knows of a kernel's parameters, told by the compiled code itself.

A few lines of C++ behind the source put a table of each kernel's parameters into the cubin, as a variable that no
kernel reads; from there it is read without a GPU.
"""

from __future__ import annotations

import pathlib
import struct
from collections.abc import Sequence

from . import elf
from .arguments import Parameter

_ROW = struct.Struct("<16sQQQii")
_PREFIX = "pyneural_signature_"


def appended(names: Sequence[str]) -> str:
    """C++ for the end of a source: a table for each of the kernels ``names``, in their order."""
    rows = [
        f'extern "C" __device__ pyneural_signature::Signature<decltype(&{name})>::Type {_PREFIX}{number} = '
        f"pyneural_signature::Signature<decltype(&{name})>::make();\n"
        for number, name in enumerate(names)
    ]
    return "".join(['\n#line 1 "<signatures>"\n#include <pyneural/signature.cuh>\n', *rows])


def read(path: pathlib.Path, parameter_names: Sequence[Sequence[str]]) -> list[list[Parameter]]:
    """The parameters of the kernels for which `appended` was called, in their order, from the compiled file."""
    tables = elf.variables(path, _PREFIX)
    return [_parameters(tables[f"{_PREFIX}{number}"], names) for number, names in enumerate(parameter_names)]


def _parameters(table: bytes, names: Sequence[str]) -> list[Parameter]:
    parameters: list[Parameter] = []
    for text, size, align, element, kind, constant in _ROW.iter_unpack(table):
        if not size:
            break
        position = len(parameters)
        name = names[position] if position < len(names) and names[position] else f"argument {position + 1}"
        parameters.append(
            Parameter(name, kind, text.rstrip(b"\0").decode(), size, align, element, bool(constant))
        )  # fmt: skip
    return parameters
