"""Two machines, as far as this one can be two: network namespaces with names and addresses of their own."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from pyneural.distributed.sentinel import SILENCE

from .launch import RANKS, environment, require_mpi, run

pytestmark = pytest.mark.xdist_group("mpi")


@dataclass
class _Machines:
    """Two namespaces, joined by a cable."""

    name: str
    addresses: tuple[str, str]

    def start(self, script: str, *arguments: str) -> list[subprocess.Popen[str]]:
        """A rank of the script on each, by torchrun's variables. TCP, though MPI could find shared memory."""
        jobs = []
        for rank, end in enumerate("ab"):
            variables = {"RANK": str(rank), "WORLD_SIZE": "2", "LOCAL_RANK": "0", "MASTER_ADDR": self.addresses[0]}
            transports = {
                "MASTER_PORT": "29500",
                "UCX_TLS": "tcp,self",
                "UCX_NET_DEVICES": "cable",
                "FI_PROVIDER": "tcp",
            }
            own = ["ip", "netns", "exec", self.name + end, "unshare", "--uts"]
            shell = ["sh", "-c", f'hostname machine-{end} && exec "$@"', "sh"]
            program = [sys.executable, "-m", "pyneural.distributed", str(RANKS / script), *arguments]
            jobs.append(
                subprocess.Popen(
                    [*own, *shell, *program],
                    stdout=subprocess.PIPE,
                    stderr=subprocess.STDOUT,
                    text=True,
                    env={**environment(), **variables, **transports},
                )
            )
        return jobs

    def pull(self) -> None:
        """Cut the cable."""
        _ip("-n", f"{self.name}a", "link", "set", "cable", "down")


def _ip(*arguments: str) -> str:
    return subprocess.run(["ip", *arguments], check=True, capture_output=True, text=True).stdout


@pytest.fixture
def machines() -> Iterator[_Machines]:
    require_mpi()
    if shutil.which("ip") is None or shutil.which("unshare") is None:
        pytest.skip("network namespaces need the commands ip and unshare: apt-get install iproute2 util-linux")
    name = f"pyneural{os.getpid()}"
    try:
        _ip("netns", "add", f"{name}a")
        _ip("netns", "add", f"{name}b")
    except subprocess.CalledProcessError as error:
        pytest.skip(f"network namespaces cannot be made here: {error.stderr.strip()}")
    try:
        _ip("link", "add", "cable", "netns", f"{name}a", "type", "veth", "peer", "name", "cable", "netns", f"{name}b")
        addresses = ("10.77.0.1", "10.77.0.2")
        for end, address in zip("ab", addresses, strict=True):
            _ip("-n", name + end, "addr", "add", f"{address}/24", "dev", "cable")
            _ip("-n", name + end, "link", "set", "cable", "up")
            _ip("-n", name + end, "link", "set", "lo", "up")
        for end in "ab":
            _wait_for_cable(name + end)
        yield _Machines(name, addresses)
    finally:
        for end in "ab":
            subprocess.run(["ip", "netns", "del", name + end], check=False, capture_output=True)


def _wait_for_cable(namespace: str) -> None:
    """MPI finds no way where the kernel has not noticed yet that the cable is plugged in."""
    begin = time.monotonic()
    while " UP " not in _ip("-n", namespace, "-br", "link", "show", "cable"):
        assert time.monotonic() - begin < 10.0
        time.sleep(0.02)


def _ended(jobs: list[subprocess.Popen[str]], seconds: float) -> list[str]:
    try:
        return [job.communicate(timeout=seconds)[0] for job in jobs]
    finally:
        for job in jobs:
            job.kill()


def test_two_machines_train_and_send_what_theory_says(
    machines: _Machines, tmp_path: Path, rng: np.random.Generator
) -> None:
    """The weights are those of two ranks of one machine; an all-reduce of two ranks moves its bytes once each way."""
    seed = str(rng.integers(2**31))
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    jobs = machines.start("training.py", str(tmp_path / "two"), seed)
    printed = _ended(jobs, 90.0)
    assert [job.returncode for job in jobs] == [0, 0], printed
    run(2, "training.py", str(tmp_path / "one"), seed)
    one, two = ((tmp_path / name / "end.safetensors").read_bytes() for name in ("one", "two"))
    assert one == two
    jobs = machines.start("traffic.py")
    printed = _ended(jobs, 90.0)
    assert [job.returncode for job in jobs] == [0, 0], printed
    found = json.loads(printed[0].splitlines()[-1])
    theory = found["bytes"]  # 2 (n - 1) / n of the gradients, for n = 2
    for received, sent in found["moved"]:
        # Beyond it there are headers, acknowledgements and signs of life.
        assert theory <= sent <= 1.1 * theory
        assert theory <= received <= 1.1 * theory


@pytest.mark.slow
def test_a_machine_that_vanishes_is_named(machines: _Machines, tmp_path: Path, rng: np.random.Generator) -> None:
    """The cable is cut: nothing tells that to a connection, only silence does."""
    jobs = machines.start("training.py", str(tmp_path), str(rng.integers(2**31)), "hang:7:0")
    begin = time.monotonic()
    while not (tmp_path / "step").exists() or (tmp_path / "step").read_text() != "7":
        assert all(job.poll() is None for job in jobs)
        assert time.monotonic() - begin < 60.0
        time.sleep(0.01)
    time.sleep(1.5)  # a sign of life has the step
    machines.pull()
    cut = time.monotonic()
    printed = _ended(jobs, SILENCE + 15.0)
    assert time.monotonic() - cut < 30.0
    assert all(job.returncode != 0 for job in jobs)
    for rank, text in ((1, printed[0]), (0, printed[1])):
        name = "machine-" + "ab"[rank]
        assert re.search(
            rf"rank {rank} of 2 \(process \d+ on {name}\) was not heard of for 15 seconds after step 7", text
        )
