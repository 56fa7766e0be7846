"""What works on this machine, why the rest does not, and the command that mends it."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import shutil
import subprocess
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pyneural import kernels
from pyneural.cuda import gpu
from pyneural.device import device as find_device
from pyneural.device import unavailable

_PACKAGES = ("pyneural", "numpy", "numba", "llvmlite", "scipy", "ml_dtypes", "safetensors", "typer", "rich")
_OPTIONAL = {
    "sklearn": "scikit-learn",
    "matplotlib": "matplotlib",
    "PIL": "pillow",
    "mlxtend": "mlxtend",
    "river": "river",
    "arch": "arch",
    "skimage": "scikit-image",
    "pywt": "PyWavelets",
    "pydicom": "pydicom",
    "gymnasium": "gymnasium",
    "Box2D": "Box2D",
    "pygame": "pygame-ce",
    "sacrebleu": "sacrebleu",
}
_CPU_FEATURES = ("sse4.2", "avx", "avx2", "fma", "f16c", "avx512f", "avx512bf16", "avx512fp16", "neon", "sve")


@dataclass(frozen=True)
class Check:
    """One thing that works or does not.

    Attributes:
        ok: whether it works.
        detail: what was found, or why it does not work.
        mend: the command that mends it; None where it works.
        required: whether pyneural is of no use without it.
    """

    name: str
    ok: bool
    detail: str
    mend: str | None = None
    required: bool = False


@dataclass(frozen=True)
class Examination:
    """All that `examine` found."""

    devices: tuple[Check, ...]
    tools: tuple[Check, ...]
    machine: dict[str, Any]
    versions: dict[str, str]

    @property
    def ok(self) -> bool:
        """True if everything required works."""
        return all(each.ok for each in (*self.devices, *self.tools) if each.required)

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {"ok": self.ok, **asdict(self)}


def examine() -> Examination:
    """Try every device and tool. Takes a few seconds where kernels are not compiled yet."""
    found = devices()
    return Examination(found, (_cache(), _compiler(), *_extras()), _machine(), versions())


def devices() -> tuple[Check, ...]:
    """Every device: a small computation on those that should work, the reason for the others."""
    checks = [
        _computes("cpu", "numba_cpu", "pip install --force-reinstall numba llvmlite"),
        _computes("reference", "reference", "pip install --force-reinstall numpy"),
    ]
    obstacle = gpu.obstacle()
    if obstacle is not None:
        checks.append(Check("cuda", False, obstacle.reason, obstacle.mend))
    else:
        checks.append(_computes("cuda", None, "make gpu-check", required=False))
    missing = unavailable()
    if "simulator" in missing:
        checks.append(Check("simulator", False, missing["simulator"], "pip install ziglang"))
    else:
        checks.append(_computes("simulator", "cuda", "pip install ziglang", required=False))
    return tuple(checks)


_ABOUT = {
    "reference": "NumPy, slow, obviously right",
    "simulator": "CUDA C++ kernels on the CPU",
}


def _computes(device: str, backend: str | None, mend: str, required: bool = True) -> Check:
    """Compare a sum that is large enough for every thread with NumPy's."""
    x = np.arange(100_000, dtype=np.float32)
    try:
        if backend is None:
            there = find_device(device)
            moved = there.from_host(x)
            y = there.to_host(there.kernels.add(moved, moved))
        else:
            y = kernels.backend(backend).add(x, x)
    except Exception as error:  # whatever is wrong with an installation is what this is here to say
        return Check(device, False, f"{type(error).__name__}: {error}", mend, required)
    if not np.array_equal(y, x + x):
        at = int(np.flatnonzero(y != x + x)[0])
        return Check(device, False, f"its sum at {at} is {y[at]}, not {x[at] + x[at]}", mend, required)
    return Check(device, True, _ABOUT.get(device) or (_gpus() if device == "cuda" else _threads()), required=required)


def _gpus() -> str:
    import cupy

    names = []
    for index in range(gpu.count()):
        name = cupy.cuda.runtime.getDeviceProperties(index)["name"]
        names.append(name.decode() if isinstance(name, bytes) else str(name))
    return f"CUDA C++ kernels on {', '.join(names)}, CuPy {cupy.__version__}"


def _threads() -> str:
    import numba

    return f"Numba kernels, {numba.get_num_threads()} threads ({numba.threading_layer()})"  # type: ignore[attr-defined]


def _cache() -> Check:
    from pyneural.kernels.jit import cache_folder

    folder = cache_folder()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        return Check("kernel cache", False, f"{folder}: {error.strerror}", 'export PYNEURAL_CACHE_DIR="$(mktemp -d)"')
    count = sum(1 for _ in folder.glob("*.nbc"))
    return Check("kernel cache", True, f"{folder}, {count} compiled")


def _compiler() -> Check:
    """A host C++ compiler: CUDA C++ on the simulator needs one."""
    for command in filter(None, (os.environ.get("CXX"), "c++", "g++", "clang++")):
        path = shutil.which(command)
        if path is not None:
            try:
                shown = subprocess.run([path, "--version"], capture_output=True, text=True, timeout=10, check=True)
            except (OSError, subprocess.SubprocessError) as error:
                return Check("C++ compiler", False, f"{path}: {error}", "pip install ziglang")
            return Check("C++ compiler", True, f"{path}: {shown.stdout.splitlines()[0]}")
    zig = _version("ziglang")
    if zig is not None:
        return Check("C++ compiler", True, f"clang of ziglang {zig}")
    return Check("C++ compiler", False, "none of $CXX, c++, g++, clang++ is there", "pip install ziglang")


def _extras() -> tuple[Check, ...]:
    checks = []
    for package in _OPTIONAL.values():
        version = _version(package)
        if version is None:
            checks.append(
                Check(package, False, "not installed; the applications need it", 'pip install "pyneural[apps]"')
            )
        else:
            checks.append(Check(package, True, version))
    return tuple(checks)


def _machine() -> dict[str, Any]:
    return {
        "system": platform.platform(),
        "python": platform.python_version(),
        "cpu": _cpu_name(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "cpu_features": cpu_features(),
    }


def _cpu_name() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())


def cpu_features() -> list[str]:
    """The vector instructions of this CPU that kernels may use."""
    try:
        import llvmlite.binding as llvm

        present = llvm.get_host_cpu_features()
    except Exception:  # llvmlite raises RuntimeError where LLVM does not know the host
        return []
    return [name for name in _CPU_FEATURES if present.get(name)]


def versions() -> dict[str, str]:
    """The versions of pyneural, Python and the packages it stands on."""
    found = {name: _version(name) for name in (*_PACKAGES, *_OPTIONAL.values())}
    return {"python": platform.python_version(), **{name: each for name, each in found.items() if each is not None}}


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None
