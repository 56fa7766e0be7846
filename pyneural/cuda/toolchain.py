"""The host C++ compiler: found, asked, and its errors read."""

from __future__ import annotations

import concurrent.futures
import functools
import hashlib
import os
import pathlib
import platform
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass

import pyneural.csrc

from .errors import CompileError, CompilerNotFoundError, Diagnostic

CSRC = pathlib.Path(pyneural.csrc.__file__).parent
SIMULATOR = CSRC / "simulator"
STANDARD = "-std=c++17"


def cache_folder() -> pathlib.Path:
    """`$PYNEURAL_CACHE_DIR`, else `$XDG_CACHE_HOME/pyneural`, else `~/.cache/pyneural`; in it `simulator`."""
    root = os.environ.get("PYNEURAL_CACHE_DIR")
    if not root:
        root = str(pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache") / "pyneural")
    return pathlib.Path(root) / "simulator"


@dataclass(frozen=True)
class Compiler:
    command: tuple[str, ...]
    version: str

    @property
    def gnu(self) -> bool:
        return "clang" not in self.version

    def flags(self, instrumented: bool) -> list[str]:
        flags = [
            "-O2", "-g1", "-gdwarf-4", "-fPIC", "-w", "-pthread", "-fvisibility=hidden", "-ffp-contract=fast",
            "-fno-strict-aliasing", "-fno-math-errno", "-fno-finite-loops", "-fno-stack-protector", "-U_FORTIFY_SOURCE",
        ]  # fmt: skip
        if self.gnu:
            flags += ["-fno-gnu-unique", "-fdiagnostics-color=never", "-fno-diagnostics-show-caret"]
            if platform.machine() == "x86_64":
                flags += ["-mtls-dialect=gnu2"]
        else:
            flags += ["-fno-color-diagnostics", "-fno-caret-diagnostics", "-fno-sanitize=undefined", "-UNDEBUG"]
        if platform.machine() == "x86_64":
            flags += ["-march=native"] if "zig" not in self.version else ["-mcpu=native"]
        if instrumented:
            flags += ["-DPNSIM_INSTRUMENTED", "-fsanitize=thread", "-fsanitize=bounds"]
            if self.gnu:
                # A float4 stays one access of 16 bytes, and a volatile one is told from a plain one.
                flags += [
                    "-fno-tree-sra",
                    "--param=tsan-distinguish-volatile=1",
                    "--param=tsan-instrument-func-entry-exit=0",
                ]
            else:
                # clang leaves out a read that a write to the same place follows, unless told not to.
                for name in (
                    "distinguish-volatile=1",
                    "instrument-func-entry-exit=0",
                    "instrument-read-before-write=1",
                ):
                    flags += ["-mllvm", f"-tsan-{name}"]
        return flags


@functools.cache
def compiler() -> Compiler:
    """`$CXX`, else g++, clang++, c++, or the clang of the package ziglang.

    Raises CompilerNotFoundError, which says how to install one.
    """
    candidates: list[list[str]] = []
    chosen = os.environ.get("CXX")
    if chosen:
        candidates.append(shlex.split(chosen))
    else:
        candidates += [[name] for name in ("g++", "clang++", "c++") if shutil.which(name)]
        candidates.append([sys.executable, "-m", "ziglang", "c++"])
    for command in candidates:
        try:
            answer = subprocess.run([*command, "--version"], capture_output=True, text=True, timeout=60, check=False)
        except OSError:
            continue
        if answer.returncode == 0:
            return Compiler(tuple(command), answer.stdout.strip() + (" zig" if "ziglang" in command else ""))
    where = f"CXX={chosen!r} does not run" if chosen else "no g++, clang++ or ziglang was found"
    raise CompilerNotFoundError(
        f"the CUDA simulator needs a C++ compiler: {where}; install one with `pip install ziglang`, "
        "or `apt install g++` (Debian, Ubuntu), `dnf install gcc-c++` (Fedora)"
    )


def _run(command: list[str]) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "LC_ALL": "C"}
    return subprocess.run(command, capture_output=True, text=True, env=environment, check=False)


_ERROR = re.compile(
    r"^(?P<file>[^\n:]+):(?P<line>\d+)(?::(?P<column>\d+))?: (?:fatal )?error: (?P<message>.*)$", re.MULTILINE
)


def diagnostics(log: str) -> list[Diagnostic]:
    """The errors in what a compiler wrote."""
    return [
        Diagnostic(m["file"], int(m["line"]), int(m["column"] or 0), f"error: {m['message']}")
        for m in _ERROR.finditer(log)
    ]


def write_whole(path: pathlib.Path, data: bytes) -> None:
    """Write a file that another process may be reading: it sees the old one or the new one."""
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        part = pathlib.Path(folder) / path.name
        part.write_bytes(data)
        os.replace(part, path)


def build(source: str, output: pathlib.Path, options: list[str], instrumented: bool, library: pathlib.Path) -> None:
    """Compiles C++ into a shared object that calls the simulator's library.

    Raises CompileError.
    """
    tool = compiler()
    output.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=output.parent) as folder:
        cpp, obj, so = (pathlib.Path(folder) / name for name in ("unit.cpp", "unit.o", "unit.so"))
        cpp.write_text(source)
        standard = [] if any(o.startswith(("-std", "--std")) for o in options) else [STANDARD]
        read_with = [*standard, *(o for o in options if o.startswith(("-std", "--std", "-D__CUDA_ARCH__")))]

        def compiled(prelude: str) -> subprocess.CompletedProcess[str]:
            command = [
                *tool.command, *standard, *tool.flags(instrumented), "-I", str(SIMULATOR / "include"),
                "-include", prelude, *options, "-c", str(cpp), "-o", str(obj),
            ]  # fmt: skip
            return _run(command)

        result = compiled(_prelude(tuple(read_with), instrumented))
        if result.returncode and "PCH" in result.stderr:  # its place in memory is taken
            result = compiled("cuda_runtime.h")
        if result.returncode:
            raise CompileError(diagnostics(result.stderr), result.stderr)
        # Optimised and without sanitizers, or zig links its own runtime for them.
        flags = ["-shared", "-O2", "-pthread", "-Wl,-Bsymbolic", "-Wl,--no-undefined", f"-Wl,-rpath,{library.parent}"]
        flags += [] if tool.gnu else ["-fno-sanitize=undefined"]
        result = _run([*tool.command, *flags, str(obj), str(library), "-o", str(so)])
        if result.returncode:
            raise CompileError([Diagnostic("link", 0, 0, line) for line in _undefined(result.stderr)], result.stderr)
        os.replace(so, output)


@functools.cache
def _prelude(options: tuple[str, ...], instrumented: bool) -> str:
    """The header that every kernel begins with, for g++ parsed beforehand: three quarters of a small kernel's time.

    g++ itself reads the text where it was parsed with other options. clang has another scheme, and reads it always.
    """
    tool, header = compiler(), SIMULATOR / "include" / "cuda_runtime.h"
    if not tool.gnu:
        return header.name
    key = hashlib.sha256(repr((options, instrumented)).encode()).hexdigest()[:8]
    folder = cache_folder() / f"prelude-{fingerprint()}-{key}"
    text, parsed = folder / header.name, folder / f"{header.name}.gch"
    if not parsed.exists():
        folder.mkdir(parents=True, exist_ok=True)
        write_whole(text, f"#include <{header.name}>\n".encode())
        with tempfile.TemporaryDirectory(dir=folder) as place:
            new = pathlib.Path(place) / header.name
            flags = [*tool.flags(instrumented), "-I", str(header.parent), "-x", "c++-header"]
            if _run([*tool.command, *options, *flags, str(text), "-o", f"{new}.gch"]).returncode:
                return header.name  # and the kernel's own compilation says why
            os.replace(f"{new}.gch", parsed)
    return str(text)


def _undefined(log: str) -> list[str]:
    names = sorted(set(re.findall(r"undefined (?:reference to|symbol:) [`']?([^`'\n]+)", log)))
    return [f"error: {name} is declared but defined nowhere, nor by the simulator" for name in names]


@functools.cache
def fingerprint() -> str:
    """Of the simulator's sources and the compiler: part of every key in the cache."""
    digest = hashlib.sha256(compiler().version.encode() + platform.machine().encode() + _processor().encode())
    for path in sorted(SIMULATOR.rglob("*")):
        if path.is_file():
            digest.update(path.name.encode() + path.read_bytes())
    digest.update(pathlib.Path(__file__).read_bytes())
    return digest.hexdigest()[:16]


def _processor() -> str:
    """Machine code for this processor must not be found by another one that shares the folder."""
    try:
        text = pathlib.Path("/proc/cpuinfo").read_text()
    except OSError:
        return platform.processor()
    return next((line for line in text.splitlines() if line.startswith(("flags", "Features"))), "")


@functools.cache
def runtime_library() -> pathlib.Path:
    """The simulator itself, compiled on first use."""
    path = cache_folder() / f"libpnsim-{fingerprint()}.so"
    if path.exists():
        return path
    tool = compiler()
    path.parent.mkdir(parents=True, exist_ok=True)
    flags = ["-O2", "-g1", "-gdwarf-4", "-fPIC", "-pthread", "-w", "-U_FORTIFY_SOURCE", "-ftls-model=initial-exec"]
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        objects = {source: f"{folder}/{source.stem}.o" for source in (SIMULATOR / "runtime").glob("*.cpp")}

        def compile_one(source: pathlib.Path) -> subprocess.CompletedProcess[str]:
            return _run([*tool.command, STANDARD, *flags, "-c", str(source), "-o", objects[source]])

        with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
            for result in pool.map(compile_one, objects):
                if result.returncode:
                    raise CompileError(diagnostics(result.stderr), result.stderr)
        so = f"{folder}/{path.name}"
        soname = f"-Wl,-soname,{path.name}"
        result = _run([*tool.command, "-shared", "-pthread", soname, *objects.values(), "-o", so, "-ldl"])
        if result.returncode:
            raise CompileError([Diagnostic("link", 0, 0, line) for line in _undefined(result.stderr)], result.stderr)
        os.replace(so, path)
    return path


def build_program(sources: list[pathlib.Path], path: pathlib.Path, library: pathlib.Path) -> None:
    """Compiles an executable that uses the simulator's library. Raises CompileError."""
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        made = pathlib.Path(folder) / path.name
        command = [
            *compiler().command, STANDARD, "-O2", "-w", "-pthread", *map(str, sources), str(library),
            f"-Wl,-rpath,{library.parent}", "-ldl", "-o", str(made),
        ]  # fmt: skip
        result = _run(command)
        if result.returncode:
            raise CompileError(diagnostics(result.stderr), result.stderr)
        os.replace(made, path)
