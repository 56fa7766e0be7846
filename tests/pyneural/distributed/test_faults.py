"""A rank that dies ends the job soon, is named with its last step, and leaves a checkpoint from which others go on."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest

from pyneural import nn
from pyneural.distributed.sentinel import SILENCE
from pyneural.io import load_checkpoint, save_checkpoint

from .launch import command, environment, run

pytestmark = pytest.mark.xdist_group("mpi")

STEPS = 40
WITHIN = 30.0  # seconds from a death to the end of the job


def _killed(folder: Path, ranks: int, seed: int, rng: np.random.Generator) -> None:
    """Start the training, kill a rank with SIGKILL at a random moment, and see how it ends."""
    (folder / "step").unlink(missing_ok=True)
    for rank in range(ranks):
        (folder / f"pid-{rank}").unlink(missing_ok=True)
    victim, wanted = int(rng.integers(ranks)), int(rng.integers(1, STEPS - 5))
    job = subprocess.Popen(
        command(ranks, "training.py", str(folder), str(seed)),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=environment(),
    )
    try:
        begin = time.monotonic()
        while not (folder / "step").exists() or int((folder / "step").read_text() or "0") < wanted:
            assert job.poll() is None, job.communicate()[0]
            assert time.monotonic() - begin < 60.0
            time.sleep(0.001)
        time.sleep(float(rng.uniform(0.0, 0.01)))
        os.kill(int((folder / f"pid-{victim}").read_text()), signal.SIGKILL)
        killed = time.monotonic()
        printed, _ = job.communicate(timeout=WITHIN)
        assert time.monotonic() - killed < WITHIN
    finally:
        job.kill()
    assert job.returncode != 0
    said = re.search(
        rf"pyneural: rank (\d+) of {ranks} \(process \d+ on \S+\) was killed by signal 9 \(SIGKILL\) after step (\d+)",
        printed,
    )
    assert said, printed
    assert int(said[1]) == victim, printed
    assert wanted - 1 <= int(said[2]) <= STEPS
    # What is there is whole, checksum and all, and there is nothing beside it that somebody could take for it.
    step = load_checkpoint(folder / "state.safetensors")["step"]
    assert int(said[2]) - 2 <= step <= int(said[2]) + 1
    assert not _alive(folder, ranks)


def _alive(folder: Path, ranks: int) -> list[int]:
    """Ranks that live on, a moment later."""
    end = time.monotonic() + 5.0
    while True:
        left = [rank for rank in range(ranks) if _runs(int((folder / f"pid-{rank}").read_text()))]
        if not left or time.monotonic() > end:
            return left
        time.sleep(0.01)


def _runs(process: int) -> bool:
    try:
        state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


def _killed_and_again(tmp_path: Path, rng: np.random.Generator, runs: int, ranks: int) -> None:
    seed = int(rng.integers(2**31))
    whole = tmp_path / "whole"
    whole.mkdir()
    run(ranks, "training.py", str(whole), str(seed))
    expected = (whole / "end.safetensors").read_bytes()
    for number in range(runs):
        folder = tmp_path / str(number)
        folder.mkdir()
        _killed(folder, ranks, seed, rng)
        run(ranks, "training.py", str(folder), str(seed))
        assert (folder / "end.safetensors").read_bytes() == expected


def test_a_killed_rank_is_named_and_the_training_goes_on(tmp_path: Path, rng: np.random.Generator) -> None:
    _killed_and_again(tmp_path, rng, runs=2, ranks=2)


@pytest.mark.slow
def test_fifty_killed_ranks(tmp_path: Path, rng: np.random.Generator) -> None:
    for ranks, runs in ((2, 30), (3, 20)):
        folder = tmp_path / f"of-{ranks}"
        folder.mkdir()
        _killed_and_again(folder, rng, runs=runs, ranks=ranks)


def _ended(*arguments: str, seconds: float) -> str:
    """What a job that ends badly prints."""
    done = subprocess.run(
        command(2, "training.py", *arguments),
        capture_output=True,
        text=True,
        env=environment(),
        timeout=seconds,
        check=False,
    )
    assert done.returncode != 0
    return done.stdout + done.stderr


def test_an_exception_of_one_rank_ends_all(tmp_path: Path, rng: np.random.Generator) -> None:
    printed = _ended(str(tmp_path), str(rng.integers(1000)), "fail:7:1", seconds=60.0)
    assert "ArithmeticError: wrong on purpose at 7" in printed
    assert re.search(r"rank 1 of 2 \(process \d+ on \S+\) ended with exit code 1 after step 7; the job ends", printed)
    assert "rank 0 of 2" not in printed


def test_a_rank_that_does_not_come_is_waited_for_so_long(tmp_path: Path, rng: np.random.Generator) -> None:
    """It is alive, so no sentinel can tell; the group's timeout ends the wait."""
    printed = _ended(str(tmp_path), str(rng.integers(1000)), "late:4:0", seconds=60.0)
    assert re.search(r"RankLost: .*: not every rank came within 2 seconds", printed), printed


def test_silence_is_shorter_than_the_stated_time() -> None:
    assert SILENCE + 5.0 < WITHIN


@pytest.mark.parametrize("place", ["tensor", "facts"])
def test_a_damaged_checkpoint_is_refused(tmp_path: Path, rng: np.random.Generator, place: str) -> None:
    """A flipped bit that leaves the file well formed."""
    path = tmp_path / "state.safetensors"
    save_checkpoint(path, model=nn.Linear(3, 4), note="abcdef")
    assert load_checkpoint(path) == {"note": "abcdef"}
    content = bytearray(path.read_bytes())
    if place == "tensor":
        content[-int(rng.integers(1, 16 * 4))] ^= 1 << int(rng.integers(8))
    else:
        at = content.index(b"abcdef") + int(rng.integers(6))
        content[at] ^= 1  # another letter
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"is damaged: its checksum is [0-9a-f]{12}, written was [0-9a-f]{12}"):
        load_checkpoint(path)
