"""`cuda.compile`: a CUDA source to a module whose kernels can be launched."""

from __future__ import annotations

import ctypes
import functools
import hashlib
import os
import pathlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from . import elf, runtime, source, toolchain, vocabulary
from .errors import CompileError, Diagnostic
from .unit import Unit, reachable

if TYPE_CHECKING:
    from .kernel import Kernel

_ANCHOR = """
#line 1 "<kernel table>"
extern "C" __attribute__((visibility("default"))) void pnsim_anchor(char** tls, const void** image) {
  static thread_local char pnsim_tls_anchor;
  static char pnsim_image_anchor;
  *tls = &pnsim_tls_anchor;
  *image = &pnsim_image_anchor;
}
"""


def is_path(text: str | os.PathLike[str]) -> bool:
    """A path, rather than source text: it has no line break, ends as a file of CUDA does, and no brace is in it."""
    return not isinstance(text, str) or (
        "\n" not in text and "{" not in text and text.rstrip().endswith((".cu", ".cuh", ".cpp", ".h", ".hpp", ".c"))
    )


@dataclass
class Sources:
    """A file and all that it includes, rewritten."""

    text: str
    file: str
    unit: Unit
    headers: dict[str, str] = field(default_factory=dict)
    """Rewritten headers by the name that stands for them in the text."""
    originals: dict[str, str] = field(default_factory=dict)
    """The files as the user wrote them."""
    shapes: dict[str, tuple[int, ...]] = field(default_factory=dict)
    """Of shared arrays that the source indexes in several dimensions."""
    words: dict[str, str] = field(default_factory=dict)
    """What findings call something, where the user's language has another name than CUDA C++."""

    def lines(self, file: str, line: int) -> str:
        """One line of the user's; empty where there is none."""
        lines = self._lines_of(file)
        return lines[line - 1] if 0 < line <= len(lines) else ""

    def _lines_of(self, file: str) -> list[str]:
        return self.originals.get(file, "").split("\n")

    def rows(self) -> set[tuple[str, int]]:
        """Lines that name a shared array of several dimensions: an inner index may pass from one row to the next."""
        found: set[tuple[str, int]] = set()
        for (name, file, first), array in self.unit.arrays.items():
            if array.dims > 1:
                named = enumerate(self._lines_of(file)[first - 1 : array.end], first)
                found.update((file, line) for line, text in named if re.search(rf"\b{name}\b", text))
        return found


def gather(text: str, file: str, folder: pathlib.Path | None, include: list[pathlib.Path]) -> Sources:
    """Rewrites `text` and every header of the user's that it includes."""
    result = Sources("", file, Unit())
    result.text = _rewrite(text, file, folder, include, result, result.unit, {})
    return result


def _rewrite(
    text: str,
    file: str,
    folder: pathlib.Path | None,
    include: list[pathlib.Path],
    result: Sources,
    total: Unit,
    seen: dict[pathlib.Path, str],
) -> str:
    text = text.replace("\r\n", "\n")
    result.originals[file] = text
    names = source.Rewriter(text, file)
    names.find_includes()
    errors = []
    pieces = []
    end = 0
    for start, stop, name, quoted in names.unit.includes:
        found = _find(name, folder if quoted else None, include)
        if found is None:
            family = re.split(r"[/_.]", name, maxsplit=1)[0]
            stem = name.rsplit(".", 1)[0]
            library = vocabulary.UNSUPPORTED_HEADERS.get(stem) or vocabulary.UNSUPPORTED_HEADERS.get(family)
            if library and not (toolchain.SIMULATOR / "include" / name).exists():
                errors.append(
                    Diagnostic(file, text.count("\n", 0, start) + 1, 1, f"{library} (<{name}>) cannot be simulated")
                )
            continue
        if found not in seen:
            seen[found] = f"pnsim-header-{len(seen)}-{found.name}"
            body = _rewrite(found.read_text(errors="replace"), str(found), found.parent, include, result, total, seen)
            result.headers[seen[found]] = body
        pieces += [text[end : start - 1], f'"@{seen[found]}"']
        end = stop + 1
    if errors:
        raise CompileError(errors)
    pieces.append(text[end:])
    plain = {k.name for k in total.kernels if not k.template}
    unit = source.rewrite("".join(pieces), file, plain)
    total.kernels += [k for k in unit.kernels if k.name not in {t.name for t in total.kernels}]
    for name in ("shared", "arrays", "constants", "devices", "functions"):
        getattr(total, name).update(getattr(unit, name))
    total.dynamic += unit.dynamic
    total.launches += unit.launches
    total.ordered |= unit.ordered
    total.has_main |= unit.has_main
    total.unclosed = total.unclosed or unit.unclosed
    escaped = file.replace("\\", "\\\\").replace('"', '\\"')
    return f'#line 1 "{escaped}"\n{unit.text}'


def _find(name: str, folder: pathlib.Path | None, include: list[pathlib.Path]) -> pathlib.Path | None:
    for place in ([folder] if folder else []) + include:
        path = (place / name).resolve()
        if path.is_file():
            return path
    return None


def compile(
    source_or_path: str | os.PathLike[str],
    target: str | None = None,
    *,
    options: tuple[str, ...] | list[str] = (),
    include: tuple[str | os.PathLike[str], ...] | list[str | os.PathLike[str]] = (),
) -> Any:
    """Compiles a CUDA source, given as text or as the path of a file.

    `target` is "simulator" or "gpu"; by default "gpu" where there is one. `options` are the compiler's
    (`-DNAME=1`, `-std=c++20`); `include` are folders for `#include`. The module's kernels are
    `module["name"]`, instances of templates `module["name<128, float>"]`. What was compiled once is found
    again by its content.

    Raises CompileError with the user's own lines, CompilerNotFoundError without a host compiler,
    FileNotFoundError, and ValueError for another target.
    """
    from . import gpu

    if target is None:
        target = "gpu" if gpu.available() else "simulator"
    if target not in ("simulator", "gpu"):
        raise ValueError(f"compile: target (={target!r}) must be 'simulator' or 'gpu'")
    if is_path(source_or_path):
        path = pathlib.Path(source_or_path)
        text, file, folder = path.read_text(), str(path), path.resolve().parent
    else:
        text, file, folder = str(source_or_path), "<source>", None
    folders = [pathlib.Path(p) for p in include] + [
        pathlib.Path(o[2:]) for o in options if o.startswith("-I") and len(o) > 2
    ]
    folders.append(toolchain.CSRC / "include")
    if target == "gpu":
        return gpu.compile(text, file, options=list(options), include=folders)
    return Module(gather(text, file, folder, folders), host_options(options))


def host_options(options: Sequence[str]) -> list[str]:
    """nvcc's options as the host compiler takes them: the architecture becomes the macro that kernels ask for."""
    kept, words = [], iter(options)
    for word in words:
        if word in ("-arch", "--gpu-architecture", "-gencode", "--generate-code"):
            word = f"{word}={next(words, '')}"
        if word.startswith(("-arch", "--gpu-architecture", "-gencode", "--generate-code")):
            number = re.search(r"(?:sm|compute)_(\d+)", word)
            if number:
                kept.append(f"-D__CUDA_ARCH__={number[1]}0")
        elif not word.startswith(("--use_fast_math", "-use_fast_math", "-lineinfo", "-I")):
            kept.append(word)
    return kept


class Module:
    """The kernels of one source, for the simulator."""

    def __init__(self, sources: Sources, options: list[str]) -> None:
        self.sources = sources
        self.options = options
        self.file = sources.file
        clustered = [k for k in sources.unit.kernels if k.cluster]
        if clustered and sources.unit.launches:
            what = "a program's launch of a cluster cannot be simulated; launch the kernel from Python"
            raise CompileError([Diagnostic(sources.file, clustered[0].line, 1, what)])
        self._kernels: dict[str, Kernel] = {}
        self.plain = Build(self, (), instrumented=False)
        self.plain.load()

    @property
    def names(self) -> list[str]:
        """All kernels; those that are templates must be named with their arguments."""
        return [k.name for k in self.sources.unit.kernels]

    def __contains__(self, name: str) -> bool:
        return name in self.names

    def __repr__(self) -> str:
        return f"<cuda module {self.file}: {', '.join(self.names) or 'no kernels'}>"

    def __getitem__(self, name: str) -> Kernel:
        """The kernel `name`; KeyError names those there are, CompileError if a template cannot be instantiated."""
        from .kernel import Kernel

        key = re.sub(r"\s+", " ", name.strip())
        if key not in self._kernels:
            base = key.split("<", 1)[0].strip()
            declared = [k for k in self.sources.unit.kernels if k.name == base or k.name.split("::")[-1] == base]
            if not declared:
                raise KeyError(f"{self.file} has no kernel {base!r}; it has: {', '.join(self.names) or 'none'}")
            kernel = declared[0]
            if kernel.template != ("<" in key):
                hint = f"name an instance, such as {base}<128>" if kernel.template else "it is not a template"
                raise KeyError(f"{self.file}: {key!r}: {hint}")
            if kernel.overloaded:
                raise KeyError(f"{self.file}: {base!r} is overloaded; give each kernel a name of its own")
            full = kernel.name + key[len(base) :] if kernel.template else kernel.name
            self._kernels[key] = Kernel(self, full, kernel)
        return self._kernels[key]

    def build(self, instance: str | None, instrumented: bool) -> Build:
        """The library in which a kernel stands; `instance` is a template's, or None."""
        if not instrumented and instance is None:
            return self.plain
        return _build(self, (instance,) if instance else (), instrumented)


@functools.lru_cache(maxsize=4096)
def _build(module: Module, instances: tuple[str, ...], instrumented: bool) -> Build:
    build = Build(module, instances, instrumented)
    build.load()
    return build


class Build:
    """One compilation of a module: plain or instrumented, with the template instances asked for."""

    def __init__(self, module: Module, instances: tuple[str, ...], instrumented: bool) -> None:
        self.module = module
        self.instances = instances
        self.instrumented = instrumented
        self.records: dict[str, runtime.KernelRecord] = {}
        self.handle = 0

    def source(self) -> str:
        unit = self.module.sources.unit
        rows = []
        if not self.instances:
            rows = [(k.name, k.bounds, k.cluster) for k in unit.kernels if not k.template and not k.overloaded]
        clusters = {k.name: k.cluster for k in unit.kernels}
        rows += [(name, "", clusters.get(name.split("<", 1)[0].strip(), "")) for name in self.instances]
        table = "".join(
            f'  {{"{name}", &pnsim::entry<(&::{name})>::run, pnsim::entry<(&::{name})>::arguments, '
            f"pnsim::entry<(&::{name})>::count, unsigned({bounds or 0}), pnsim::entry<(&::{name})>::param_bytes, "
            f"{{{cluster or 0}}}, reinterpret_cast<const void*>(&::{name})}},\n"
            for name, bounds, cluster in rows
        )
        export = (
            'extern "C" __attribute__((visibility("default"))) const pnsim_kernel* pnsim_kernels(unsigned* count) {\n'
            f"  static const pnsim_kernel table[] = {{\n{table}  {{}}}};\n"
            f"  *count = {len(rows)};\n  return table;\n}}\n"
        )
        main = ""
        if unit.has_main:
            main = (
                "template <typename F> static int pnsim_start_main(F* f, int argc, char** argv) {\n"
                "  if constexpr (std::is_invocable_v<F*, int, char**>) return f(argc, argv);\n"
                "  else if constexpr (std::is_invocable_v<F*, int, const char**>) return f(argc, (const char**)argv);\n"
                "  else return f();\n}\n"
                'extern "C" __attribute__((visibility("default"))) int pnsim_program(int argc, char** argv) {\n'
                "  return pnsim_start_main(&pnsim_main, argc, argv);\n}\n"
            )
        return self.module.sources.text + "\n" + _ANCHOR + export + main

    def path(self) -> pathlib.Path:
        """The shared object, compiled if it is not in the cache."""
        text = self.source()
        digest = hashlib.sha256(toolchain.fingerprint().encode())
        for part in (text, *self.module.sources.headers.values(), *self.module.options, str(self.instrumented)):
            digest.update(part.encode() + b"\0")
        key = digest.hexdigest()[:32]
        folder = toolchain.cache_folder() / key[:2]
        path = folder / f"{key}.so"
        if not path.exists():
            headers = folder / key
            for name, body in self.module.sources.headers.items():
                headers.mkdir(parents=True, exist_ok=True)
                toolchain.write_whole(headers / name, _point(body, headers).encode())
            try:
                toolchain.build(
                    _point(text, headers), path, self.module.options, self.instrumented, toolchain.runtime_library()
                )
            except CompileError as error:
                unclosed = self.module.sources.unit.unclosed
                if unclosed is None or any(d.file != "<kernel table>" for d in error.diagnostics):
                    raise
                # The compiler saw it only in what stands behind the user's source.
                raise CompileError([Diagnostic(*unclosed, 1, "error: '{' is never closed")], error.log) from None
        return path

    def load(self) -> None:
        path = self.path()
        lib = ctypes.CDLL(str(path))
        self.lib = lib
        self.elf = elf.Library(path)
        self.symbols = describe(self.elf, self.module.sources)
        check_shared(self.elf, self.module.sources.unit, self.module.file)
        anchor = ctypes.cast(lib.pnsim_anchor, ctypes.c_void_p)
        self.handle = runtime.library().pnsim_module_add(anchor, self.symbols.encode())
        tls, image = ctypes.c_void_p(), ctypes.c_void_p()
        lib.pnsim_anchor(ctypes.byref(tls), ctypes.byref(image))
        offset = next(s.value for s in self.elf.symbols if "pnsim_image_anchor" in s.name)
        self.base = (image.value or 0) - offset
        lib.pnsim_kernels.restype = ctypes.POINTER(runtime.KernelRecord)
        count = ctypes.c_uint()
        table = lib.pnsim_kernels(ctypes.byref(count))
        self.records = {table[i].name.decode(): table[i] for i in range(count.value)}

    def line(self, pc: int, base: int | None = None) -> tuple[str, int] | None:
        """File and line of the instruction before `pc`, a return address; `base` is where another process has it."""
        found = self.elf.lines.find(pc - (self.base if base is None else base) - 1)
        names = self.module.sources.originals
        if found is None or found[0] in names:
            return found
        # clang names a file below the working directory relatively.
        return next((name for name in names if name.endswith(f"/{found[0]}")), found[0]), found[1]


def _point(text: str, headers: pathlib.Path) -> str:
    """Names of rewritten headers become paths."""
    return re.sub(
        r'(?m)^([ \t]*#[ \t]*include[ \t]*)"@(pnsim-header-[^"]+)"', lambda m: f'{m[1]}"{headers / m[2]}"', text
    )


def demangle(name: str) -> str:
    """The variable's own name: the last one in a mangled name of the Itanium C++ ABI."""
    if not name.startswith("_Z"):
        return name.split(".")[0]
    body = name[3:] if name.startswith("_ZZ") else name[2:]
    local = body.rfind("E") if name.startswith("_ZZ") else -1
    rest = body[local + 1 :] if local >= 0 else body
    found = ""
    at = 0
    while at < len(rest):
        match = re.match(r"\d+", rest[at:])
        if match:
            length = int(match.group())
            at += len(match.group())
            found = rest[at : at + length]
            at += length
        else:
            at += 1
    return found or name


def enclosing(name: str) -> str:
    """The function in which a static variable stands; empty for one at file scope."""
    if not name.startswith("_ZZ"):
        return ""
    found, at = "", 3
    while at < len(name):
        if name[at] in "NLKV":
            at += 1
        elif name.startswith(("St", "S_"), at):
            at += 2
        elif match := re.match(r"\d+", name[at:]):
            begin = at + len(match.group())
            at = begin + int(match.group())
            if not name.startswith("_GLOBAL__N", begin):
                found = name[begin:at]
            if name[3] != "N":
                break
        else:
            break
    return found


def describe(library: elf.Library, sources: Sources) -> str:
    """The variables of a library for the simulator (csrc/simulator/runtime/module.h)."""
    unit = sources.unit
    rows = [f"R {line} {file}" for file, line in sources.rows()]
    owners: list[str] = []  # of the shared arrays: the function each stands in
    for symbol in library.symbols:
        if "pnsim_tls_anchor" in symbol.name:
            rows.append(f"tls {symbol.value}")
        elif "pnsim_image_anchor" in symbol.name:
            rows.append(f"image {symbol.value}")
        elif symbol.thread_local and symbol.name.startswith("_ZGV"):
            rows.append(f"G {symbol.value} {symbol.size}")
        elif symbol.size and not symbol.name.startswith(("_ZZN5pnsim", "_ZN5pnsim")):
            name = demangle(symbol.name)
            if symbol.thread_local and name in unit.shared:
                owner = enclosing(symbol.name)
                same = (a.element for (n, _, _), a in unit.arrays.items() if (n, a.function) == (name, owner))
                rows.append(f"S {symbol.value} {symbol.size} {next(same, unit.shared[name]) or 1} {name}")
                owners.append(owner)
            elif not symbol.thread_local and name in unit.constants:
                rows.append(f"C {symbol.value} {symbol.size} {unit.constants[name] or 1} {name}")
            elif not symbol.thread_local and name in unit.devices:
                rows.append(f"D {symbol.value} {symbol.size} {unit.devices[name] or 1} {name}")
    if unit.dynamic:
        name, element, _ = unit.dynamic[0]
        rows.append(f"dynamic {element or 4} {name}")
    for kernel in {k.name.split("::")[-1] for k in unit.kernels}:
        within = reachable(unit.functions, kernel)
        used = [str(i) for i, owner in enumerate(owners) if owner in within or owner not in unit.functions]
        rows.append(f"K {kernel} {' '.join(used)}")
    return "\n".join(rows)


def static_shared(library: elf.Library, unit: Unit, kernel: str) -> int:
    """Bytes of the static shared arrays of a kernel: its own, those of what it may call, and global ones it names."""
    within = reachable(unit.functions, kernel)
    words = {word for each in within for word in unit.functions.get(each, ())}
    total = 0
    for symbol in library.symbols:
        owner, name = enclosing(symbol.name), demangle(symbol.name)
        if symbol.thread_local and not symbol.name.startswith("_ZGV") and name in unit.shared:
            total += symbol.size if owner in within or (owner not in unit.functions and name in words) else 0
    return total


def check_shared(library: elf.Library, unit: Unit, file: str) -> None:
    """Refuses a kernel whose static shared arrays exceed what the hardware has."""
    functions: dict[str, int] = {}
    limit = runtime.LIMITS["static shared"]
    for symbol in library.symbols:
        if symbol.thread_local and demangle(symbol.name) in unit.shared:
            function = symbol.name[: symbol.name.rfind("E")] if symbol.name.startswith("_ZZ") else ""
            functions[function] = functions.get(function, 0) + symbol.size
    for function, size in functions.items():
        if size > limit:
            arrays = [demangle(s.name) for s in library.symbols if s.thread_local and s.name.startswith(function)]
            names = ", ".join(name for name in arrays if name in unit.shared)
            where = next((k.line for k in unit.kernels if k.name.split("::")[-1] in function), 0)
            message = f"error: {size} bytes of static shared memory ({names}); the limit is {limit}"
            raise CompileError([Diagnostic(file, where, 1, message)])
