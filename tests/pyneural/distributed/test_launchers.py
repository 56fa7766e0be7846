"""Other ways to start ranks: torchrun's variables, a script without a guard, a launcher that cleans nothing up."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from .launch import RANKS, environment, require_mpi, run

pytestmark = pytest.mark.xdist_group("mpi")


def _free_port() -> int:
    with socket.create_server(("", 0)) as server:
        return int(server.getsockname()[1])


def test_torchruns_variables(tmp_path: Path, rng: np.random.Generator) -> None:
    """Three processes that nobody launched together; weights as under mpiexec."""
    require_mpi()
    seed, port = str(rng.integers(2**31)), str(_free_port())
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    run(3, "training.py", str(tmp_path / "a"), seed)
    jobs = []
    for rank in (2, 0, 1):
        variables = {"RANK": str(rank), "WORLD_SIZE": "3", "LOCAL_RANK": str(rank)}
        address = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
        program = [sys.executable, "-m", "pyneural.distributed", str(RANKS / "training.py"), str(tmp_path / "b"), seed]
        jobs.append(
            subprocess.Popen(
                program,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                env={**environment(), **variables, **address},
            )
        )
    printed = [job.communicate(timeout=90)[0] for job in jobs]
    assert [job.returncode for job in jobs] == [0, 0, 0], printed
    one, other = ((tmp_path / name / "end.safetensors").read_bytes() for name in ("a", "b"))
    assert one == other


@pytest.mark.parametrize("victim", [0, 1])
def test_without_a_guard_or_a_launcher_that_ends_ranks_the_others_notice(
    tmp_path: Path, rng: np.random.Generator, victim: int
) -> None:
    """A plain script: its sentinels are threads, and the connection's end tells."""
    program = [sys.executable, str(RANKS / "training.py"), str(tmp_path), str(rng.integers(1000)), "hang:9:1"]
    job = subprocess.Popen(
        [require_mpi(), "-disable-auto-cleanup", "-n", "2", *program],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=environment(),
    )
    try:
        begin = time.monotonic()
        while not (tmp_path / "step").exists() or (tmp_path / "step").read_text() != "9":
            assert job.poll() is None, job.communicate()[0]
            assert time.monotonic() - begin < 60.0
            time.sleep(0.005)
        os.kill(int((tmp_path / f"pid-{victim}").read_text()), signal.SIGKILL)
        printed = job.communicate(timeout=30)[0]
    finally:
        job.kill()
    assert job.returncode != 0
    # The others hear of a step with the next sign of life, once a second.
    told = re.search(
        rf"rank {victim} of 2 \(process \d+ on \S+\) has vanished (after step \d|before its first)", printed
    )
    assert told, printed


_INIT = [sys.executable, "-c", "from pyneural import distributed; distributed.init()"]


def test_a_launcher_that_is_not_mpis_is_found_out() -> None:
    """Slurm says rank 1 of 4, but MPI knows of one process."""
    require_mpi()
    slurm = {"SLURM_PROCID": "1", "SLURM_STEP_NUM_TASKS": "4", "SLURM_LOCALID": "1"}
    done = subprocess.run(
        _INIT, capture_output=True, text=True, timeout=60, check=False, env={**environment(), **slurm}
    )
    assert done.returncode == 1
    assert (
        "srun started rank 1 of 4, but for MPI this is rank 0 of 1: the launcher is not that of the MPI library at "
        "hand; try srun --mpi=pmi2 or --mpi=pmix"
    ) in done.stderr


def test_without_mpi_the_cure_is_named() -> None:
    code = f"import sys; sys.modules['mpi4py'] = None; {_INIT[-1]}"
    variables = {"PMI_RANK": "0", "PMI_SIZE": "2"}
    done = subprocess.run(
        [*_INIT[:-1], code], capture_output=True, text=True, timeout=60, check=False, env={**environment(), **variables}
    )
    assert done.returncode == 1
    assert "more than one rank needs MPI" in done.stderr
    assert 'install it with: pip install "pyneural[distributed]"' in done.stderr
