"""``pyneural run``, ``pyneural sanitize`` and ``pyneural profile``: CUDA sources on the simulator."""

from __future__ import annotations

import contextlib
import json as json_module
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import typer

from pyneural import cuda
from pyneural.cuda import generators, show

from .console import Failure, Misuse, console, existing, reported

Define = Annotated[
    list[str],
    typer.Option("--define", "-D", metavar="NAME[=VALUE]", help="Macro of the preprocessor; may be given often."),
]
Options = Annotated[
    list[str], typer.Option("--option", help="Option of the compiler: --option=-std=c++20; may be given often.")
]
Include = Annotated[list[Path], typer.Option("--include", "-I", help="Folder for #include; may be given often.")]
Schedule = Annotated[
    int | None, typer.Option("--schedule", help="Seed that permutes blocks, warps and lanes; in order without it.")
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")]
Source = Annotated[Path, typer.Argument(metavar="FILE.cu", help="A CUDA source.")]
Name = Annotated[
    str,
    typer.Option("--kernel", help="The kernel, tile<32, float> for a template; the only one of the file without it."),
]
Grid = Annotated[str, typer.Option("--grid", help="Blocks: 4, or 4,2 or 4,2,1.")]
Block = Annotated[str, typer.Option("--block", help="Threads of a block: 256, or 16,16.")]
Shared = Annotated[int, typer.Option("--shared", help="Bytes of dynamic shared memory.")]
Arguments = Annotated[
    str,
    typer.Option(
        "--args",
        help="The kernel's arguments: numbers, None, and rand(1024), randn(32, 32, std=0.1), zeros(8), ones(8), "
        "arange(8), full((2, 3), 1.5), ints(8, high=100), empty(8), of the kernel's dtype or dtype=float64.",
    ),
]
Seed = Annotated[int, typer.Option("--seed", help="Of the random arguments.")]


def register(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    app.command(name="run", context_settings={"ignore_unknown_options": True})(run)
    app.command(name="sanitize")(sanitize)
    app.command(name="profile")(profile)


def run(
    file: Source,
    arguments: Annotated[
        list[str] | None, typer.Argument(metavar="[ARGS]...", help="Arguments of the program.")
    ] = None,
    sanitize: Annotated[bool, typer.Option("--sanitize", help="Check every launch.")] = False,
    profile: Annotated[bool, typer.Option("--profile", help="Count the memory accesses of every launch.")] = False,
    schedule: Schedule = None,
    timeout: Annotated[float | None, typer.Option("--timeout", help="Seconds for the whole program.")] = None,
    define: Define = [],  # noqa: B006 (typer's way to say: none)
    option: Options = [],  # noqa: B006
    include: Include = [],  # noqa: B006
    json: Json = False,
) -> None:
    """Run a whole CUDA program, with its main and its launches, on the CPU.

    The exit code is the program's own, or 1 if --sanitize found something.
    """
    with reported(), explained():
        if sanitize and profile:
            raise Misuse("--sanitize and --profile are two runs; choose one")
        if timeout is not None and not timeout > 0:
            raise Misuse(f"--timeout (={timeout}) must be positive")
        result = cuda.run(
            existing(file), arguments or (), sanitize=sanitize, profile=profile, schedule=schedule, timeout=timeout,
            options=options_of(define, option), include=tuple(include), capture=json,
        )  # fmt: skip
        report = result.report
        if json:
            shown: dict[str, Any] = {"returncode": result.returncode, "stdout": result.stdout, "stderr": result.stderr}
            if report is not None:
                shown |= report.as_dict()
            if result.profile is not None:
                shown["profile"] = result.profile.as_dict()
            typer.echo(json_module.dumps(shown, indent=2))
        elif report is not None:
            show.put(console, show.report(report, _texts(file, report)))
        elif result.profile is not None:
            show.put(console, show.profile(result.profile))
        if report is not None and not report.ok:
            raise typer.Exit(1)
        if result.returncode < 0:
            raise Failure(f"{file}: the program was ended by signal {-result.returncode}")
        if result.returncode:
            raise typer.Exit(result.returncode)


@dataclass(frozen=True)
class Launch:
    """What the options say of a launch."""

    file: Path
    kernel: str
    grid: str
    block: str
    shared: int
    args: str
    seed: int
    options: list[str] = field(default_factory=list)
    include: list[Path] = field(default_factory=list)

    def prepare(self) -> tuple[cuda.Kernel, tuple[Any, ...], list[Any]]:
        """The kernel, its configuration and its arguments; `Misuse` for what does not fit."""
        kernel, config = self.chosen()
        return kernel, config, self.values(kernel)

    def chosen(self) -> tuple[cuda.Kernel, tuple[Any, ...]]:
        """The kernel and its configuration; `Misuse` for what does not fit."""
        module = cuda.compile(existing(self.file), "simulator", options=self.options, include=tuple(self.include))
        name = self.kernel
        if not name:
            if len(module.names) != 1:
                raise Misuse(f"--kernel must choose one of {', '.join(module.names) or 'no kernels'} of {self.file}")
            name = module.names[0]
        try:
            kernel: cuda.Kernel = module[name]
        except KeyError as error:
            raise Misuse(str(error.args[0])) from None
        return kernel, (_dimensions("grid", self.grid), _dimensions("block", self.block), self.shared)

    def values(self, kernel: cuda.Kernel) -> list[Any]:
        """The arguments, made anew; `Misuse` for what does not fit."""
        try:
            return generators.evaluate(self.args, kernel.parameters, seed=self.seed)
        except (ValueError, TypeError) as error:
            raise Misuse(f"--args: {error}") from None


def sanitize(
    file: Source,
    kernel: Name = "",
    grid: Grid = "1",
    block: Block = "32",
    args: Arguments = "",
    shared: Shared = 0,
    schedule: Schedule = None,
    timeout: Annotated[float, typer.Option("--timeout", help="Seconds until a kernel counts as hanging.")] = 10.0,
    seed: Seed = 0,
    define: Define = [],  # noqa: B006
    option: Options = [],  # noqa: B006
    include: Include = [],  # noqa: B006
    json: Json = False,
) -> None:
    """Check a kernel for races, accesses out of bounds, misused barriers and more; exit code 1 if there are any."""
    with reported(), explained():
        if not timeout > 0:
            raise Misuse(f"--timeout (={timeout}) must be positive")
        launch = Launch(file, kernel, grid, block, shared, args, seed, options_of(define, option), include)
        function, config, values = launch.prepare()
        with misuse():
            report = cuda.sanitize(function, schedule=schedule, timeout=timeout)[config](*values)
        if json:
            typer.echo(json_module.dumps({"kernel": function.name, **report.as_dict()}, indent=2))
        else:
            show.put(console, show.report(report, function.module.sources.originals))
        if not report.ok:
            raise typer.Exit(1)


def profile(
    file: Source,
    kernel: Name = "",
    grid: Grid = "1",
    block: Block = "32",
    args: Arguments = "",
    shared: Shared = 0,
    seed: Seed = 0,
    define: Define = [],  # noqa: B006
    option: Options = [],  # noqa: B006
    include: Include = [],  # noqa: B006
    json: Json = False,
) -> None:
    """Count a kernel's memory accesses per source line: sectors, bank conflicts, contention of atomics."""
    with reported(), explained():
        launch = Launch(file, kernel, grid, block, shared, args, seed, options_of(define, option), include)
        function, config, values = launch.prepare()
        with misuse():
            counts = cuda.profile(function)[config](*values)
        if json:
            typer.echo(json_module.dumps({"kernel": function.name, **counts.as_dict()}, indent=2))
        else:
            show.put(console, show.profile(counts))


def options_of(define: list[str], option: list[str]) -> list[str]:
    return [*(f"-D{macro}" for macro in define), *option]


def _dimensions(name: str, text: str) -> tuple[int, ...]:
    try:
        return generators.dimensions(text)
    except ValueError as error:
        raise Misuse(f"--{name}: {error}") from None


def _texts(file: Path, report: cuda.Report) -> dict[str, str]:
    """The sources that findings name, as they lie on the disk."""
    paths = {str(file), *(finding.file for finding in report.findings)}
    return {path: Path(path).read_text(errors="replace") for path in paths if Path(path).is_file()}


@contextlib.contextmanager
def misuse() -> Iterator[None]:
    """Arguments and configurations that do not fit the kernel are wrong usage."""
    try:
        yield
    except (TypeError, ValueError) as error:
        raise Misuse(str(error)) from None


@contextlib.contextmanager
def explained() -> Iterator[None]:
    """Exceptions of pyneural.cuda become messages."""
    try:
        yield
    except (cuda.CompileError, cuda.CompilerNotFoundError, cuda.LaunchError, TimeoutError) as error:
        raise Failure(str(error)) from None
