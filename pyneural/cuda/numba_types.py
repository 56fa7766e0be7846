"""Numba's own type inference for a kernel, without a GPU: the typed instructions that `numba_code` writes as C++.

Nothing of NVIDIA's is loaded: the passes of Numba's CUDA target run up to the types and end there. Functions that Numba
itself would compile on the way (those of `cuda.jit(device=True)`, `min`, `max`) are given types here.
"""

from __future__ import annotations

import functools
import importlib
import importlib.util
import inspect
import linecache
import re
import types as python_types
from typing import Any, NamedTuple

from .errors import CompileError, Diagnostic

_NOISE = re.compile(r"^(Failed in|During:|File |There are|- Of which|Overload|With argument|No match|>>>|\s*$|\^)")


class Typed(NamedTuple):
    """A function after type inference."""

    function: Any
    ir: Any
    types: dict[str, Any]
    """By the name of the variable."""
    calls: dict[Any, Any]
    """Signatures by expression or statement."""
    result: Any


def require_numba() -> None:
    """Raises RuntimeError where Numba's own simulator has taken the place of its CUDA target."""
    import numba

    if numba.config.ENABLE_CUDASIM:  # type: ignore[attr-defined]
        raise RuntimeError("from_numba: unset NUMBA_ENABLE_CUDASIM: Numba's own simulator has no types to translate by")


def library(name: str) -> Any:
    """A module of Numba's, which has no types of its own for a type checker."""
    return importlib.import_module(name)


@functools.cache
def apart() -> bool:
    """Whether `numba.cuda` is that of the package numba-cuda, which has a compiler of its own."""
    return importlib.util.find_spec("numba.cuda.core") is not None


def compiler(name: str) -> Any:
    """A module of the compiler behind `numba.cuda`."""
    if not apart():
        return library(f"numba.core.{name}")
    return library(f"numba.cuda.{name}" if name in ("types", "typing") else f"numba.cuda.core.{name}")


def type_of(value: Any) -> Any:
    """Numba's type of a value."""
    return library("numba.cuda.typing.typeof" if apart() else "numba").typeof(value)


def python_function(function: Any) -> Any:
    """The function behind `@cuda.jit`, or the function itself. Raises TypeError for anything else."""
    inner = getattr(function, "py_func", function)
    if not isinstance(inner, python_types.FunctionType):
        raise TypeError(f"from_numba: takes a function of cuda.jit, got {type(function).__name__}")
    return inner


def infer(function: Any, arguments: tuple[Any, ...]) -> Typed:
    """Types of all variables of a function for arguments of these types. Raises CompileError at the Python line."""
    require_numba()
    target = library("numba.cuda.descriptor").cuda_target
    flags = library("numba.cuda.compiler").CUDAFlags()
    flags.no_compile = True
    flags.error_model = "numpy"
    try:
        with _chosen():
            found = library("numba.cuda.compiler" if apart() else "numba.core.compiler").compile_extra(
                _context(), target.target_context, function, arguments, None, flags, {}, pipeline_class=_pipeline()
            )
    except CompileError:
        raise
    except Exception as error:
        raise _explained(error, function) from error
    return Typed(function, *found)


def _chosen() -> Any:
    """The context in which functions are looked up for CUDA."""
    if apart():
        return library("numba.cuda.utils").numba_target_override()
    return library("numba.core.target_extension").target_override("cuda")


@functools.cache
def _pipeline() -> Any:
    """Numba's passes up to the types, and none that makes code."""
    machinery, passes = compiler("compiler_machinery"), compiler("typed_passes")
    base: Any = machinery.AnalysisPass
    whole: Any = library("numba.cuda.compiler").CUDACompiler

    @machinery.register_pass(mutates_CFG=False, analysis_only=True)
    class Done(base):  # type: ignore[misc]
        _name = "pyneural_done"

        def __init__(self) -> None:
            base.__init__(self)

        def run_pass(self, state: Any) -> bool:
            state.cr = state.func_ir, state.typemap, state.calltypes, state.return_type
            return True

    class Inference(whole):  # type: ignore[misc]
        def define_pipelines(self) -> list[Any]:
            (every,) = super().define_pipelines()
            last = next(k for k, (each, _) in enumerate(every.passes) if each is passes.NopythonTypeInference)
            manager = machinery.PassManager("pyneural")
            manager.passes.extend(every.passes[: last + 1])
            manager.add_pass(passes.PreLowerStripPhis, "copies for phi nodes")
            manager.add_pass(Done, "done")
            manager.finalize()
            return [manager]

    return Inference


@functools.cache
def _context() -> Any:
    """Numba's typing of CUDA, but for what it would need a GPU's compiler for."""
    cuda = library("numba.cuda")
    types = compiler("types")
    dispatchers = (library("numba.core.dispatcher").Dispatcher, library("numba.cuda.dispatcher").CUDADispatcher)
    base: Any = library("numba.cuda.target").CUDATypingContext

    class Context(base):  # type: ignore[misc]
        def resolve_value_type(self, value: Any) -> Any:
            if isinstance(value, dispatchers):
                return device_type(value.py_func)
            if any(value is each for each in (min, max, int)):
                return builtin_type(value)
            return super().resolve_value_type(value)

        def resolve_getattr(self, owner: Any, attr: str) -> Any:
            if attr in ("laneid", "warpsize") and owner == types.Module(cuda):
                return types.int32
            return super().resolve_getattr(owner, attr)

    context = Context()
    context.refresh()
    return context


@functools.cache
def _classes() -> tuple[Any, Any]:
    types = compiler("types")
    error, signature = compiler("errors").TypingError, compiler("typing").signature
    base: Any = types.Callable

    class Device(base):  # type: ignore[misc]
        """A function that kernels call; its calls are typed by its own inference."""

        def __init__(self, function: Any) -> None:
            self.function = function
            super().__init__(f"device function {function.__name__} {id(function)}")

        def get_call_type(self, context: Any, args: Any, kws: Any) -> Any:
            given = bound(self.function, args, kws)
            plain_types = tuple(
                plain(context.resolve_value_type(each.value) if isinstance(each, Default) else each) for each in given
            )
            return signature(device(self.function, plain_types).result, *plain_types)

        def get_call_signatures(self) -> Any:
            return [], False

        def get_impl_key(self, sig: Any) -> Any:
            return self, sig.args

    class Builtin(base):  # type: ignore[misc]
        """`min`, `max` and `int` of numbers."""

        def __init__(self, which: Any) -> None:
            self.which = which
            super().__init__(f"builtin {which.__name__}")

        def get_call_type(self, context: Any, args: Any, kws: Any) -> Any:
            given = [plain(each) for each in args]
            if (
                kws
                or (len(args) == 1) != (self.which is int)
                or not all(isinstance(each, types.Number | types.Boolean) for each in given)
            ):
                wanted = "one number" if self.which is int else "two numbers or more"
                raise error(f"{self.which.__name__} takes {wanted} in a kernel")
            if self.which is int:
                return signature(given[0] if isinstance(given[0], types.Integer) else types.int64, given[0])
            one = context.unify_types(*given)
            return signature(one, *([one] * len(given)))

        def get_call_signatures(self) -> Any:
            return [], False

        def get_impl_key(self, sig: Any) -> Any:
            return self, sig.args

    return Device, Builtin


@functools.cache
def device_type(function: Any) -> Any:
    return _classes()[0](function)


@functools.cache
def builtin_type(which: Any) -> Any:
    return _classes()[1](which)


def is_device(kind: Any) -> bool:
    return isinstance(kind, _classes()[0])


def is_builtin(kind: Any) -> bool:
    return isinstance(kind, _classes()[1])


class Default(NamedTuple):
    """A parameter's default value, where a call gives none."""

    value: Any


def bound(function: Any, args: Any, kws: Any) -> list[Any]:
    """What a call gives to each parameter, in their order; `Default` where it gives nothing."""
    parameters = inspect.signature(function)
    try:
        given = parameters.bind(*args, **dict(kws))
    except TypeError as error:
        raise compiler("errors").TypingError(f"{function.__name__}: {error}") from None
    return [given.arguments.get(name, Default(each.default)) for name, each in parameters.parameters.items()]


_open: list[Any] = []


@functools.lru_cache(maxsize=1024)
def device(function: Any, arguments: tuple[Any, ...]) -> Typed:
    """`infer` for a function that kernels call."""
    if (function, arguments) in _open:
        raise CompileError([_diagnostic(function, 0, f"{function.__name__} calls itself: write a loop")])
    _open.append((function, arguments))
    try:
        return infer(function, arguments)
    finally:
        _open.pop()


def plain(kind: Any) -> Any:
    """A type without the value of a literal."""
    types = compiler("types")

    if isinstance(kind, types.BaseTuple):
        return types.BaseTuple.from_types([plain(each) for each in kind.types])
    return types.unliteral(kind)


def place(function: Any) -> tuple[str, int]:
    """File and first line of a function."""
    code = function.__code__
    return code.co_filename, code.co_firstlineno


def _diagnostic(function: Any, line: int, message: str) -> Diagnostic:
    file, first = place(function)
    return Diagnostic(file, line or first, 1, f"error: {message}")


_COLOUR = re.compile("\x1b\\[[0-9;]*m")
"""Numba colours its messages where colorama is installed."""


def _explained(error: Exception, function: Any) -> CompileError:
    """What Numba says, in a line, at the line of the source that it says it of."""
    text = _COLOUR.sub("", str(error))
    lines = re.findall(r'File "[^"\n]*?", line (\d+):\n(?=.*?def |.*?<source)|\((\d+)\)\s*$', text, re.MULTILINE)
    numbers = [int(number) for pair in lines for number in pair if number]
    where = (numbers or [0])[0] or getattr(getattr(error, "loc", None), "line", 0) or _line_of(error)
    says = _sentence(error, text)
    if where <= place(function)[1] and (name := re.search(r"the name (\w+) is not defined", says)):
        where = _naming(function, name[1]) or where
    return CompileError([_diagnostic(function, where, says)], text)


def _naming(function: Any, name: str) -> int:
    """The first line of a function's body that has a name; 0 where its source is not known."""
    file, first = place(function)
    lines = linecache.getlines(file)
    return next((n for n in range(first + 1, len(lines) + 1) if re.search(rf"\b{name}\b", lines[n - 1])), 0)


def _line_of(error: Exception) -> int:
    """The line that type inference was at, which some errors do not say."""
    location = compiler("ir").Loc
    trace, found = error.__traceback__, 0
    while trace:
        names = trace.tb_frame.f_locals
        loc = getattr(names.get("self"), "__dict__", {}).get("loc") or names.get("loc")
        if isinstance(loc, location):
            found = loc.line
        trace = trace.tb_next
    return found


def _called(error: Exception) -> str:
    """The operator that type inference was at, if it was at one.

    Whether Numba has ``@`` for arrays depends on what it has compiled before: it then begins to compile it for a GPU.
    """
    trace = error.__traceback__
    while trace:
        if trace.tb_frame.f_code.co_name == "get_call_type":
            names = trace.tb_frame.f_locals
            key: Any = getattr(names["self"], "typing_key", None)
            if getattr(key, "__module__", "") == "_operator":
                return f"{key.__name__} does not take ({', '.join(map(str, names['args']))})"
        trace = trace.tb_next
    return ""


def _sentence(error: Exception, text: str) -> str:
    if type(error).__name__ == "CudaSupportError":
        if called := _called(error):
            return called
        return "this calls a function that Numba compiles from Python; write it with what docs/simulator.md lists"
    if match := re.search(r"name ['\"`]?(\w+)['\"`]? is not defined", text):
        return f"the name {match[1]} is not defined"
    if match := re.search(r"[Vv]ariable ['\"](\w+)['\"] is not defined", text):
        return f"the name {match[1]} is not defined on the way here"
    if match := re.search(r"Untyped global name ['\"](\w+)['\"]:.*?<class 'function'>", text, re.DOTALL):
        return f"{match[1]} is a plain function: a kernel calls those with @cuda.jit(device=True) in front"
    if match := re.search(r"Untyped global name ['\"](\w+)['\"]", text):
        return f"a kernel cannot use the object {match[1]}: numbers, tuples and device functions only"
    if match := re.search(r"Unknown attribute ['\"](\w+)['\"] of type (.*)", text):
        return f"{_kind(match[2])} has no {match[1]} in a kernel"
    if match := re.search(r"Cannot unify (.*?) and (.*?) for ['\"]([\w$.]+?)(?:\.\d+)?['\"]", text):
        return f"{match[3]} is {_kind(match[1])} in one place and {_kind(match[2])} in another"
    if match := re.search(r"(\w+)\(\) missing \d+ required positional argument.*'ndim'", text):
        return f"cuda.{match[1]} takes the number of dimensions: cuda.{match[1]}(1)"
    if match := re.search(r"Invalid use of <built-in function (\w+)> with parameters \((.*)\)", text):
        return f"{match[1]} does not take ({match[2]})"
    if match := re.search(r"function (\w+)\.array at .*?found for signature:\s*>>> array\(([^\n]*)\)", text, re.DOTALL):
        if not re.search(r"class\(|dtype", match[2]):
            return f"cuda.{match[1]}.array takes a type behind the shape: cuda.{match[1]}.array(SIZE, float32)"
        return (
            f"the shape of cuda.{match[1]}.array must be a number, a constant of the module, or a tuple of these: not "
            "a variable, nor a sum or product"
        )
    if match := re.search(r"No implementation of function (.*?) found for signature:\s*>>> (\w+)\((.*?)\)\s*$", text,
                          re.DOTALL | re.MULTILINE):  # fmt: skip
        index = re.match(r"array\([^)]*\), ((?:Uni)?Tuple\([^)]*\)|[^,]+)", match[3])
        if match[2] in ("getitem", "setitem") and index and (real := re.search(r"\bfloat\d+", index[1])):
            return f"an index must be whole numbers, not {real[0]}"
        if "list(" in match[3]:
            own, of_block = "cuda.local.array is an array of a thread", "cuda.shared.array one of the block"
            return f"a list cannot be used in a kernel: {own}, {of_block}"
        return f"{match[2]} does not take ({match[3]})"
    first = next((line.strip() for line in text.split("\n") if line.strip() and not _NOISE.match(line.strip())), "")
    return re.sub(r"\.?\.? Raised from .*", "", first) or type(error).__name__


def _kind(name: str) -> str:
    """A type in words."""
    if match := re.match(r"array\((\w+), (\d)d", name):
        return f"an array of {match[1]}"
    if "Module(" in name:
        found = re.search(r"'([\w.]+)'", name)
        return found[1].removeprefix("numba.") if found else name
    return re.sub(r"Literal\[\w+\]\((.*?)\)", r"\1", name).strip()
