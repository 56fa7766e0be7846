"""Checkpoints of several ranks: rank 0 writes one file, of which any number of ranks can go on."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pyneural import io
from pyneural.random import Generator

from .group import ProcessGroup, current
from .zero import ZeroRedundancyOptimizer

if TYPE_CHECKING:
    from pyneural.data import DataLoader
    from pyneural.nn import Module
    from pyneural.optim import Optimizer

StrPath = str | os.PathLike[str]


def save_checkpoint(
    path: StrPath,
    *,
    model: Module | None = None,
    optimizer: Optimizer | None = None,
    generator: Generator | Mapping[str, Generator] | None = None,
    loader: DataLoader | None = None,
    **extra: Any,
) -> None:
    """`pyneural.io.save_checkpoint` by rank 0; all ranks call it, and return when the file is whole.

    A `ZeroRedundancyOptimizer`'s state is gathered first. The file is written beside its place, flushed to the disk and
    then moved there; it holds a checksum (SHA-256) of everything in it.

    Raises:
        RuntimeError: on all ranks, where rank 0 could not write; it has the reason.
    """
    group = current()
    if isinstance(optimizer, ZeroRedundancyOptimizer):
        optimizer.consolidate_state_dict()
    failure = None
    if group.rank == 0:
        try:
            io.save_checkpoint(path, model=model, optimizer=optimizer, generator=generator, loader=loader, **extra)
        except (OSError, TypeError) as error:
            failure = f"{type(error).__name__}: {error}"
    failure = group.broadcast_object(failure)
    if failure is not None:
        raise RuntimeError(f"save_checkpoint: rank 0 could not write {os.fspath(path)}: {failure}")


def load_checkpoint(
    path: StrPath,
    *,
    model: Module | None = None,
    optimizer: Optimizer | None = None,
    generator: Generator | Mapping[str, Generator] | None = None,
    loader: DataLoader | None = None,
) -> dict[str, Any]:
    """`pyneural.io.load_checkpoint` of the file that rank 0 sees, on all ranks, however many wrote it.

    The others need no access to the file: rank 0 sends its bytes.

    Raises:
        FileNotFoundError: rank 0 sees no such file; on all ranks.
        ValueError: as of `pyneural.io.load_checkpoint`: it is damaged, no checkpoint, or does not fit; on all ranks.
    """
    content = shared_bytes(path, current())
    if content is None:
        raise FileNotFoundError(f"load_checkpoint: rank 0 sees no file {os.fspath(path)}")
    if isinstance(optimizer, ZeroRedundancyOptimizer):
        optimizer.consolidate_state_dict()  # to be put back where the file does not fit
    return io.load_checkpoint(
        path, model=model, optimizer=optimizer, generator=generator, loader=loader, content=content
    )


def shared_bytes(path: StrPath, group: ProcessGroup) -> bytes | None:
    """What rank 0 reads there, on all ranks; None where there is no file."""
    content = None
    if group.rank == 0:
        with contextlib.suppress(FileNotFoundError):
            content = Path(path).read_bytes()
    return group.broadcast_bytes(content)
