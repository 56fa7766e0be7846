"""What launchers write into the environment, and what is wrong with it."""

from __future__ import annotations

import pytest

from pyneural.distributed.environment import Place, place

OPEN_MPI = {"OMPI_COMM_WORLD_RANK": "5", "OMPI_COMM_WORLD_SIZE": "8", "OMPI_COMM_WORLD_LOCAL_RANK": "1"}
MPICH = {"PMI_RANK": "0", "PMI_SIZE": "3", "MPI_LOCALRANKID": "0"}
SLURM = {"SLURM_PROCID": "2", "SLURM_STEP_NUM_TASKS": "4", "SLURM_LOCALID": "0"}
TORCHRUN = {"RANK": "1", "WORLD_SIZE": "2", "LOCAL_RANK": "1", "MASTER_ADDR": "10.0.0.1", "MASTER_PORT": "29500"}


def test_every_launcher_is_known() -> None:
    assert place({}) is None
    assert place(OPEN_MPI) == Place("mpiexec of Open MPI", 5, 8, 1)
    assert place(MPICH) == Place("mpiexec of MPICH", 0, 3, 0)
    assert place(SLURM) == Place("srun", 2, 4, 0)
    assert place(TORCHRUN) == Place("torchrun", 1, 2, 1, "10.0.0.1:29500")


def test_the_inner_launcher_counts() -> None:
    """mpiexec inside a step of Slurm, and variables that somebody has set."""
    assert place({**SLURM, **TORCHRUN, **MPICH}) == place(MPICH)
    assert place({**SLURM, **TORCHRUN}) == place(SLURM)
    # A batch script has a rank, but is no step.
    assert place({"SLURM_PROCID": "0", "SLURM_NTASKS": "4"}) is None
    # A local rank that is not told: every rank has a machine for itself or counts on its own.
    assert place({"PMI_RANK": "1", "PMI_SIZE": "2"}) == Place("mpiexec of MPICH", 1, 2, 1)


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({"PMI_RANK": "1"}, "mpiexec of MPICH has not set PMI_SIZE"),
        ({**MPICH, "PMI_RANK": "3"}, "says PMI_RANK=3, which is not below PMI_SIZE=3"),
        ({**MPICH, "PMI_SIZE": "x"}, "says PMI_SIZE='x', which is no number"),
        ({**MPICH, "PMI_RANK": "-1"}, "says PMI_RANK='-1', which is no number"),
        ({"RANK": "0", "WORLD_SIZE": "2"}, "RANK and WORLD_SIZE are set, but not MASTER_ADDR and MASTER_PORT"),
        ({**TORCHRUN, "MASTER_PORT": "http"}, "says MASTER_PORT='http', which is no number"),
    ],
)
def test_what_does_not_fit_is_said(variables: dict[str, str], message: str) -> None:
    with pytest.raises(RuntimeError, match=message):
        place(variables)
