"""``pyneural explore``: a kernel's launch as one HTML file to look at."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from . import cuda
from .console import Misuse, existing, note, reported

if TYPE_CHECKING:
    from pyneural.explore import Subject
    from pyneural.learn.lesson import Lesson


def register(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command(name="explore")(explore)


def explore(
    target: Annotated[
        str, typer.Argument(metavar="FILE.cu|LESSON|LADDER", help="A source, a lesson (6), or a ladder (matmul).")
    ],
    rung: Annotated[int | None, typer.Argument(metavar="[RUNG]", help="Number of the ladder's rung.")] = None,
    beside: Annotated[
        str, typer.Option("--beside", metavar="TARGET", help="A second kernel: FILE.cu, a lesson, or matmul/7.")
    ] = "",
    out: Annotated[Path, typer.Option("--out", help="The file to write.")] = Path("explore.html"),
    size: Annotated[
        list[str], typer.Option("--size", metavar="NAME=VALUE", help="A size of a ladder's inputs; may be given often.")
    ] = [],  # noqa: B006 (typer's way to say: none)
    lesson: Annotated[str, typer.Option("--lesson", metavar="NN", help="Launch FILE.cu as this lesson does.")] = "",
    solution: Annotated[bool, typer.Option("--solution", help="The lesson's solution, once you have tried.")] = False,
    folder: Annotated[Path, typer.Option("--folder", help="Where your solutions are.")] = Path("learn"),
    kernel: cuda.Name = "",
    grid: cuda.Grid = "",
    block: cuda.Block = "32",
    args: cuda.Arguments = "",
    shared: cuda.Shared = 0,
    seed: cuda.Seed = 0,
    timeout: Annotated[float, typer.Option("--timeout", help="Seconds until a kernel counts as hanging.")] = 10.0,
    define: cuda.Define = [],  # noqa: B006
    option: cuda.Options = [],  # noqa: B006
    include: cuda.Include = [],  # noqa: B006
) -> None:
    """Write an HTML file that shows a kernel's launch: its warps, its source, each lane's way to memory."""
    from pyneural import explore as explorer

    with reported(), cuda.explained():
        if not timeout > 0:
            raise Misuse(f"--timeout (={timeout}) must be positive")
        asked = _Asked(
            _sizes(size), lesson, solution, folder, seed, kernel, grid, block, args, shared,
            cuda.options_of(define, option), include,
        )  # fmt: skip
        targets = [target if rung is None else f"{target}/{rung}", *([beside] if beside else [])]
        asked.fit(targets)
        subjects = [asked.subject(each) for each in targets]
        try:
            with cuda.misuse():
                written = explorer.write(out, subjects, timeout=timeout)
        except KeyError as error:  # a kernel that the source has not
            raise Misuse(str(error.args[0])) from None
        except OSError as error:
            raise Misuse(f"--out: {out} cannot be written: {error.strerror}") from None
        note(
            f"{out}: {' beside '.join(each.title for each in subjects)}, {written / 1000:.0f} kB; open it in a browser"
        )


@dataclass(frozen=True)
class _Asked:
    """The options, which hold for both kernels."""

    sizes: dict[str, int]
    lesson: str
    solution: bool
    folder: Path
    seed: int
    kernel: str
    grid: str
    block: str
    args: str
    shared: int
    options: list[str]
    include: list[Path]

    def fit(self, targets: list[str]) -> None:
        """`Misuse` for options that none of the targets takes."""
        kinds = {_kind(each) for each in targets}
        if self.sizes and "ladder" not in kinds:
            raise Misuse("--size is for a ladder's rungs")
        launch = self.kernel or self.grid or self.args or self.shared or self.options or self.include
        if launch and "file" not in kinds:
            raise Misuse("--kernel, --grid, --args and the compiler's options are for FILE.cu")
        if self.lesson and "file" not in kinds:
            raise Misuse("--lesson says how FILE.cu is launched; a lesson itself is named without it")
        if self.lesson and launch:
            raise Misuse(
                "--lesson brings the launch and all its options; leave out --kernel, --grid, --args and the like"
            )
        if self.solution and "lesson" not in kinds:
            raise Misuse("--solution is for a lesson")

    def subject(self, target: str) -> Subject:
        """What a target stands for; `Misuse` where it is nothing, or nothing says how it is launched."""
        kind = _kind(target)
        if kind == "file":
            return self._file(existing(Path(target)))
        return self._rung(target) if kind == "ladder" else self._lesson(target)

    def _rung(self, target: str) -> Subject:
        from pyneural import explore

        name, _, number = target.partition("/")
        if not number.isdecimal():
            raise Misuse(f"which rung of {name}? Say its number: pyneural explore {name} 1, or --beside {name}/1")
        with cuda.misuse():
            return explore.rung(name, int(number), sizes=self.sizes, seed=self.seed)

    def _lesson(self, target: str) -> Subject:
        from pyneural import explore
        from pyneural.learn.progress import Folder

        chosen = _found(target)
        place = Folder(self.folder)
        if self.solution:
            if chosen.name not in place.progress():
                raise Misuse(f"try it first: pyneural learn check {chosen.number} --folder {self.folder}")
            return explore.lesson(chosen, seed=self.seed)
        file = place.file(chosen)
        if not file.is_file():
            raise Misuse(f"there is no {file}; begin with: pyneural learn start {chosen.number}")
        return explore.lesson(chosen, file, seed=self.seed)

    def _file(self, file: Path) -> Subject:
        from pyneural import explore
        from pyneural.learn.lesson import lessons

        given = self.args or self.grid or self.kernel
        if self.lesson or not given:
            names = {each.name: each for each in lessons()}
            if self.lesson:
                return explore.lesson(_found(self.lesson), file, seed=self.seed)
            if file.stem in names:
                return explore.lesson(names[file.stem], file, seed=self.seed)
            raise Misuse(
                f"nothing says how the kernel of {file} is launched: give --kernel, --grid, --block and --args, or "
                "with --lesson a lesson that has the same kernel; what a program's own main launches cannot be explored"
            )
        launch = cuda.Launch(
            file, self.kernel, self.grid or "1", self.block, self.shared, self.args, self.seed, self.options,
            self.include,
        )  # fmt: skip
        function, (grid, block, shared) = launch.chosen()
        return explore.module(
            f"{file.name}: {function.name}", function.module, function.name, grid, block, shared,
            lambda: launch.values(function),
        )  # fmt: skip


def _kind(target: str) -> str:
    from pyneural.cuda import ladders

    if target.endswith((".cu", ".cuh")) or Path(target).is_file():
        return "file"
    return "ladder" if target.partition("/")[0] in ladders.names() else "lesson"


def _found(wanted: str) -> Lesson:
    from pyneural.cuda import ladders
    from pyneural.learn.lesson import UnknownLesson, find

    try:
        return find(wanted)
    except UnknownLesson:
        raise Misuse(
            f"{wanted} is no file, no lesson (1, 2, ... or a name of pyneural learn list) and no ladder "
            f"({', '.join(ladders.names())})"
        ) from None


def _sizes(texts: list[str]) -> dict[str, int]:
    sizes = {}
    for text in texts:
        match = re.fullmatch(r"(\w+)=(\d+)", text)
        if match is None:
            raise Misuse(f"--size (={text!r}) must be NAME=VALUE, such as m=128")
        sizes[match[1]] = int(match[2])
    return sizes
