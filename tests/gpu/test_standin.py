"""The stand-in for CuPy has nothing that CuPy has not: names, and how they are called.

Where CuPy is installed, with or without a GPU, each name is compared with the real package.
"""

from __future__ import annotations

import importlib.util
import json
import pathlib
import subprocess
import sys

import pytest

STANDIN = pathlib.Path(__file__).resolve().parents[1] / "standin"

# Run with the stand-in first and with the real package, each in a process of its own.
_NAMES = """
import importlib, inspect, json, sys
ours = json.loads(sys.argv[1]) if len(sys.argv) > 1 else None
MODULES = ("cupy", "cupy.cuda", "cupy.cuda.driver", "cupy.cuda.graph", "cupy.cuda.memory", "cupy.cuda.nvrtc",
           "cupy.cuda.runtime", "cupy.lib.stride_tricks")
OWN = {"STANDIN", "annotations", "Any", "np", "numpy", "weakref", "json", "re", "threading", "time", "pathlib", "math",
       "Callable", "Iterator", "contextlib"}

def found_by(module):  # some are attributes of cupy.cuda and cannot be imported
    parts = module.split(".")
    thing = importlib.import_module(parts[0])
    for part in parts[1:]:
        thing = getattr(thing, part)
    return thing

def parameters(thing):
    try:
        names = inspect.signature(thing).parameters
        return [name for name in names if name not in ("self", "args", "kwargs")]
    except (TypeError, ValueError):
        return None

if ours is None:
    found = {}
    for module in MODULES:
        names = {}
        for name, thing in vars(found_by(module)).items():
            if name.startswith("_") or name in OWN or name.isupper():
                continue
            members = {}
            if inspect.isclass(thing):
                members = {each: parameters(value) if callable(value) else None
                           for each, value in vars(thing).items() if not each.startswith("_")}
            names[name] = [parameters(thing), members]
        found[module] = names
    print(json.dumps(found))
else:
    wrong = []
    for module, names in ours.items():
        real = found_by(module)
        for name, (given, members) in names.items():
            if not hasattr(real, name):
                wrong.append(f"{module}.{name}")
                continue
            thing = getattr(real, name)
            known = parameters(thing)
            if given is not None and known is not None and not inspect.isclass(thing):
                wrong += [f"{module}.{name}({each})" for each in given if each not in known]
            for member, taken in members.items():
                if not hasattr(thing, member) and member not in ("data", "mem", "ptr", "device_id", "id"):
                    wrong.append(f"{module}.{name}.{member}")
                    continue
                known = parameters(getattr(thing, member, None))
                if taken is not None and known is not None:
                    wrong += [f"{module}.{name}.{member}({each})" for each in taken if each not in known]
    print(json.dumps(wrong))
"""


@pytest.fixture(scope="module", autouse=True)
def standin() -> None:
    """The names are read in processes of their own."""


def test_every_name_is_cupys() -> None:
    if importlib.util.find_spec("cupy") is None:
        pytest.skip("CuPy is not installed: pip install cupy-cuda12x, which no GPU is needed for")
    read = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(STANDIN)!r})\n{_NAMES}"],
        capture_output=True, text=True, check=True, timeout=120,
    )  # fmt: skip
    ours = json.loads(read.stdout)
    assert "ndarray" in ours["cupy"]
    assert "compileProgram" in ours["cupy.cuda.nvrtc"]
    compared = subprocess.run(
        [sys.executable, "-c", _NAMES, json.dumps(ours)], capture_output=True, text=True, check=True, timeout=120
    )
    assert json.loads(compared.stdout.splitlines()[-1]) == []


def test_views_have_cupys_layout() -> None:
    """Shapes and strides of views, which pyneural's launchers read, computed by the real package on made-up memory."""
    if importlib.util.find_spec("cupy") is None:
        pytest.skip("CuPy is not installed: pip install cupy-cuda12x, which no GPU is needed for")
    code = """
import json, sys
import numpy as np, cupy
from cupy.cuda import memory
held = np.zeros(4096, np.uint8)

def array(shape, dtype):
    if hasattr(cupy, "STANDIN"):
        return cupy.empty(shape, dtype)
    block = memory.UnownedMemory(held.ctypes.data, 4096, held, 0)
    return cupy.ndarray(shape, dtype, memptr=memory.MemoryPointer(block, 0))

found = []
for x in (array((3, 4), np.float32), array((), np.float64), array((0, 3), np.int8), array((2, 1, 5), np.float16)):
    views = [x, x.T, x[None], x.reshape(-1), x.view(np.uint8) if x.ndim and x.size else x, x[...]]
    if x.ndim > 1:
        views += [x[::-1], x[:, ::2], x.transpose(*range(x.ndim)[::-1])]
    if x.size:
        views.append(cupy.lib.stride_tricks.as_strided(x, (1, 2), (0, 0)))
    for v in views:
        found.append([v.shape, v.strides if v.size else 0, str(v.dtype), v.flags.c_contiguous, v.nbytes, v.ndim, v.size,
                      v.data.ptr - x.data.ptr if v.size else 0])
try:
    np.asarray(array((2,), np.float32))
except TypeError as error:
    found.append(str(error))
print(json.dumps(found))
"""
    ours, real = (
        subprocess.run([sys.executable, "-c", head + code], capture_output=True, text=True, check=True, timeout=120)
        for head in (f"import sys; sys.path.insert(0, {str(STANDIN)!r})\n", "")
    )
    assert json.loads(ours.stdout) == json.loads(real.stdout)
