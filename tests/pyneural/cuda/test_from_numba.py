"""Kernels of Numba's as CUDA C++ give what Numba gives, and say at which Python line something is wrong."""

from __future__ import annotations

import itertools
import linecache
import os
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import numba
import numpy as np
import pytest
from numba import cuda as numba_cuda

from pyneural import cuda
from pyneural.cuda import numba_types
from pyneural.kernels import OPERATIONS, Operation, accuracy, backend, dtypes, numba_launch
from tests.conftest import SEED

from . import numba_subjects as subjects

pytestmark = pytest.mark.skipif(bool(numba.config.ENABLE_CUDASIM), reason="Numba's own simulator is on")


@pytest.fixture(scope="module")
def of_numba(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The arrays of all subjects after a run in Numba's simulator."""
    file = tmp_path_factory.mktemp("numba") / "found.npz"
    command = [sys.executable, subjects.__file__, str(file), str(SEED)]
    subprocess.run(command, check=True, env={**os.environ, "NUMBA_ENABLE_CUDASIM": "1"}, timeout=300)
    with np.load(file) as found:
        return dict(found)


@pytest.mark.parametrize("subject", subjects.SUBJECTS, ids=lambda each: each.kernel.name)
def test_as_in_the_simulator_of_numba(subject: subjects.Subject, of_numba: dict[str, Any]) -> None:
    arguments = subject.arguments(np.random.default_rng(SEED))
    kernel = cuda.from_numba(subject.kernel.function, arguments)
    kernel[subject.grid, subject.block](*arguments)
    for k, found in enumerate(arguments):
        if isinstance(found, np.ndarray):
            np.testing.assert_allclose(found, of_numba[f"{kernel.name}.{k}"], rtol=2e-6, atol=1e-6)
    again = subject.arguments(np.random.default_rng(SEED))
    report = cuda.sanitize(kernel, schedule=SEED)[subject.grid, subject.block](*again)
    assert report.ok, report


WHOLE = ("a + b", "a - b", "a * b", "a // b", "a % b", "a / b", "a & b", "a | b", "a ^ b", "~a", "-a", "abs(a)",
         "a < b", "a == b", "a >= b", "a << (b & 7)", "a >> (b & 7)", "a ** (b & 3)", "a * 2 + 1", "a / 2", "a // 2.5",
         "a % 2.5", "a + 0.5", "float32(a) * 0.1", "int32(a * 1.7)", "float32(a) * float32(b)", "not a", "a and b",
         "a if a > b else b", "min(a, b)", "max(a, b, 3)", "int64(a) % -7", "int64(a) // -7", "uint8(a)",
         "a < -1 < b")  # fmt: skip
REAL = ("a + b", "a - b", "a * b", "a / b", "a // b", "a % b", "-a", "abs(a)", "a < b", "a != b", "a ** 2", "a ** b",
        "a * 2", "a * 0.1", "a / 3", "int64(a * 100)", "int32(b)", "float32(a) + b", "math.sqrt(abs(a))", "min(a, 0)",
        "max(a, b)", "math.exp(a)", "math.floor(a)", "math.copysign(a, b)", "a or b", "bool(a)",
        "math.log1p(abs(a))", "math.hypot(a, b)", "a // 1", "a % 1", "round(a * 3)", "a - 1 if a else b")  # fmt: skip
PAIRS = [("int64", "int64"), ("int32", "int64"), ("int32", "int32"), ("int16", "uint8"), ("uint32", "int32"),
         ("uint64", "int64"), ("uint64", "uint64"), ("bool", "int32")]  # fmt: skip


@pytest.mark.parametrize(
    ("first", "second", "expressions"),
    [(*pair, WHOLE) for pair in PAIRS]
    + [(*pair, REAL) for pair in itertools.product(("float32", "float64"), repeat=2)]
    + [("float32", "int64", ("a + b", "a * b", "a / b", "a // b", "a % b", "a < b", "max(a, b)"))],
)
def test_arithmetic_is_numba_s(first: str, second: str, expressions: tuple[str, ...], rng: np.random.Generator) -> None:
    """Each expression on the CPU, as Numba compiles it, and translated: the same bits, but for functions."""
    if first == "bool":
        expressions = tuple(
            each for each in expressions if not any(s in each for s in ("-a", "~", "abs", "**", "<<", ">>"))
        )
    if "uint64" in (first, second) and first != second:  # a float of 64 bits, which knows no bits
        expressions = tuple(each for each in expressions if not any(s in each for s in "&|^~<>") or each == "a < b")
    body = "".join(f"    out[{k}] = {each}\n" for k, each in enumerate(expressions))
    kernel_body = "".join(f"    out[i, {k}] = {each}\n" for k, each in enumerate(expressions))
    head = "def every(x, y, out):\n    i = cuda.grid(1)\n    a, b = x[i], y[i]\n"
    text = f"def one(a, b, out):\n{body}\n{head}{kernel_body}"
    space: dict[str, Any] = {"math": __import__("math"), "cuda": numba_cuda}
    space |= {name: getattr(numba, name) for name in ("float32", "int32", "int64", "uint8")}
    name = f"<arithmetic {first} {second}>"
    linecache.cache[name] = len(text), None, text.splitlines(True), name
    exec(compile(text, name, "exec"), space)
    count = 64
    x, y = (_values(rng, count, kind) for kind in (first, second))
    expected, found = np.zeros((count, len(expressions))), np.zeros((count, len(expressions)))
    one = numba.njit(space["one"], error_model="numpy")
    for i in range(count):
        one(x[i], y[i], expected[i])
    translated = cuda.from_numba(space["every"], (x, y, found), options=("-ffp-contract=off",))
    translated[2, 32](x, y, found)
    for k, each in enumerate(expressions):
        ulps = 4 if any(word in each for word in ("math.", "**")) else 0
        scale = 2.0**-23 if "float32" in (first, second) else 2.0**-52
        np.testing.assert_allclose(found[:, k], expected[:, k], rtol=ulps * scale, atol=0, err_msg=each)


def _values(rng: np.random.Generator, count: int, kind: str) -> Any:
    """With zeros, ones and negative numbers among them."""
    if kind == "bool":
        return rng.integers(0, 2, count).astype(bool)
    if kind.startswith("float"):
        values = rng.standard_normal(count).astype(kind) * 4
    else:
        values = rng.integers(0 if kind.startswith("u") else -20, 100, count).astype(kind)
    values[rng.integers(0, count, 12)] = np.array([0, 1, 2] * 4, kind)
    return values


SUBJECT = backend("numba_cuda")
FEW = ("add", "softmax", "matmul", "sum", "layer_norm", "embedding_backward")
LARGEST = 3000


@pytest.mark.parametrize(
    "operation",
    [
        pytest.param(each, id=each.name, marks=[] if each.name in FEW else [pytest.mark.simulator])
        for each in OPERATIONS.values()
        if SUBJECT.has(each)
    ],
)
def test_own_kernels_match_the_reference(operation: Operation, rng: np.random.Generator) -> None:
    """The kernels of the backend numba_cuda, with the threads of a GPU, in every dtype they compute in."""
    kernels: dict[Any, Any] = {}
    launches = 0

    def run(launch: numba_launch.Launch) -> None:
        nonlocal launches
        key = launch.kernel, tuple(_kind(each) for each in launch.arguments)
        if key not in kernels:
            kernels[key] = cuda.from_numba(launch.kernel.function, launch.arguments)
        kernels[key][launch.grid, launch.block](*launch.arguments)
        launches += 1

    few = operation.name in FEW
    for dtype in [each for each in operation.dtypes if each != dtypes.bfloat16][: 1 if few else None]:
        for number, sample in enumerate(operation.samples(rng, dtype)):
            if (few and number > 8) or not _small(sample):
                continue
            with numba_launch.launched_by(run):
                report = accuracy.compare(operation, sample, SUBJECT)
            assert report.ok, f"{dtype} {sample.name}: {report.message}"
    assert launches


def _kind(value: Any) -> Any:
    return (value.dtype, value.ndim) if isinstance(value, np.ndarray) else (type(value), str(numba.typeof(value)))


def _small(sample: Any) -> bool:
    values = list(_leaves([*sample.args, *sample.kwargs.values()]))
    if dtypes.bfloat16 in [*(each.dtype for each in values), sample.kwargs.get("dtype")]:
        return False
    return sum(each.size for each in values) <= LARGEST


def _leaves(value: Any) -> Any:
    if isinstance(value, (list, tuple)):
        for each in value:
            yield from _leaves(each)
    elif isinstance(value, np.ndarray):
        yield value


def _written(tmp_path: Path, text: str) -> dict[str, Any]:
    """The names of a module with this text, whose first line is the import."""
    file = tmp_path / "student.py"
    file.write_text(f"from numba import cuda, float32\n{textwrap.dedent(text).strip()}\n")
    linecache.checkcache(str(file))
    space: dict[str, Any] = {}
    exec(compile(file.read_text(), str(file), "exec"), space)
    return space


def test_warp_functions(tmp_path: Path, rng: np.random.Generator) -> None:
    kernel = _written(
        tmp_path,
        """
        @cuda.jit
        def k(x, y):
            t = cuda.threadIdx.x
            v = x[t]
            y[0, t] = cuda.shfl_down_sync(0xffffffff, v, 1)
            y[1, t] = cuda.shfl_xor_sync(0xffffffff, v, 1)
            y[2, t] = cuda.shfl_sync(0xffffffff, v, 3)
            y[3, t] = cuda.shfl_up_sync(0xffffffff, v, 2)
            y[4, t] = cuda.ballot_sync(0xffffffff, v > 0) == cuda.ballot_sync(0xffffffff, not v <= 0)
            y[5, t] = cuda.any_sync(0xffffffff, v > 90) + 2 * cuda.all_sync(0xffffffff, v > -200)
            y[6, t] = cuda.laneid + cuda.warpsize + cuda.popc(cuda.activemask()) + cuda.selp(t > 3, 1, 2)
            cuda.syncwarp()
        """,
    )["k"]
    x, y = rng.integers(-100, 100, 32).astype(np.int32), np.zeros((7, 32), np.int32)
    made = cuda.from_numba(kernel, (x, y))
    assert cuda.sanitize(made)[1, 32](x, y).ok
    lane = np.arange(32)
    down, up = x[np.minimum(lane + 1, 31)], x[np.where(lane < 2, lane, lane - 2)]
    last = lane + 64 + np.where(lane > 3, 1, 2)
    expected = [down, x[lane ^ 1], np.full(32, x[3]), up, np.ones(32), np.full(32, (x > 90).any() + 2), last]
    np.testing.assert_array_equal(y, expected)


WRONG = {
    "race": (
        """
        @cuda.jit
        def k(x, y):
            part = cuda.shared.array(64, float32)
            t = cuda.threadIdx.x
            part[t] = x[t]
            y[t] = part[63 - t]
        """,
        "race: thread 32 of block 0 writes shared part[32], which thread 31 of the same block read (line 7) with no "
        "cuda.syncthreads() between",
        6,
    ),
    "bounds": (
        """
        @cuda.jit
        def k(x, y):
            i = cuda.grid(1)
            y[i] = x[
                i + 1]
        """,
        "out_of_bounds: thread 63 of block 0 reads global x[64], 4 bytes past the end of its 64 elements",
        5,
    ),
    "device": (
        """
        @cuda.jit(device=True)
        def taken(x, i):
            return x[i * 2]

        @cuda.jit
        def k(x, y):
            i = cuda.grid(1)
            y[i] = taken(x, i)
        """,
        "out_of_bounds: thread 32 of block 0 reads global x[64], 4 bytes past the end of its 64 elements",
        4,
    ),
    "shared": (
        """
        @cuda.jit
        def k(x, y):
            part = cuda.shared.array(32, float32)
            t = cuda.threadIdx.x
            part[t] = x[t]
            y[t] = 1
        """,
        "out_of_bounds: thread 32 of block 0 uses part[32], but its last element is [31]",
        6,
    ),
    "barrier": (
        """
        @cuda.jit
        def k(x, y):
            t = cuda.threadIdx.x
            if t < 20:
                cuda.syncthreads()
            y[t] = x[t]
        """,
        "divergent_barrier: thread 0 of block 0 waits at cuda.syncthreads(), but thread 20 has returned and never "
        "comes",
        6,
    ),
    "unwritten": (
        """
        @cuda.jit
        def k(x, y):
            part = cuda.shared.array(65, float32)
            t = cuda.threadIdx.x
            part[t] = x[t]
            cuda.syncthreads()
            y[t] = part[t + 1]
        """,
        "uninitialized_read: thread 63 of block 0 reads shared part[64], which nothing has written",
        8,
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_findings_name_the_python_line(name: str, tmp_path: Path) -> None:
    text, message, line = WRONG[name]
    x = np.arange(64, dtype=np.float32)
    kernel = cuda.from_numba(_written(tmp_path, text)["k"], (x, x.copy()))
    found = cuda.sanitize(kernel)[1, 64](x, x.copy()).findings[0]
    assert (f"{found.kind}: {found.message}", found.line) == (message, line)


def test_profile_counts_python_lines(tmp_path: Path) -> None:
    kernel = _written(
        tmp_path,
        """
        @cuda.jit
        def k(x, y):
            tile = cuda.shared.array((32, 32), float32)
            t = cuda.threadIdx.x
            tile[t, 0] = x[t * 8]
            cuda.syncthreads()
            y[t] = tile[0, t] + tile[t, 0]
        """,
    )["k"]
    x, y = np.zeros(256, np.float32), np.zeros(32, np.float32)
    made = cuda.from_numba(kernel, (x, y))
    profile = cuda.profile(made)[1, 32](x, y)
    assert profile.lines[6]["global_load_sectors_per_request"] == 32
    assert profile.lines[6]["shared_store_bank_conflict_ways"] == 32
    assert profile.lines[8]["global_store_sectors_per_request"] == 4
    assert profile.lines[8]["shared_load_bank_conflicts"] == 31
    assert made.static_shared == 4096
    assert "lds 16.5-way" in profile.annotated().split("\n")[7]


def test_negative_indices_count_from_the_end_or_are_out(tmp_path: Path) -> None:
    kernel = _written(tmp_path, "@cuda.jit\ndef k(x, y):\n    i = cuda.threadIdx.x\n    y[i] = x[i - 1]\n")["k"]
    x, y = np.arange(8, dtype=np.float32), np.zeros(8, np.float32)
    cuda.from_numba(kernel, (x, y))[1, 8](x, y)
    assert y[0] == 7
    strict = cuda.from_numba(kernel, (x, y), options=("-DPN_NEGATIVE_IS_OUT",))
    (found,) = cuda.sanitize(strict)[1, 8](x, y).findings
    assert (found.kind, found.line, found.thread) == ("out_of_bounds", 5, (0, 0, 0))


@pytest.mark.parametrize(
    ("body", "message", "line"),
    [
        ("y[0] = undefined", "the name undefined is not defined", 4),
        ("z = x[1:3]\n    y[0] = z[0]", "a slice cannot be used in a kernel", 4),
        ("z = [1, 2]\n    y[0] = z[0]", "list", 4),
        (
            "n = x.size\n    z = cuda.shared.array(n, float32)\n    y[0] = z[0]",
            "the shape of cuda.shared.array must",
            5,
        ),
        ("y[0] = plain(x)", "plain is a plain function", 4),
        ("y[0] = x.sum()", "Numba compiles from Python|sum", 4),
        ("y[0] = x @ y", r"matmul does not take \(array", 4),
        ("for v in x:\n        y[0] = v", "range", 4),
        ("return x[0]", "a kernel returns nothing", 4),
        ("y[0] = x", "setitem", 4),
    ],
)
def test_what_is_not_known_is_refused_at_its_line(body: str, message: str, line: int, tmp_path: Path) -> None:
    text = f"@cuda.jit\ndef k(x, y):\n    {body}\n\ndef plain(x):\n    return x[0]\n"
    file = tmp_path / "student.py"
    x = np.zeros(4, np.float32)
    kernel = _written(tmp_path, text)["k"]
    with pytest.raises(cuda.CompileError, match=message) as caught:
        cuda.from_numba(kernel, (x, x))
    (found,) = caught.value.diagnostics
    assert (found.file, found.line) == (str(file), line)


def test_arguments_are_those_of_the_types(tmp_path: Path) -> None:
    kernel = _written(tmp_path, "@cuda.jit\ndef k(x, n):\n    x[0] = n\n")["k"]
    x = np.zeros(4, np.float32)
    made = cuda.from_numba(kernel, (x, 3))
    assert made.signature == "k(array(float32, 1d, C) x, int64 n)"
    for arguments, message in (
        ((x,), r"k: takes 2 arguments"),
        ((x, 1.5), r"k: n takes int64, got 1.5"),
        ((x[None], 1), r"k: x takes an array of 1 dimensions, got of 2"),
        ((x.astype(np.float64), 1), "float32"),
    ):
        with pytest.raises(TypeError, match=message):
            made[1, 1](*arguments)
    with pytest.raises(TypeError, match="argument 1 must be a C-contiguous array"):
        cuda.from_numba(kernel, (x[::2], 3))
    with pytest.raises(TypeError, match=r"takes a function of cuda\.jit, got int"):
        cuda.from_numba(3, ())  # type: ignore[arg-type]


def test_a_negative_index_that_is_out_needs_no_relocation(tmp_path: Path) -> None:
    """One that the host compiler knows would else become part of an address in shared memory."""
    text = """
    @cuda.jit
    def k(x, y):
        part = cuda.shared.array(8, float32)
        i = cuda.threadIdx.x
        for j in range(-1, i):
            if j >= 0:
                part[j] = x[i]
        y[i] = part[-1]
    """
    x, y = np.arange(8, dtype=np.float32), np.zeros(8, np.float32)
    strict = cuda.from_numba(_written(tmp_path, text)["k"], (x, y), options=("-DPN_NEGATIVE_IS_OUT",))
    found = cuda.sanitize(strict)[1, 8](x, y).findings
    assert ("out_of_bounds", 9) in [(each.kind, each.line) for each in found], found


def test_numba_s_colours_hide_no_line() -> None:
    """It has them where colorama is installed."""

    def scale(y: Any) -> None:
        y[0.5] = 1.0

    bold, plain = "\x1b[1m", "\x1b[0m"
    said = (
        f"{bold}No implementation of function Function(setitem) found for signature:{plain}\n \n"
        f" >>> setitem(array(float32, 1d, C), float64, float64)\n"
        f'{bold}File "one.py", line 6:{plain}\n{bold}def scale(y):{plain}\n'
    )
    found = numba_types._explained(ValueError(said), scale)
    assert [(each.line, each.message) for each in found.diagnostics] == [
        (6, "error: an index must be whole numbers, not float64")
    ]
    assert "\x1b" not in str(found)
