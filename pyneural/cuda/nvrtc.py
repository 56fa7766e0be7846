"""NVRTC, NVIDIA's compiler as a library: a source to the machine code of one GPU, kept on disk.

CuPy finds and binds the library; it works without a GPU as well.
"""

from __future__ import annotations

import functools
import hashlib
import json
import os
import pathlib
import re
import sysconfig
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from . import signature, source, toolchain
from .arguments import Parameter
from .errors import CompileError, CompilerNotFoundError, Diagnostic
from .module import _find

STANDARD = "-std=c++17"
LAMBDAS = "--device-as-default-execution-space"
"""Without it NVRTC takes a generic lambda, which can say nothing of where it runs, for the host's."""

_FEATURES = {"90", "100", "101", "103", "120", "121"}
"""Architectures of which machine code is for that one GPU anyway: with their own instructions (``sm_90a``)."""


@dataclass
class Compiled:
    """Machine code in a file, the linker's name of each kernel asked for, and its parameters."""

    path: pathlib.Path
    lowered: dict[str, str]
    parameters: dict[str, list[Parameter]]


def architecture(capability: str) -> str:
    """``sm_90a`` for the compute capability "90"."""
    return f"sm_{capability}{'a' if capability in _FEATURES else ''}"


@functools.cache
def binding() -> Any:
    """CuPy's functions of NVRTC. CompilerNotFoundError without CuPy or the library."""
    try:
        from cupy.cuda import nvrtc

        nvrtc.getVersion()
    except Exception as error:
        raise CompilerNotFoundError(
            f"the kernels of a GPU need NVRTC ({type(error).__name__}: {error}); "
            "`pip install nvidia-cuda-nvrtc-cu12` (CUDA 12) or `pip install nvidia-cuda-nvrtc` (CUDA 13) installs it"
        ) from None
    return nvrtc


@functools.cache
def headers(major: int) -> tuple[pathlib.Path, ...]:
    """Folders of CUDA's own headers: of NVIDIA's packages, else of an installed toolkit."""
    site = {pathlib.Path(sysconfig.get_path(each)) for each in ("purelib", "platlib")}
    package = "nvidia/cuda_runtime" if major < 13 else f"nvidia/cu{major}"
    found = [place / package / "include" for place in sorted(site)]
    toolkit = [os.environ.get("CUDA_PATH"), os.environ.get("CUDA_HOME")]
    try:
        import cupy

        toolkit.append(cupy.cuda.get_cuda_path())
    except Exception:  # CuPy may be absent, or have found none
        pass
    toolkit += [f"/usr/local/cuda-{major}", "/usr/local/cuda"]
    for root in toolkit:
        if root:
            found += [pathlib.Path(root) / "include", pathlib.Path(root) / "targets/x86_64-linux/include"]
    having = [folder for folder in found if (folder / "cuda_fp16.h").is_file()]
    if not having:
        package = f"nvidia-cuda-runtime-cu{major}" if major < 13 else "nvidia-cuda-runtime nvidia-cuda-crt"
        raise CompilerNotFoundError(f"CUDA's header cuda_fp16.h is not found: `pip install {package}` installs it")
    # One version's headers alone, and what lies beside them (crt/, cccl/).
    return having[0], *(each for each in (having[0] / "cccl",) if each.is_dir())


def compile(
    text: str,
    file: str,
    names: Sequence[str],
    parameter_names: Sequence[Sequence[str]],
    arch: str,
    options: Sequence[str],
    include: Sequence[pathlib.Path],
) -> Compiled:
    """The kernels ``names`` (templates with their arguments) of a source, for the GPU architecture ``arch``.

    What was compiled once is found again by its content and that of the headers it includes.

    Raises CompileError with the user's own lines, CompilerNotFoundError where NVRTC or CUDA's headers are missing.
    """
    nvrtc = binding()
    version = nvrtc.getVersion()
    folders = [*include, *headers(version[0])]
    given = [each for each in options if not each.startswith("-I")]
    if not any(each.startswith(("-arch", "--gpu-architecture")) for each in given):
        given.append(f"--gpu-architecture={arch}")
    if not any(each.startswith(("-std", "--std")) for each in given):
        given.insert(0, STANDARD)
    given.append(LAMBDAS)
    whole = text + signature.appended(names)
    digest = hashlib.sha256(repr((version, given, list(names), [str(each) for each in folders])).encode())
    for part in (whole, *_included(text, file, include)):
        digest.update(part.encode() + b"\0")
    key = digest.hexdigest()[:32]
    folder = toolchain.cache_folder().parent / "gpu" / key[:2]
    path, index = folder / f"{key}.cubin", folder / f"{key}.json"
    if not (path.exists() and index.exists()):
        folder.mkdir(parents=True, exist_ok=True)
        code, lowered = _run(nvrtc, whole, file, names, [*given, *(f"-I{each}" for each in folders)])
        toolchain.write_whole(path, code)
        toolchain.write_whole(index, json.dumps(lowered).encode())
    lowered = json.loads(index.read_text())
    parameters = dict(zip(names, signature.read(path, parameter_names), strict=True))
    return Compiled(path, lowered, parameters)


def _run(nvrtc: Any, text: str, file: str, names: Sequence[str], options: list[str]) -> tuple[bytes, dict[str, str]]:
    program = nvrtc.createProgram(text, file, (), ())
    try:
        for name in names:
            nvrtc.addNameExpression(program, name)
        try:
            nvrtc.compileProgram(program, tuple(options))
        except nvrtc.NVRTCError as error:
            log = nvrtc.getProgramLog(program)
            raise CompileError(_diagnostics(log) or [Diagnostic(file, 0, 0, f"error: {error}")], log) from None
        return nvrtc.getCUBIN(program), {name: nvrtc.getLoweredName(program, name) for name in names}
    finally:
        nvrtc.destroyProgram(program)


def _diagnostics(log: str) -> list[Diagnostic]:
    found = re.findall(r"(?m)^(.+?)\((\d+)\): (?:catastrophic )?(error[^:]*: .*)$", log)
    return [Diagnostic(file, int(line), 1, message) for file, line, message in found]


def _included(text: str, file: str, include: Sequence[pathlib.Path]) -> list[str]:
    """The text of all that a source includes from the given folders, and from its own."""
    bodies: dict[pathlib.Path, str] = {}

    def visit(body: str, name: str, folder: pathlib.Path | None) -> None:
        scanner = source.Rewriter(body, name)
        scanner.find_includes()
        for _, _, wanted, quoted in scanner.unit.includes:
            found = _find(wanted, folder if quoted else None, list(include))
            if found is not None and found not in bodies:
                bodies[found] = found.read_text(errors="replace")
                visit(bodies[found], str(found), found.parent)

    own = pathlib.Path(file).resolve().parent if pathlib.Path(file).is_file() else None
    visit(text, file, own)
    return [bodies[each] for each in sorted(bodies)]
