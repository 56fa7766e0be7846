"""How Numba is made to compile kernels in less time, and to use the widest vectors.

Numba gives every function it compiles two wrappers and machine code of its own, though most functions
of a kernel only ever become a part of it. Here a function that another one calls gets neither, until
somebody asks for its address; and an integer constant among a call's arguments does not lead to another
compilation of what is called.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from numba.core import codegen, dispatcher, environment, registry, sigutils, types, typing
from numba.core.caching import NullCache
from numba.core.compiler_lock import global_compiler_lock

_JITCodeLibrary: Any = codegen.JITCodeLibrary
_CPUDispatcher: Any = registry.CPUDispatcher
_FunctionCompiler: Any = vars(dispatcher)["_FunctionCompiler"]
# What these say of themselves, if anything, fits no use of them.
_lookup_environment: Any = environment.lookup_environment
_normalize_signature: Any = sigutils.normalize_signature
_types: Any = types
_typing: Any = typing

WIDEST = '"prefer-vector-width"="512"'
"""LLVM's attribute of a function: loops use the widest vectors that there are. For most of Intel's processors it would
take half their width, because early ones had to slow their clock."""

_ENVIRONMENT = "_ZN08NumbaEnv"
"""How the variables begin by which compiled functions find their Python constants."""


class _Library(_JITCodeLibrary):  # type: ignore[misc]
    """A compiled function as LLVM's intermediate code, which becomes machine code when its address is asked for."""

    _waiting = False

    def add_ir_module(self, ir_module: Any) -> None:
        for each in ir_module.functions:
            if not each.is_declaration:
                set.add(each.attributes, WIDEST)  # llvmlite's own `add` knows no attribute with a value
        super().add_ir_module(ir_module)

    def _finalize_final_module(self) -> None:
        self._finalize_dynamic_globals()
        self._waiting = self._finalized = True

    @classmethod
    def _unserialize(cls, generator: Any, state: Any) -> Any:
        self = super()._unserialize(generator, state)
        self._to_machine_code()
        return self

    def _to_machine_code(self) -> None:
        if not self._waiting:
            return
        self._waiting = False
        self._dynamic_globals.clear()  # they are listed again
        super()._finalize_final_module()
        for variable in self._final_module.global_variables:
            if variable.name.startswith(_ENVIRONMENT):
                found = _lookup_environment(variable.name)
                if found is not None:
                    self.codegen.set_env(variable.name, found)

    def get_pointer_to_function(self, name: str) -> int:
        self._ensure_finalized()
        if self._waiting:
            try:
                function = self._final_module.get_function(name)
            except NameError:
                return 0
            if function.is_declaration:
                return 0
            self._to_machine_code()
        address: int = super().get_pointer_to_function(name)
        return address

    def _get_compiled_object(self) -> bytes:
        self._to_machine_code()
        result: bytes = super()._get_compiled_object()
        return result


@contextmanager
def _lazily(generator: Any) -> Iterator[None]:
    """Let what is compiled inside of the ``with`` block wait for its machine code, loops' bodies among it."""
    if generator._library_class is _Library:
        yield
        return
    library, set_environment = generator._library_class, generator.set_env

    def set_known(name: str, environment: Any) -> None:
        if generator._engine.get_global_value_address(name):  # else it waits, and is set with its function
            set_environment(name, environment)

    generator._library_class, generator.set_env = _Library, set_known
    try:
        yield
    finally:
        generator._library_class = library
        del generator.set_env


class Dispatcher(_CPUDispatcher):  # type: ignore[misc]
    """Numba's dispatcher, but a compilation for another kernel has no entry from Python and no file on disk.

    Such a function is compiled again if Python calls it after all.
    """

    _compiler: Any
    _cache: Any

    def __init__(self, py_func: Any, locals: Any = None, targetoptions: Any = None, **options: Any) -> None:
        super().__init__(py_func, locals or {}, targetoptions or {}, **options)
        part = {**self.targetoptions, "no_cpython_wrapper": True}
        self._entry_compiler = self._compiler
        self._part_compiler = _FunctionCompiler(
            py_func, self.targetdescr, part, self.locals, self._compiler.pipeline_class
        )
        self._parts: set[Any] = set()
        """Signatures that are compiled without an entry."""

    def get_call_template(self, args: Any, kws: Any) -> Any:
        """What Numba asks a function for that another one calls with arguments of these types."""
        signature, args = self._compiler.fold_argument_types(args, kws)
        args = tuple(_types.unliteral(each) if isinstance(each, types.IntegerLiteral) else each for each in args)
        with global_compiler_lock:
            if args not in self.overloads:
                before = self._compiler, self._cache
                self._compiler, self._cache = self._part_compiler, NullCache()
                try:
                    self.compile(args)
                finally:
                    self._compiler, self._cache = before
        name = self.py_func.__name__
        template = _typing.make_concrete_template(name, key=name, signatures=self.nopython_signatures)
        return template, signature, args, {}

    def compile(self, sig: Any) -> Any:
        with global_compiler_lock, _lazily(self.targetctx.codegen()):
            args, _ = _normalize_signature(sig)
            if args in self._parts:  # Python calls a function that was compiled for others only
                self._parts.remove(args)
                del self.overloads[args]
            return super().compile(sig)

    def add_overload(self, cres: Any) -> None:
        if self._compiler is self._part_compiler:
            args = tuple(cres.signature.args)
            self.overloads[args] = cres
            self._parts.add(args)
        else:
            super().add_overload(cres)
