"""`%%cuda` for Jupyter and IPython: a cell of CUDA C++ on the CPU. `%load_ext pyneural.cuda.magic` turns it on.

%%cuda --sanitize                                       a cell with `main`: the program is run
%%cuda --module kernels                                 a cell with kernels: they become the variable `kernels`
%%cuda --grid 4 --block 256 --args "2.0, x, y, 1024"    and one is launched, with variables of the notebook
"""

from __future__ import annotations

import argparse
import contextlib
import shlex
from typing import Any

from rich.console import Console

from . import generators, show
from .errors import CompileError, CompilerNotFoundError, LaunchError
from .findings import Report
from .kernel import Kernel
from .module import Module, compile
from .profile import Profile
from .profile import profile as profile_kernel
from .program import run
from .sanitize import sanitize

Shell = Any
"""IPython's InteractiveShell, which need not be installed."""


class Usage(Exception):
    """The line behind `%%cuda` is wrong."""


class Parser(argparse.ArgumentParser):
    """Raises where argparse would end the process."""

    def error(self, message: str) -> Any:
        raise Usage(message)


def _parser() -> Parser:
    parser = Parser(prog="%%cuda", add_help=False)
    add = parser.add_argument
    add("--sanitize", action="store_true", help="check every access")
    add("--profile", action="store_true", help="count memory accesses")
    add("--module", default="module", help="the variable that gets the compiled kernels")
    add("--kernel", default="", help="the kernel to launch; needed where there are several")
    add("--grid", default="1", help="blocks: 4 or 4,2")
    add("--block", default="", help="threads of a block: 256 or 16,16")
    add("--shared", type=int, default=0, help="bytes of dynamic shared memory")
    add("--args", default=None, help="arguments: variables, numbers, rand(1024), zeros(8) ...")
    add("--schedule", type=int, default=None, help="seed that permutes blocks, warps and lanes")
    add("--seed", type=int, default=0, help="seed of random arguments")
    add("--timeout", type=float, default=10.0, help="seconds until a kernel or program is stopped")
    add("--define", "-D", action="append", default=[], help="macro of the preprocessor")
    add("--option", action="append", default=[], help="option of the compiler: --option=-std=c++20")
    add("--include", "-I", action="append", default=[], help="folder for #include")
    add("arguments", nargs="*", help="arguments of a program")
    return parser


def cuda(shell: Shell, line: str, cell: str) -> None:
    """Runs one cell and prints what it was asked for, which is then in `_report` or `_profile`."""
    console = Console()
    try:
        chosen = _parser().parse_args(shlex.split(line))
        chosen.option += [f"-D{macro}" for macro in chosen.define]
        if chosen.sanitize and chosen.profile:
            raise Usage("--sanitize and --profile are two runs; choose one")
        # A cell of one line must not be taken for the name of a file.
        module = compile(cell + "\n", "simulator", options=chosen.option, include=chosen.include)
        if module.sources.unit.has_main:
            _program(console, chosen, cell + "\n", module, shell.user_ns)
            return
        shell.user_ns[chosen.module] = module
        if chosen.args is not None or chosen.block:
            _launch(console, chosen, module, shell.user_ns)
        else:
            for name in module.names:
                template = any(kernel.name == name and kernel.template for kernel in module.sources.unit.kernels)
                put = f'{chosen.module}["{name}"]' if template else module[name].signature
                console.print(put, markup=False, highlight=False, soft_wrap=True)
    except (Usage, CompileError, CompilerNotFoundError, LaunchError, TypeError, ValueError, TimeoutError) as error:
        console.print(f"{type(error).__name__}: {error}", style="red", markup=False, highlight=False, soft_wrap=True)


def _program(console: Console, chosen: argparse.Namespace, cell: str, module: Module, names: dict[str, Any]) -> None:
    done = run(
        cell, chosen.arguments, sanitize=chosen.sanitize, profile=chosen.profile, schedule=chosen.schedule,
        timeout=chosen.timeout, options=chosen.option, include=chosen.include,
    )  # fmt: skip
    for text, style in ((done.stdout, ""), (done.stderr, "red")):
        if text:
            console.print(text.rstrip("\n"), style=style, markup=False, highlight=False, soft_wrap=True)
    if done.returncode:
        console.print(f"exit code {done.returncode}", style="red")
    _show(console, done.report or done.profile, module, names)


def _launch(console: Console, chosen: argparse.Namespace, module: Module, names: dict[str, Any]) -> None:
    name = chosen.kernel
    if not name:
        if len(module.names) != 1:
            raise Usage(f"--kernel must choose one of {', '.join(module.names)}")
        name = module.names[0]
    try:
        kernel: Kernel = module[name]
    except KeyError as error:
        raise Usage(str(error.args[0])) from None
    values = generators.evaluate(chosen.args or "", kernel.parameters, seed=chosen.seed, names=names)
    config = (generators.dimensions(chosen.grid), generators.dimensions(chosen.block or "32"), chosen.shared)
    if chosen.sanitize:
        report = sanitize(kernel, schedule=chosen.schedule, timeout=chosen.timeout)[config](*values)
        _show(console, report, module, names)
    elif chosen.profile:
        _show(console, profile_kernel(kernel, timeout=chosen.timeout)[config](*values), module, names)
    else:
        kernel[config](*values, schedule=chosen.schedule, timeout=chosen.timeout)


def _show(console: Console, result: Report | Profile | None, module: Module, names: dict[str, Any]) -> None:
    if isinstance(result, Profile):
        names["_profile"] = result
        show.put(console, show.profile(result))
    elif result is not None:
        names["_report"] = result
        show.put(console, show.report(result, module.sources.originals))


def load_ipython_extension(shell: Shell) -> None:
    """Called by `%load_ext pyneural.cuda.magic`."""

    def cell_magic(line: str, cell: str) -> None:
        cuda(shell, line, cell)

    cell_magic.__doc__ = _parser().format_help()
    shell.register_magic_function(cell_magic, magic_kind="cell", magic_name="cuda")


def unload_ipython_extension(shell: Shell) -> None:
    """Called by `%unload_ext pyneural.cuda.magic`."""
    with contextlib.suppress(KeyError):
        del shell.magics_manager.magics["cell"]["cuda"]
