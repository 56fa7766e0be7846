"""Every kernel source through NVRTC, of CUDA 12 and of CUDA 13, with all kernels that the launchers use: no GPU needed.

``pip install "pyneural[nvrtc]"`` brings both compilers.
"""

from __future__ import annotations

import ctypes
import functools
import pathlib
import sysconfig
from typing import Any

import numpy as np
import pytest

from pyneural import csrc
from pyneural.cuda import CompileError, ladders, nvrtc
from pyneural.kernels.cuda_launch import element_option

pytestmark = pytest.mark.nvrtc

SOURCES = sorted((pathlib.Path(next(iter(csrc.__path__))) / "kernels").glob("*.cu"))
VERSIONS = {12: "nvidia/cuda_nvrtc/lib/libnvrtc.so.12", 13: "nvidia/cu13/lib/libnvrtc.so.13"}
PACKAGES = {12: "nvidia-cuda-nvrtc-cu12", 13: "nvidia-cuda-nvrtc"}


class NVRTCError(RuntimeError):
    """As CuPy's."""


class Binding:
    """NVRTC of one version with the functions of `cupy.cuda.nvrtc`, by ctypes: CuPy binds one version only."""

    NVRTCError = NVRTCError

    def __init__(self, path: pathlib.Path) -> None:
        self.library = ctypes.CDLL(str(path))

    def _check(self, status: int) -> None:
        if status:
            raise NVRTCError(f"NVRTC status {status}")

    def getVersion(self) -> tuple[int, int]:
        major, minor = ctypes.c_int(), ctypes.c_int()
        self._check(self.library.nvrtcVersion(ctypes.byref(major), ctypes.byref(minor)))
        return major.value, minor.value

    def createProgram(self, src: str, name: str, headers: Any, include_names: Any) -> ctypes.c_void_p:
        program = ctypes.c_void_p()
        self._check(
            self.library.nvrtcCreateProgram(ctypes.byref(program), src.encode(), name.encode(), 0, None, None)
        )  # fmt: skip
        return program

    def destroyProgram(self, prog: ctypes.c_void_p) -> None:
        self._check(self.library.nvrtcDestroyProgram(ctypes.byref(prog)))

    def addNameExpression(self, prog: ctypes.c_void_p, name: str) -> None:
        self._check(self.library.nvrtcAddNameExpression(prog, name.encode()))

    def compileProgram(self, prog: ctypes.c_void_p, options: tuple[str, ...]) -> None:
        given = (ctypes.c_char_p * len(options))(*[each.encode() for each in options])
        self._check(self.library.nvrtcCompileProgram(prog, len(options), given))

    def _text(self, what: str, prog: ctypes.c_void_p) -> bytes:
        size = ctypes.c_size_t()
        self._check(getattr(self.library, f"nvrtcGet{what}Size")(prog, ctypes.byref(size)))
        buffer = ctypes.create_string_buffer(size.value)
        self._check(getattr(self.library, f"nvrtcGet{what}")(prog, buffer))
        return buffer.raw

    def getCUBIN(self, prog: ctypes.c_void_p) -> bytes:
        return self._text("CUBIN", prog)

    def getProgramLog(self, prog: ctypes.c_void_p) -> str:
        return self._text("ProgramLog", prog).rstrip(b"\0").decode()

    def getLoweredName(self, prog: ctypes.c_void_p, name: str) -> str:
        found = ctypes.c_char_p()
        self._check(self.library.nvrtcGetLoweredName(prog, name.encode(), ctypes.byref(found)))
        return (found.value or b"").decode()


@pytest.fixture(params=sorted(VERSIONS))
def version(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    """NVRTC of a version in the place of CuPy's."""
    path = pathlib.Path(sysconfig.get_path("purelib")) / VERSIONS[request.param]
    if not path.exists():
        pytest.skip(f"{PACKAGES[request.param]} is not installed: NVRTC of CUDA {request.param}")
    monkeypatch.setattr(nvrtc, "binding", lambda: Binding(path))
    return int(request.param)


@functools.cache
def _instances(arch: str) -> Any:
    from bench.kernels import instances

    return instances.recorded([arch])[arch]


def _compiled(source: pathlib.Path, arch: str, dtype: np.dtype[Any] | None) -> tuple[nvrtc.Compiled, list[str]]:
    """Every kernel of a source that the launchers use, in one compilation."""
    from pyneural.cuda import gpu, toolchain

    name = None if dtype is None else dtype.name
    wanted = [each.name for each in _instances(arch) if (each.source, each.dtype) == (source.stem, name)]
    module = gpu.GPUModule(source.read_text(), str(source), element_option(dtype), [toolchain.CSRC / "include"])
    wanted += [each for each in module._plain if each not in wanted]
    return module._compiled(tuple(wanted), arch), wanted


def _check(source: pathlib.Path, arch: str, usual: bool) -> None:
    names = {each.dtype for each in _instances(arch) if each.source == source.stem}
    chosen = [each for each in sorted(names, key=str) if (each in (None, "float32")) == usual]
    if not chosen:
        pytest.skip(f"no kernel of {source.name} is used in {'float32' if usual else 'another dtype'} on {arch}")
    for name in chosen:
        dtype = None if name is None else _dtype(name)
        compiled, kernels = _compiled(source, arch, dtype)
        assert compiled.path.read_bytes()[:4] == b"\x7fELF"
        for kernel in kernels:
            assert compiled.lowered[kernel]
            parameters = compiled.parameters[kernel]
            assert parameters, kernel
            assert all(each.size > 0 and each.kind in (0, 1, 2) for each in parameters)
        if name is not None:
            types = {each.type for kernel in kernels for each in compiled.parameters[kernel] if each.kind == 1}
            held = {"float32": "f4", "float64": "f8", "float16": "half", "bfloat16": "bfloat16"}.get(name)
            assert held is None or held in types or source.stem == "optimizer", (source, types)


def _dtype(name: str) -> np.dtype[Any]:
    from pyneural.kernels import dtypes

    return next(each for each in dtypes.ALL if each.name == name)


_ARCHITECTURE = {12: "sm_80", 13: "sm_90a"}


@pytest.mark.parametrize("source", SOURCES, ids=lambda each: each.stem)
def test_float32(source: pathlib.Path, version: int) -> None:
    """Of CUDA 12 for an A100, of CUDA 13 for an H100."""
    _check(source, _ARCHITECTURE[version], usual=True)


@pytest.mark.slow
@pytest.mark.parametrize("source", SOURCES, ids=lambda each: each.stem)
def test_other_dtypes(source: pathlib.Path, version: int) -> None:
    _check(source, _ARCHITECTURE[version], usual=False)


@pytest.mark.slow
@pytest.mark.parametrize("source", SOURCES, ids=lambda each: each.stem)
def test_the_other_architecture(source: pathlib.Path, version: int) -> None:
    _check(source, _ARCHITECTURE[25 - version], usual=True)


@pytest.mark.parametrize("arch", ["sm_80", "sm_90a"])
def test_ceilings(arch: str, version: int) -> None:
    """What `pyneural bench --device cuda` measures a card's arithmetic with."""
    from pyneural.cuda import gpu, toolchain

    halves = ["mma_sync", *["wgmma_async"] * (arch == "sm_90a")]
    wanted = [("multiply_add", each) for each in ("float32", "float64")]
    for name, dtype in [*wanted, *((each, dtype) for each in halves for dtype in ("float16", "bfloat16"))]:
        source = toolchain.CSRC / "ceilings" / f"{name}.cu"
        options = element_option(_dtype(dtype))
        module = gpu.GPUModule(source.read_text(), str(source), options, [toolchain.CSRC / "include"])
        assert len(module.compiled(name, arch).parameters[name]) == 3


def test_signatures(version: int) -> None:
    """What NVRTC says of parameters is what the simulator's compiler says."""
    text = """
#include <cuda_fp16.h>
#include <cuda_bf16.h>
enum class Way : unsigned char { Up, Down };
struct Pair { double a; int b; };
template <typename T, Way W> __global__ void many(
    const T* x, T* y, void* z, const float4* v, Pair pair, const Pair* pairs, float3 f, bool b, char c, unsigned char u,
    short s, unsigned short us, int i, unsigned n, long l, long long ll, unsigned long long ull, float g, double d,
    __half h, __nv_bfloat16 bf, Way w, T** rows) {}
"""
    from pyneural import cuda
    from pyneural.cuda import gpu

    module = gpu.GPUModule(text, "<source>", [], [])
    kernel = "many<double, Way::Down>"
    from pyneural.cuda import toolchain

    module.include = [toolchain.CSRC / "include"]
    found = module.compiled(kernel, "sm_80").parameters[kernel]
    assert [str(each) for each in found] == [str(each) for each in cuda.compile(text, "simulator")[kernel].parameters]
    assert found == cuda.compile(text, "simulator")[kernel].parameters


def test_errors_carry_the_users_line(version: int) -> None:
    from pyneural.cuda import gpu, toolchain

    module = gpu.GPUModule("__global__ void f(int* x) {\n  x[0] = missing;\n}\n", "<source>", [], [])
    module.include = [toolchain.CSRC / "include"]
    with pytest.raises(CompileError, match=r'<source>:2: error: identifier "missing" is undefined'):
        module.compiled("f", "sm_80")


@pytest.mark.parametrize("ladder", ladders.names())
def test_ladders(ladder: str, version: int) -> None:
    """Every rung's kernels, for the architecture that it names."""
    from bench import cuda_ladders
    from pyneural.cuda import gpu, toolchain

    for rung in ladders.ladder(ladder):
        text = rung.path.read_text()
        if "cooperative_groups" in text and not any(
            (each / "nv" / "target").exists() for each in nvrtc.headers(version)
        ):
            continue  # what that header needs comes with a toolkit, not with the compiler's package
        its = cuda_ladders.problem(rung)
        calls = rung.prepare(*its.inputs, **its.attributes).calls
        module = gpu.GPUModule(text, str(rung.path), [], [toolchain.CSRC / "include"])
        plain = {call.kernel for call in calls if "<" not in call.kernel}
        for kernels in [tuple(sorted(plain))] * bool(plain) + [(call.kernel,) for call in calls if "<" in call.kernel]:
            compiled = module._compiled(kernels, rung.header.arch)
            for call in calls:
                if call.kernel in kernels:
                    assert len(compiled.parameters[call.kernel]) == len(call.arguments)
