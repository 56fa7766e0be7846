"""Random programs whose threads meet in every way CUDA knows, against exact vector clocks.

One kernel reads from a table what each of its threads shall do: access some bytes, then meet the threads of a mask by
`__syncwarp`, a vote, a shuffle, a match, a reduction, a tile, a named barrier or the block's. A model here knows what
is ordered before what. Programs without a race must have no finding and read what the model says; a program that ends
with an access the model calls a race must have one.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pyneural import cuda

SOURCE = r"""
#include <cooperative_groups.h>
#include "pyneural/ptx/warpgroup.cuh"
namespace cg = cooperative_groups;
enum { READ, WRITE, UPDATE, ATOMIC, EXIT, NOTHING };
enum {
  ALONE, SYNC, BALLOT, ANY, ALL, IDX, UP, DOWN, XOR, MATCH_ANY, MATCH_ALL, ADD, MAX, OR, TILE, COALESCED, NAMED, GROUP,
  BLOCK
};
struct Step { int action, place, width, meet; unsigned mask, value; };

template <typename T>
__device__ void act(int action, unsigned char* place, unsigned value, unsigned& sum) {
  T* at = reinterpret_cast<T*>(place);
  if (action == READ) sum += unsigned(*at);
  else if (action == WRITE) *at = T(value);
  else *at += T(value);
}

__device__ void meet(const Step& p, unsigned& sink) {
  const unsigned mask = p.mask;
  int all;
  switch (p.meet) {
    case SYNC: __syncwarp(mask); break;
    case BALLOT: sink += __ballot_sync(mask, p.value & 1); break;
    case ANY: sink += __any_sync(mask, p.value & 1); break;
    case ALL: sink += __all_sync(mask, p.value & 1); break;
    case IDX: sink += __shfl_sync(mask, p.value, p.value & 31); break;
    case UP: sink += __shfl_up_sync(mask, p.value, 1); break;
    case DOWN: sink += __shfl_down_sync(mask, p.value, 2); break;
    case XOR: sink += __shfl_xor_sync(mask, p.value, 4); break;
    case MATCH_ANY: sink += __match_any_sync(mask, p.value & 3); break;
    case MATCH_ALL: sink += __match_all_sync(mask, p.value & 3, &all); break;
    case ADD: sink += __reduce_add_sync(mask, p.value); break;
    case MAX: sink += __reduce_max_sync(mask, p.value); break;
    case OR: sink += __reduce_or_sync(mask, p.value); break;
    case TILE:
      if (mask == 0xffffffffu) cg::tiled_partition<32>(cg::this_thread_block()).sync();
      else if (__popc(mask) == 16) sink += cg::tiled_partition<16>(cg::this_thread_block()).shfl(p.value, 3);
      else if (__popc(mask) == 8) sink += cg::tiled_partition<8>(cg::this_thread_block()).any(p.value & 1);
      else cg::tiled_partition<4>(cg::this_thread_block()).sync();
      break;
    case COALESCED: {  // those of the mask that have the same bit: two groups, which meet after
      if (p.value & 1) cg::coalesced_threads().sync();
      else sink += cg::coalesced_threads().ballot(1);
      __syncwarp(mask);
      break;
    }
    case NAMED: pyneural::ptx::named_barrier_sync(p.mask >> 16, p.mask & 0xffff); break;
    case GROUP: cg::tiled_partition(cg::this_thread_block(), 64).sync(); break;
    case BLOCK: __syncthreads(); break;
  }
}

__global__ void interpret(const Step* steps, int count, unsigned char* memory, unsigned* sums, unsigned* sinks) {
  __shared__ __align__(8) unsigned char shared[32];
  if (threadIdx.x < 32) shared[threadIdx.x] = memory[threadIdx.x] = 0;
  __syncthreads();
  unsigned sum = 0, sink = 0;
  for (int i = 0; i < count; ++i) {
    const Step p = steps[i * blockDim.x + threadIdx.x];
    unsigned char* place = p.place < 32 ? shared + p.place : memory + p.place - 32;
    if (p.action == EXIT) break;
    if (p.action == ATOMIC) atomicAdd(reinterpret_cast<unsigned*>(place), p.value);
    else if (p.action != NOTHING) {
      if (p.width == 1) act<unsigned char>(p.action, place, p.value, sum);
      else if (p.width == 2) act<unsigned short>(p.action, place, p.value, sum);
      else if (p.width == 4) act<unsigned>(p.action, place, p.value, sum);
      else act<unsigned long long>(p.action, place, p.value, sum);
    }
    meet(p, sink);
  }
  sums[threadIdx.x] = sum;
  sinks[threadIdx.x] = sink;
}
"""

READ, WRITE, UPDATE, ATOMIC, EXIT, NOTHING = range(6)
CONFLICTS = (
    [WRITE, UPDATE, ATOMIC],
    [READ, WRITE, UPDATE, ATOMIC],
    [READ, WRITE, UPDATE, ATOMIC],
    [READ, WRITE, UPDATE],
)
(ALONE, SYNC, BALLOT, ANY, ALL, IDX, UP, DOWN, XOR, MATCH_ANY, MATCH_ALL, ADD, MAX, OR, TILE, COALESCED,
 NAMED, GROUP, BLOCK) = range(19)  # fmt: skip
OF_LANES = [*range(SYNC, OR + 1), COALESCED]
STEP = np.dtype(
    [("action", "i4"), ("place", "i4"), ("width", "i4"), ("meet", "i4"), ("mask", "u4"), ("value", "u4")]
)  # fmt: skip
PLACES = 64  # bytes: 32 of shared memory, 32 of global


class Model:
    """Vector clocks: `known[a, b]` steps of thread b are ordered before what thread a does next."""

    def __init__(self, threads: int) -> None:
        self.known = np.zeros((threads, threads), int)
        self.latest = np.full((len(CONFLICTS), PLACES, threads), -1)  # step of each kind of access to a byte
        self.memory = np.zeros(PLACES, np.uint8)
        self.sums = [0] * threads
        self.raced = False

    def races(self, thread: int, action: int, place: int, width: int) -> bool:
        unordered = self.latest[CONFLICTS[action], place : place + width] >= self.known[thread]
        unordered[..., thread] = False
        return bool(unordered.any())

    def act(self, thread: int, step: int, action: int, place: int, width: int, value: int) -> None:
        self.latest[action, place : place + width, thread] = step
        cells = self.memory[place : place + width]
        old = int.from_bytes(cells.tobytes(), "little")
        if action == READ:
            self.sums[thread] = (self.sums[thread] + old) % (1 << 32)
            return
        new = value if action == WRITE else old + value
        cells[:] = np.frombuffer((new % (1 << 8 * width)).to_bytes(width, "little"), np.uint8)

    def meet(self, members: np.ndarray, step: int) -> None:
        joint = self.known[members].max(axis=0)
        joint[members] = step + 1
        self.known[members] = joint


def _groups(rng: np.random.Generator, threads: int, last: bool) -> list[tuple[int, np.ndarray]]:
    """How all threads meet after a step: a way and the members of each group."""
    everybody = np.arange(threads)
    way = rng.random()
    if way < 0.07 and not last:
        return [(BLOCK, everybody)]
    if way < 0.13 and not last and threads == 128:
        return [(GROUP, everybody[:64]), (GROUP, everybody[64:])]
    groups = []
    if way < 0.2 and not last and threads > 64:
        left_out = rng.integers(threads // 32)
        groups.append((NAMED, everybody[everybody // 32 != left_out]))
        return groups
    for warp in range(threads // 32):
        lanes = everybody[warp * 32 : warp * 32 + 32]
        way = rng.random()
        if way < 0.5:
            groups.append((int(rng.choice(OF_LANES)), lanes))
        elif way < 0.7:
            size = int(rng.choice([4, 8, 16, 32]))
            groups += [(TILE, lanes[i : i + size]) for i in range(0, 32, size)]
        elif way < 0.9:  # any partition, some of it alone
            part = rng.integers(-1, 3, 32)
            groups += [(int(rng.choice(OF_LANES[:-1])), lanes[part == i]) for i in range(3) if (part == i).any()]
    return groups


def _program(rng: np.random.Generator, threads: int, steps: int, race: bool) -> tuple[np.ndarray, Model]:
    """A program and what it computes. With `race` its last access is one, if the model came upon any."""
    model = Model(threads)
    table = np.zeros((steps, threads), STEP)
    table["action"] = NOTHING
    table["value"] = rng.integers(1 << 32, size=table.shape, dtype=np.uint32)
    gone = np.zeros(threads, bool)
    busy = rng.choice([0.1, 0.4, 0.9])
    places = rng.choice(PLACES // 8, rng.integers(1, 5), replace=False) * 8
    for step in range(steps):
        last = step >= steps * 2 // 3  # from here on no barriers, and threads may end
        for thread in rng.permutation(threads):
            row = table[step, thread]
            if gone[thread]:
                continue
            if last and rng.random() < 0.02:
                row["action"], gone[thread] = EXIT, True
                continue
            for _ in range(3 if rng.random() < busy else 0):
                action = int(rng.choice([READ, READ, READ, WRITE, UPDATE, ATOMIC]))
                width = 4 if action == ATOMIC else int(rng.choice([1, 2, 4, 4, 4, 8]))
                place = int(rng.choice(places)) + int(rng.integers(8 // width)) * width
                unordered = model.races(thread, action, place, width)
                if unordered and (not race or step < steps // 3):
                    continue
                row["action"], row["place"], row["width"] = action, place, width
                model.act(thread, step, action, place, width, int(row["value"]))
                if unordered:
                    model.raced = True
                    return table, model
                break
        for way, members in _groups(rng, threads, last):
            here = members[~gone[members]]
            lanes = members if way in (SYNC, BALLOT) else here  # those may name lanes that have ended
            if (way == TILE and len(here) < len(members)) or not len(here):
                continue
            rows = table[step]
            rows["meet"][here] = way
            if way == NAMED:
                rows["mask"][here] = (1 + step % 15) << 16 | len(members)
            elif way < NAMED:
                rows["mask"][here] = np.bitwise_or.reduce(np.uint32(1) << (lanes % 32).astype(np.uint32))
            model.meet(here, step)
    return table, model


@pytest.fixture(scope="module")
def interpret() -> Any:
    return cuda.compile(SOURCE, "simulator")["interpret"]


def _run(kernel: Any, table: np.ndarray, schedule: int | None) -> tuple[cuda.Report, np.ndarray, np.ndarray]:
    steps, threads = table.shape
    memory = cuda.empty(32, np.uint8)
    sums, sinks = cuda.empty(threads, np.uint32), cuda.empty(threads, np.uint32)
    report = cuda.sanitize(kernel, schedule=schedule)[1, threads](table.ravel(), steps, memory, sums, sinks)
    return report, memory, sums


@pytest.mark.parametrize("threads", [32, 64, 128])
def test_ordered_accesses_are_no_race(interpret: Any, rng: np.random.Generator, threads: int) -> None:
    for number in range(12):
        table, model = _program(rng, threads, 21, race=False)
        report, memory, sums = _run(interpret, table, None if number % 2 else int(rng.integers(1, 1 << 30)))
        assert report.ok, (number, str(report))
        np.testing.assert_array_equal(sums, model.sums)
        np.testing.assert_array_equal(memory, model.memory[32:])


@pytest.mark.parametrize("threads", [32, 64, 128])
def test_one_unordered_access_is_found(interpret: Any, rng: np.random.Generator, threads: int) -> None:
    """Nearly always: of many readers of one place only some are remembered (docs/simulator.md, "Undetected").

    Of 1,500 programs each, 1.4 % with 32 threads were missed, 2.2 % with 64 and 5 % with 128: of 60, more than 15 are
    in less than one run in a million.
    """
    found: list[bool] = []
    while len(found) < 60:
        table, model = _program(rng, threads, 21, race=True)
        if model.raced:
            report, *_ = _run(interpret, table, None if len(found) % 2 else int(rng.integers(1, 1 << 30)))
            assert set(report.kinds) <= {"race"}
            found.append("race" in report.kinds)
    assert sum(found) >= 45
