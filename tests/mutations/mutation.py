"""What a mutation is: one snippet of one file, replaced by a wrong one."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePosixPath

Row = tuple[str, str, str, str] | tuple[str, str, str, str, str]


class Gone(LookupError):
    """The snippet is no longer where the mutation expects it."""


@dataclass(frozen=True)
class Mutation:
    """A wrong version of one file.

    Attributes:
        name: what is wrong, as an identifier.
        file: path in the repository.
        operations: contracts' names; the tests generated from them must notice.
        right, wrong: the snippet and what replaces it. The snippet occurs once in the file, or it is the
            first one behind ``after``, which occurs once.
    """

    name: str
    file: str
    operations: tuple[str, ...]
    right: str
    wrong: str
    after: str = ""

    @property
    def family(self) -> str:
        """The folder of the file, e.g. ``reduce`` or ``functional``."""
        return PurePosixPath(self.file).parent.name

    @property
    def in_kernel(self) -> bool:
        """True for a kernel, False for the engine above it."""
        return self.file.startswith("kernels/")

    def apply(self, text: str) -> str:
        """The file's text with the mistake in it.

        Raises:
            Gone: the snippet (or ``after``) occurs another number of times than it should.
        """
        start = 0
        if self.after:
            _once(self.after, text.count(self.after))
            start = text.index(self.after)
            _once(self.right, min(text.count(self.right, start), 1))
        else:
            _once(self.right, text.count(self.right))
        at = text.index(self.right, start)
        return text[:at] + self.wrong + text[at + len(self.right) :]


def _once(snippet: str, count: int) -> None:
    if count != 1:
        raise Gone(f"{snippet!r} occurs {count} times")


def in_file(file: str, *rows: Row) -> tuple[Mutation, ...]:
    """Mutations of one file from rows of name, operations (separated by spaces), right, wrong and perhaps after."""
    return tuple(Mutation(name, file, tuple(operations.split()), *rest) for name, operations, *rest in rows)
