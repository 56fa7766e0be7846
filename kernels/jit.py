"""`jit`: how every Numba CPU kernel of this package is compiled and cached.

It differs from ``numba.njit(cache=True)`` in two ways. The disk cache is keyed by one digest of all
kernel sources, so that editing a helper in another module never leaves a stale kernel behind; and
kernels made by a function (closures) hit the cache as well, because the key is the name given.
"""

from __future__ import annotations

import functools
import hashlib
import os
import pathlib
from collections.abc import Callable
from typing import Any

import numba
from numba.core import caching

# Without "nnan" and "ninf": NaN and infinity keep their meaning.
FASTMATH = {"contract", "reassoc", "nsz", "arcp"}

SERIAL = 16_384
"""Elements below which waking the threads costs more than they save (measured on 2 cores)."""


@functools.cache
def cache_folder() -> pathlib.Path:
    """The folder of compiled kernels for exactly these sources.

    ``$PYNEURAL_CACHE_DIR``, else ``$XDG_CACHE_HOME/pyneural``, else ``~/.cache/pyneural``; it
    outlives a reinstallation.
    """
    root = os.environ.get("PYNEURAL_CACHE_DIR")
    base = pathlib.Path(root) if root else pathlib.Path(
        os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache"
    ) / "pyneural"
    digest = hashlib.sha256()
    here = pathlib.Path(__file__).parent
    for path in sorted(here.rglob("*.py")):
        digest.update(path.relative_to(here).as_posix().encode() + b"\0" + path.read_bytes())
    return base / "numba" / digest.hexdigest()[:16]


class _Locator(caching._CacheLocator):  # type: ignore[misc]
    def __init__(self, function: Callable[..., Any]) -> None:
        self._name = f"{function.__module__}.{function.__qualname__}"

    def get_cache_path(self) -> str:
        return str(cache_folder())

    def get_source_stamp(self) -> str:
        return cache_folder().name

    def get_disambiguator(self) -> str:
        return hashlib.sha256(self._name.encode()).hexdigest()[:10]

    @classmethod
    def from_function(cls, function: Callable[..., Any], file: str) -> _Locator:
        return cls(function)


class _Implementation(caching.CompileResultCacheImpl):  # type: ignore[misc]
    _locator_classes = [_Locator]


class _Cache(caching.FunctionCache):  # type: ignore[misc]
    _impl_class = _Implementation

    def _index_key(self, sig: Any, codegen: Any) -> tuple[Any, ...]:
        # The sources are in the folder's name and the kernel is in the file's name.
        return (sig, codegen.magic_tuple())


def jit(
    function: Callable[..., Any] | None = None, *, name: str | None = None, inline: bool = False, **options: Any
) -> Any:
    """Compile ``function`` with Numba for the CPU: nopython, without the GIL, cached on disk.

    Args:
        name: the kernel's own name, required where one function makes several kernels: two kernels
            of one module with one name would share one cache entry.
        inline: compile nothing of its own, only be inlined by LLVM into its callers.
        options: as for ``numba.njit``, e.g. ``parallel=True``.
    """
    if function is None:
        return functools.partial(jit, name=name, inline=inline, **options)
    if name is not None:
        function.__qualname__ = function.__name__ = name
    options.setdefault("fastmath", FASTMATH)
    options.setdefault("error_model", "numpy")
    options.setdefault("nogil", True)
    dispatcher = numba.njit(function, **options)
    if not inline:
        dispatcher._cache = _Cache(dispatcher.py_func)
    return dispatcher
