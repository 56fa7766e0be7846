"""What a loader's worker process does, and how its batches travel.

A process is started by spawn, never by fork: threads of OpenMP do not survive a fork. A batch comes back in a
block of shared memory, a pickle with its arrays beside it, which the receiver copies out of and removes.
"""

from __future__ import annotations

import contextlib
import io
import multiprocessing
import os
import pickle
import random
import secrets
import sys
import traceback
from collections.abc import Callable, Iterator
from multiprocessing import shared_memory
from typing import Any, NamedTuple

import numpy as np

from pyneural.device import device
from pyneural.random import default_generator
from pyneural.tensor import Tensor

from .collate import default_collate

_ALIGNMENT = 64
_LONGEST = 20_000  # characters of a traceback that travel
_MASK = (1 << 64) - 1


class WorkerInfo(NamedTuple):
    """What a dataset may ask of the process it is in (`get_worker_info`)."""

    id: int
    num_workers: int
    dataset: Any


class Task(NamedTuple):
    """One batch to make: its number in the epoch, the epoch, its samples, and the seed of what is drawn for it."""

    number: int
    epoch: int
    indices: Any
    seed: int


class Parcel(NamedTuple):
    """A batch on its way: the name of a block of shared memory, and where in it the pickle and its arrays lie."""

    number: int
    epoch: int
    block: str
    places: list[tuple[int, int]]


class Failure(NamedTuple):
    """An exception on its way."""

    number: int
    epoch: int
    kind: type[BaseException] | None
    text: str


_info: list[WorkerInfo] = []


def get_worker_info() -> WorkerInfo | None:
    """In a worker process its number, how many there are, and its copy of the dataset; elsewhere None."""
    return _info[0] if _info else None


def fetch(dataset: Any, indices: list[int], collate: Callable[[list[Any]], Any] | None) -> Any:
    """One batch, sample by sample."""
    samples = [dataset[i] for i in indices]
    return default_collate(samples) if collate is None else collate(samples)


def batch_seed(stream: dict[str, int], number: int) -> int:
    """A seed for what is drawn while batch ``number`` is made: 64 bits mixed as in SplitMix64 (Steele et al. 2014)."""
    state = stream["seed"]
    for each in (stream["offset"], number):
        state = (state + 0x9E3779B97F4A7C15 * (each + 1)) & _MASK
        state = ((state ^ (state >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
        state = ((state ^ (state >> 27)) * 0x94D049BB133111EB) & _MASK
        state ^= state >> 31
    return state


@contextlib.contextmanager
def seeded(seed: int) -> Iterator[None]:
    """pyneural's, Python's and NumPy's default generators start from ``seed`` inside the block, and go on behind it."""
    ours, python, numpy = default_generator.state_dict(), random.getstate(), np.random.get_state()
    default_generator.manual_seed(seed)
    random.seed(seed)
    np.random.seed(seed & 0xFFFFFFFF)
    try:
        yield
    finally:
        default_generator.load_state_dict(ours)
        random.setstate(python)
        np.random.set_state(numpy)


def run(
    info: WorkerInfo,
    collate: Callable[[list[Any]], Any] | None,
    init: Callable[[int], Any] | None,
    default_device: str,
    pipe: Any,
) -> None:
    """The life of a worker: batches for tasks, until there is None."""
    from pyneural.device import set_default_device

    if "numba" not in sys.modules:  # workers share the cores among themselves
        os.environ["NUMBA_NUM_THREADS"] = "1"
    set_default_device(default_device)
    _info[:] = [info]
    fault: Exception | None = None
    try:
        if init is not None:
            init(info.id)
    except Exception as error:
        fault = error
    with contextlib.suppress(EOFError, OSError):  # the other end is gone
        while (task := pipe.recv()) is not None:
            made = _made(task, info.dataset, collate, fault)
            try:
                pipe.send(made)
            except OSError:
                discard(made)
                raise
    pipe.close()


def _made(task: Task, dataset: Any, collate: Callable[[list[Any]], Any] | None, fault: Exception | None) -> Any:
    """The parcel of a batch, or why there is none."""
    try:
        if fault is not None:
            raise fault
        with seeded(task.seed):
            return pack(task, fetch(dataset, task.indices, collate))
    except Exception as error:
        return Failure(task.number, task.epoch, _sendable(type(error)), traceback.format_exc()[-_LONGEST:])


def _sendable(kind: type[BaseException]) -> type[BaseException] | None:
    """The class if the other side can know it."""
    try:
        pickle.dumps(kind)
    except Exception:
        return None
    return kind


def failure(worker: int, sent: Failure) -> BaseException:
    """An exception of the worker's class whose message is the worker's traceback."""
    message = f"DataLoader: worker {worker} failed on batch {sent.number}:\n{sent.text}"
    if sent.kind is not None:
        with contextlib.suppress(Exception):
            error = sent.kind(message)
            # Classes that make something else of their argument would hide the traceback.
            if message in str(error) or isinstance(error, KeyError):
                return error
    return RuntimeError(message)


# Batches as parcels


class _Pickler(pickle.Pickler):
    def reducer_override(self, value: Any) -> Any:
        if isinstance(value, Tensor):
            host = np.ascontiguousarray(value.device.to_host(value.array))
            return _tensor, (host, host.shape, str(value.device), value.requires_grad)
        return NotImplemented


def _tensor(host: np.ndarray, shape: tuple[int, ...], name: str, requires_grad: bool) -> Tensor:
    target = device(name)
    tensor = Tensor._over(target.from_host(host.reshape(shape)), target)
    return tensor.requires_grad_() if requires_grad else tensor


def pack(task: Task, batch: Any) -> Parcel:
    """A batch as a parcel, which is small itself: a worker that sends one never waits for the other side."""
    buffers: list[pickle.PickleBuffer] = []
    stream = io.BytesIO()
    _Pickler(stream, protocol=5, buffer_callback=buffers.append).dump(batch)
    views = [memoryview(stream.getvalue()), *(each.raw() for each in buffers)]
    places, size = [], 0
    for each in views:
        places.append((size, each.nbytes))
        size += -(-each.nbytes // _ALIGNMENT) * _ALIGNMENT
    block = _block(size)
    memory: Any = block.buf
    for each, (start, length) in zip(views, places, strict=True):
        memory[start : start + length] = each
    name = block.name
    del memory  # a block cannot be closed while its memory is held
    block.close()
    return Parcel(task.number, task.epoch, name, places)


def _block(size: int) -> shared_memory.SharedMemory:
    """A new block, whose name says for which process it was made."""
    parent = multiprocessing.parent_process()
    reader = os.getpid() if parent is None else parent.pid
    while True:
        with contextlib.suppress(FileExistsError):
            return shared_memory.SharedMemory(f"pyneural-{reader}-{secrets.token_hex(4)}", create=True, size=size)


def unpack(parcel: Parcel) -> Any:
    """The batch in a parcel, in memory of this process; the block is gone afterwards."""
    block = shared_memory.SharedMemory(parcel.block)
    try:
        source: Any = block.buf
        held: Any = np.array(np.frombuffer(source, np.uint8))
        del source
    finally:
        block.close()
        block.unlink()
    body, *views = [memoryview(held)[start : start + length] for start, length in parcel.places]
    return pickle.loads(body, buffers=views)


def discard(sent: Any) -> None:
    """Remove the block of a parcel unread."""
    if isinstance(sent, Parcel):
        with contextlib.suppress(FileNotFoundError):
            block = shared_memory.SharedMemory(sent.block)
            block.close()
            block.unlink()
