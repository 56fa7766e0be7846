"""`jit`: how every Numba CPU kernel of this package is compiled and cached.

It differs from ``numba.njit(cache=True)`` in three ways. A kernel's cache entry is keyed by the
contents of every source file that it is made from, so that editing a helper in another module never
leaves a stale kernel behind (and editing one kernel leaves the others compiled); kernels made by
a function (closures) hit the cache as well; and processes that compile at the same time, as tests and
`ahead` do, never take one signature's file for another's.
"""

from __future__ import annotations

import ast
import functools
import hashlib
import os
import pathlib
import types
from collections.abc import Callable
from typing import Any

from numba.core import caching

from .compiler import Dispatcher

# Without "nnan" and "ninf": NaN and infinity keep their meaning.
FASTMATH = {"contract", "reassoc", "nsz", "arcp"}

SERIAL = 16_384
"""Elements below which waking the threads costs more than they save (measured on 2 cores)."""


def cache_folder() -> pathlib.Path:
    """The folder of compiled kernels; it outlives a reinstallation.

    ``$PYNEURAL_CACHE_DIR``, else ``$XDG_CACHE_HOME/pyneural``, else ``~/.cache/pyneural``.
    """
    root = os.environ.get("PYNEURAL_CACHE_DIR")
    if root:
        return pathlib.Path(root) / "numba"
    return pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache") / "pyneural" / "numba"


@functools.cache
def _imported(path: pathlib.Path) -> tuple[pathlib.Path, ...]:
    """The files of this package that a file imports, itself first."""
    found = [path]
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.ImportFrom) and node.level:
            folder = path.parents[node.level - 1].joinpath(*(node.module or "").split("."))
            names = [folder, *(folder / alias.name for alias in node.names)]
            found += [each for name in names for each in (name.with_suffix(".py"), name / "__init__.py")]
    return tuple(dict.fromkeys(each for each in found if each.is_file()))


@functools.cache
def _sources(path: pathlib.Path) -> frozenset[pathlib.Path]:
    """Everything that a file imports from this package, directly or not."""
    seen: set[pathlib.Path] = set()
    waiting = [path]
    while waiting:
        each = waiting.pop()
        if each not in seen:
            seen.add(each)
            waiting.extend(_imported(each))
    return frozenset(seen)


@functools.cache
def _hash(path: pathlib.Path) -> bytes:
    return hashlib.sha256(path.read_bytes()).digest()


def _digest(function: Callable[..., Any]) -> str:
    """What a kernel is made from: the files behind it and behind the functions in its closure, and other cells."""
    files: set[pathlib.Path] = set()
    values: list[str] = []
    seen: set[int] = set()
    waiting: list[Any] = [function]
    while waiting:
        each = waiting.pop()
        each = getattr(each, "py_func", getattr(each, "_defn", each))  # a dispatcher's or an intrinsic's function
        if id(each) in seen:
            continue
        seen.add(id(each))
        if isinstance(each, functools.partial):
            waiting += [each.func, each.args, *each.keywords.items()]
        elif isinstance(each, types.FunctionType):
            files |= _sources(pathlib.Path(each.__code__.co_filename))
            values.append(f"{each.__module__}.{each.__qualname__}")
            waiting += [cell.cell_contents for cell in each.__closure__ or ()]
        elif isinstance(each, (tuple, list)):
            waiting += each
        else:
            values.append(repr(each))
    digest = hashlib.sha256(repr(values).encode())
    for path in sorted(files):
        digest.update(path.name.encode() + _hash(path))
    return digest.hexdigest()


class _Locator(caching._CacheLocator):  # type: ignore[misc]
    def __init__(self, function: Callable[..., Any]) -> None:
        self._digest = _digest(function)
        self._py_file = function.__code__.co_filename  # what Numba names when it cannot cache a kernel

    def get_cache_path(self) -> str:
        return str(cache_folder())

    def get_source_stamp(self) -> str:
        return self._digest

    def get_disambiguator(self) -> str:
        return self._digest[:16]

    @classmethod
    def from_function(cls, function: Callable[..., Any], file: str) -> _Locator:
        return cls(function)


class _Implementation(caching.CompileResultCacheImpl):  # type: ignore[misc]
    _locator_classes = [_Locator]  # type: ignore[list-item]  # noqa: RUF012


class _File(caching.IndexDataCacheFile):  # type: ignore[misc]
    """A file for each signature, named by it.

    Numba numbers the files of a function and notes in an index which signature got which number. Two processes
    that save different signatures at one moment choose the same number, and a third can then find the one's
    machine code under the other's signature. Names that the signatures give leave nothing to choose.
    """

    def __init__(self, folder: str, base: str, stamp: str) -> None:
        super().__init__(folder, base, stamp)  # type: ignore[no-untyped-call]
        self._base = base

    def save(self, key: Any, data: Any) -> None:
        self._save_data(self._name(key), (key, data))  # type: ignore[no-untyped-call]

    def load(self, key: Any) -> Any:
        try:
            saved, data = self._load_data(self._name(key))  # type: ignore[no-untyped-call]
        except FileNotFoundError:
            return None
        return data if saved == key else None

    def flush(self) -> None:
        for each in pathlib.Path(self._cache_path).glob(f"{self._base}.*.nbc"):
            each.unlink(missing_ok=True)

    def _name(self, key: Any) -> str:
        digest = hashlib.sha256(repr((key, self._version, self._source_stamp)).encode()).hexdigest()
        return f"{self._base}.{digest[:16]}.nbc"


class _Cache(caching.FunctionCache):  # type: ignore[misc]
    _impl_class = _Implementation

    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__(function)  # type: ignore[no-untyped-call]
        self._cache_file = _File(self._cache_path, self._impl.filename_base, self._impl.locator.get_source_stamp())

    def _index_key(self, sig: Any, codegen: Any) -> tuple[Any, ...]:
        # The kernel and its sources are in the file's name.
        return (sig, codegen.magic_tuple())


def jit(
    function: Callable[..., Any] | None = None, *, name: str | None = None, inline: bool = False, **options: Any
) -> Any:
    """Compile ``function`` with Numba for the CPU: nopython, without the GIL, cached on disk.

    Args:
        name: the kernel's own name, for a kernel that a function makes; it is what a traceback shows.
        inline: compile nothing of its own, only be inlined by LLVM into its callers.
        options: as for ``numba.njit``, e.g. ``parallel=True``.
    """
    if function is None:
        return functools.partial(jit, name=name, inline=inline, **options)
    if name is not None:
        function.__qualname__ = function.__name__ = name
    if function.__closure__:
        # Numba tells functions of one qualified name apart by a number that is unique in one process only: two
        # closures compiled in two processes, and loaded from the cache by a third, would be linked as one.
        function.__qualname__ += f"_{_digest(function)[:12]}"
    options.setdefault("fastmath", FASTMATH)
    options.setdefault("error_model", "numpy")
    options.setdefault("nogil", True)
    # The wrapper for C is for callbacks, of which there are none.
    dispatcher = Dispatcher(function, targetoptions={"nopython": True, "no_cfunc_wrapper": True, **options})
    if not inline:
        dispatcher._cache = _Cache(dispatcher.py_func)
    return dispatcher
