"""Who this process is: what its launcher has written into the environment."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Place:
    """A process among those that were launched together.

    Attributes:
        launcher: what launched them.
        rank: its number, from 0.
        world_size: how many there are.
        local_rank: its number among those of its machine.
        rendezvous: where rank 0 is waited for, where MPI's own launcher has not told ("host:port").
    """

    launcher: str
    rank: int
    world_size: int
    local_rank: int
    rendezvous: str | None = None


# Launcher, and its variables of rank, world size and local rank. A job's own launcher comes before that of the batch
# system around it; torchrun's names, which anybody may set, come last.
_LAUNCHERS = (
    ("mpiexec of Open MPI", "OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_LOCAL_RANK"),
    ("mpiexec of MPICH", "PMI_RANK", "PMI_SIZE", "MPI_LOCALRANKID"),
    ("srun", "SLURM_PROCID", "SLURM_STEP_NUM_TASKS", "SLURM_LOCALID"),
    ("torchrun", "RANK", "WORLD_SIZE", "LOCAL_RANK"),
)


def place(environment: Mapping[str, str] | None = None) -> Place | None:
    """What a launcher says of this process, or of one with that environment; None where there was no launcher.

    Known are ``mpiexec`` of Open MPI and MPICH, ``srun`` (inside a step, not in a batch script), and torchrun's
    ``RANK``, ``WORLD_SIZE``, ``LOCAL_RANK``, ``MASTER_ADDR`` and ``MASTER_PORT``.

    Raises:
        RuntimeError: a variable is missing, is no number, or a rank is not below its world size.
    """
    variables = os.environ if environment is None else environment
    for launcher, rank, size, local in _LAUNCHERS:
        if rank not in variables or (launcher in ("srun", "torchrun") and size not in variables):
            continue
        number, of = _number(variables, launcher, rank), _number(variables, launcher, size)
        if not 0 <= number < of:
            raise RuntimeError(f"init: {launcher} says {rank}={number}, which is not below {size}={of}")
        beside = _number(variables, launcher, local) if local in variables else number
        return Place(launcher, number, of, beside, _rendezvous(variables) if launcher == "torchrun" else None)
    return None


def _number(variables: Mapping[str, str], launcher: str, name: str) -> int:
    text = variables.get(name)
    if text is None:
        raise RuntimeError(f"init: {launcher} has not set {name}")
    if not text.isdecimal():
        raise RuntimeError(f"init: {launcher} says {name}={text!r}, which is no number")
    return int(text)


def _rendezvous(variables: Mapping[str, str]) -> str:
    lacking = [name for name in ("MASTER_ADDR", "MASTER_PORT") if name not in variables]
    if lacking:
        raise RuntimeError(f"init: RANK and WORLD_SIZE are set, but not {' and '.join(lacking)}")
    return f"{variables['MASTER_ADDR']}:{_number(variables, 'torchrun', 'MASTER_PORT')}"
