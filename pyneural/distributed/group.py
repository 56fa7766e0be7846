"""`init`, and the group of all ranks that it makes."""

from __future__ import annotations

import atexit
import contextlib
import json
import math
import os
import secrets
import socket
import sys
import threading
import traceback
from collections.abc import Iterator
from types import TracebackType
from typing import Any

from pyneural import recording
from pyneural.device import Device
from pyneural.random import Generator

from . import environment, guard, mpi
from .sentinel import Sentinel, addresses
from .trace import Trace
from .work import Alone, RankLost, Transport

_MASK = (1 << 64) - 1


class ProcessGroup:
    """All ranks of a job.

    Attributes:
        rank, world_size, local_rank: as of `environment.Place`.
        host: moves what lies in host memory.
        trace: what was sent and computed when.
        step: the last one that `report_step` was told of.
    """

    def __init__(self, place: environment.Place, host: Transport, timeout: float) -> None:
        self.rank, self.world_size, self.local_rank = place.rank, place.world_size, place.local_rank
        self.launcher, self.host, self.timeout = place.launcher, host, timeout
        self.trace, self.step = Trace(place.rank), 0
        self._gpus: dict[int, Transport] = {}
        self._control: socket.socket | None = None

    def transport(self, device: Device) -> Transport:
        """What moves the arrays of a device: MPI for host memory, NCCL for a GPU's.

        With the variable ``PYNEURAL_CUDA_AWARE_MPI=1`` MPI moves those as well, which must have been built for it.
        """
        if device.type != "cuda":
            return self.host
        index = device.index or 0
        if index not in self._gpus:
            self._gpus[index] = self._gpu_transport(index)
        return self._gpus[index]

    def _gpu_transport(self, index: int) -> Transport:
        if os.environ.get("PYNEURAL_CUDA_AWARE_MPI") == "1":
            return self.host
        from .nccl import Nccl

        def share(content: bytes | None) -> bytes:
            given = self.broadcast_bytes(content)
            assert given is not None
            return given

        return Nccl(self.rank, self.world_size, share, index, self.timeout)

    # Small things, by the host's transport

    def gather_objects(self, value: Any, what: str = "gather_objects") -> list[Any]:
        """Every rank's ``value``, which JSON can hold, in their order; on all ranks."""
        if isinstance(self.host, mpi.Mpi):
            return self.host.gather_objects(value, what)
        return [json.loads(json.dumps(value))]

    def broadcast_bytes(self, content: bytes | None, source: int = 0) -> bytes | None:
        """The bytes of rank ``source``, or its None, on all ranks."""
        if isinstance(self.host, mpi.Mpi):
            return self.host.broadcast_bytes(content, source, "broadcast_bytes")
        return content

    def broadcast_object(self, value: Any = None, source: int = 0) -> Any:
        """What rank ``source`` gives and JSON can hold, on all ranks."""
        content = self.broadcast_bytes(json.dumps(value).encode() if self.rank == source else None, source)
        assert content is not None
        return json.loads(content)

    # Steps and faults

    def report_step(self, step: int) -> None:
        """Note how many steps are made: if this rank dies, its sentinel says so."""
        self.step = step
        self.tell({"step": step})

    def tell(self, message: dict[str, Any]) -> None:
        """Say something to this rank's sentinel, where there is one."""
        if self._control is not None:
            with contextlib.suppress(OSError):  # a sentinel that is gone ends this rank by itself
                self._control.sendall(json.dumps(message).encode() + b"\n")

    def watch(self) -> None:
        """Begin the watch over the other ranks: connect this rank's sentinel with rank 0's.

        Raises:
            RuntimeError: a rank cannot reach rank 0's sentinel; on all ranks.
        """
        given = os.environ.get(guard.VARIABLE)
        if given is not None:
            descriptor, port = (int(each) for each in given.split(":"))
            self._control = socket.socket(fileno=descriptor)
        else:
            self._control, theirs = socket.socketpair()
            sentinel = Sentinel(self.rank, self.world_size, theirs, None, _leave)
            port = sentinel.listen() if self.rank == 0 else 0
            threading.Thread(target=sentinel.run, name="pyneural-sentinel", daemon=True).start()
            sys.excepthook = _failed
        who = f"process {os.getpid()} on {socket.gethostname()}"
        how, answer = dict[str, Any](), dict[str, Any]()
        if self.rank == 0:
            how = {"addresses": addresses(), "port": port, "token": secrets.token_hex(16), "hub": who}
            answer = self._ask({"join": {**how, "who": who}})
        how = self.broadcast_object(how)
        if self.rank != 0:
            answer = self._ask({"join": {**how, "who": who}})
        answers = self.gather_objects(answer)
        faults = [f"rank {rank}: {each.get('why')}" for rank, each in enumerate(answers) if not each.get("joined")]
        if faults:
            raise RuntimeError(f"init: the sentinel of rank 0 (port {how['port']}) cannot be reached: {faults[0]}")

    def _ask(self, message: dict[str, Any]) -> dict[str, Any]:
        self.tell(message)
        assert self._control is not None
        content = b""
        while not content.endswith(b"\n"):
            more = self._control.recv(4096)
            if not more:
                return {"joined": False, "why": "this rank's sentinel is gone"}
            content += more
        answer: dict[str, Any] = json.loads(content)
        return answer

    def finish(self) -> None:
        """Say that this rank has done its part, and wait for the others; a process that ends does so by itself.

        MPI's own end would wait as well, but at the full cost of a core.
        """
        with contextlib.suppress(RankLost):  # a sentinel has something to say about that
            self.host.barrier("finish").wait()
        self.tell({"done": True})


_group: list[ProcessGroup] = []


def init(timeout: float = 1800.0) -> ProcessGroup:
    """Join the other processes that the launcher started; the first thing a script does.

    Ranks come from ``mpiexec`` (Open MPI, MPICH), ``srun``, or torchrun's variables (`environment.place`); without any
    there is one rank, which needs no MPI. A second call gives the same group.

    Args:
        timeout: seconds that a rank waits for the others in a collective before it raises `RankLost`.

    Raises:
        RuntimeError: launcher and MPI do not agree on who is who; the sentinels cannot reach each other.
        ImportError: mpi4py or an MPI library is missing.
        ValueError: ``timeout`` is not above 0.
    """
    if _group:
        return _group[0]
    if not timeout > 0.0:
        raise ValueError(f"init: timeout (={timeout}) must be above 0")
    place = environment.place()
    if place is None or place.world_size == 1:
        _group.append(ProcessGroup(place or environment.Place("none", 0, 1, 0), Alone(), timeout))
        return _group[0]
    if place.rendezvous is None:
        communicator = mpi.module().COMM_WORLD
    else:
        from .rendezvous import initialised

        communicator = initialised(place, timeout).COMM_WORLD
    if (communicator.rank, communicator.size) != (place.rank, place.world_size):
        raise RuntimeError(
            f"init: {place.launcher} started rank {place.rank} of {place.world_size}, but for MPI this is rank "
            f"{communicator.rank} of {communicator.size}: the launcher is not that of the MPI library at hand"
            + ("; try srun --mpi=pmi2 or --mpi=pmix" if place.launcher == "srun" else "")
        )
    group = ProcessGroup(place, mpi.Mpi(communicator, timeout), timeout)
    _group.append(group)
    _share_cores(communicator.Split_type(mpi.module().COMM_TYPE_SHARED).size)
    group.watch()
    atexit.register(group.finish)
    return group


def _share_cores(ranks: int) -> None:
    """Leave to each of so many ranks of this machine its part of the cores, unless the environment has told how many.

    Threads of several ranks on one core wait for each other at every loop's end: two ranks with two threads each were
    ten times slower on two cores than one.
    """
    if any(name in os.environ for name in ("NUMBA_NUM_THREADS", "OMP_NUM_THREADS")):
        return
    import numba

    numba.set_num_threads(max(1, numba.get_num_threads() // ranks))


def is_initialized() -> bool:
    """Whether `init` was called."""
    return bool(_group)


def current() -> ProcessGroup:
    """The group of all ranks.

    Raises:
        RuntimeError: `init` was not called.
    """
    if not _group:
        raise RuntimeError("distributed: there is no group of ranks yet; call pyneural.distributed.init() first")
    recording.gives_up("ranks talk to each other")
    return _group[0]


def get_rank() -> int:
    """This process's number, from 0."""
    return current().rank


def get_world_size() -> int:
    """How many processes there are."""
    return current().world_size


def report_step(step: int) -> None:
    """Note how many steps are made, so that a death can be told with it; nothing where there is no group."""
    if _group:
        _group[0].report_step(step)


@contextlib.contextmanager
def solo() -> Iterator[ProcessGroup]:
    """Inside, this process is a group of its own, whatever others do."""
    before = list(_group)
    _group[:] = [ProcessGroup(environment.Place("none", 0, 1, 0), Alone(), math.inf)]
    try:
        yield _group[0]
    finally:
        _group[:] = before


@contextlib.contextmanager
def own_random(*generators: Generator) -> Iterator[None]:
    """Inside, each rank draws its own numbers: a generator's seed is mixed with the rank.

    Offsets go on as ever. So the state that is left is the same on every rank, and, if a checkpoint has it, does not
    depend on how many there are. With one rank nothing changes.
    """
    rank = _group[0].rank if _group else 0
    if not rank:
        yield
        return
    seeds = [(each, each.seed) for each in {id(each): each for each in generators}.values()]
    for each, seed in seeds:
        each.seed = rank_seed(seed, rank)
    try:
        yield
    finally:
        for each, seed in seeds:
            each.seed = seed


def rank_seed(seed: int, rank: int) -> int:
    """A seed for each rank: the given one for rank 0, for others mixed by SplitMix64's finaliser.

    Source: Steele, Lea & Flood 2014, https://doi.org/10.1145/2660193.2660195.
    """
    if rank == 0:
        return seed
    z = (seed + rank * 0x9E3779B97F4A7C15) & _MASK
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & _MASK
    return z ^ (z >> 31)


def _leave() -> None:
    """End this process at once: MPI's own end would wait for the rank that is gone."""
    os._exit(1)


def _failed(kind: type[BaseException], error: BaseException, where: TracebackType | None) -> None:
    traceback.print_exception(kind, error, where)
    sys.stderr.flush()
    sys.stdout.flush()
    os._exit(1)
