"""Sentinels by themselves, as threads, with processes that are played."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from pyneural.distributed import sentinel
from pyneural.distributed.sentinel import Sentinel, addresses


@dataclass
class _Played:
    """A rank's process: what it would say, how it ended, whether it was killed."""

    control: socket.socket
    status: int = 0
    killed: threading.Event = field(default_factory=threading.Event)
    code: list[int] = field(default_factory=list)
    thread: Any = None

    def say(self, **message: Any) -> None:
        self.control.sendall(json.dumps(message).encode() + b"\n")

    def end(self, status: int = 0) -> None:
        self.status = status
        self.control.close()

    def result(self) -> int:
        self.thread.join(timeout=20.0)
        assert not self.thread.is_alive()
        return self.code[0]


@pytest.fixture
def ranks(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[_Played]]:
    """Three that have joined."""
    monkeypatch.setattr(sentinel, "BEAT", 0.05)
    monkeypatch.setattr(sentinel, "SILENCE", 2.0)
    monkeypatch.setattr(sentinel, "GRACE", 0.7)
    played, port = [], 0
    for rank in range(3):
        ours, theirs = socket.socketpair()
        process = _Played(ours)
        watcher = Sentinel(rank, 3, theirs, lambda process=process: process.status, process.killed.set)
        port = watcher.listen() if rank == 0 else port
        process.thread = threading.Thread(target=lambda w=watcher, p=process: p.code.append(w.run()), daemon=True)
        process.thread.start()
        how = {"addresses": ["127.0.0.1"], "port": port, "token": "t", "hub": "first", "who": f"played {rank}"}
        process.say(join=how)
        assert json.loads(ours.recv(1000)) == {"joined": True}
        played.append(process)
    yield played
    for each in played:
        each.control.close()


def _steps(ranks: list[_Played], *steps: int) -> None:
    for each, step in zip(ranks, steps, strict=True):
        each.say(step=step)
    time.sleep(0.2)


def test_all_end_well(ranks: list[_Played], capfd: pytest.CaptureFixture[str]) -> None:
    _steps(ranks, 3, 3, 3)
    for each in (ranks[0], ranks[2], ranks[1]):
        each.say(done=True)
        each.end()
    assert [each.result() for each in ranks] == [0, 0, 0]
    assert not any(each.killed.is_set() for each in ranks)
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("victim", [0, 1, 2])
def test_a_killed_process_is_told_by_its_own(
    ranks: list[_Played], victim: int, capfd: pytest.CaptureFixture[str]
) -> None:
    _steps(ranks, 7, 8, 9)
    ranks[victim].end(9)  # as waitpid says: killed by signal 9
    codes = [each.result() for each in ranks]
    assert codes == [137 if rank == victim else 1 for rank in range(3)]
    assert [each.killed.is_set() for each in ranks] == [rank != victim for rank in range(3)]
    assert capfd.readouterr().err == (
        f"pyneural: rank {victim} of 3 (played {victim}) was killed by signal 9 (SIGKILL) after step {7 + victim}; "
        "the job ends\n"
    )


def test_who_fails_because_of_another_is_not_named(
    ranks: list[_Played], capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rank 1 fails first, by an error of MPI's; a moment later it is known that rank 2 was killed."""
    _steps(ranks, 1, 1, 1)
    ranks[1].end(1 << 8)
    time.sleep(0.2)
    ranks[2].end(9)
    assert [each.result() for each in ranks] == [1, 1, 137]
    assert [line.split(" (")[0] for line in capfd.readouterr().err.splitlines()] == ["pyneural: rank 2 of 3"]


def test_a_failure_is_told(ranks: list[_Played], capfd: pytest.CaptureFixture[str]) -> None:
    ranks[2].end(3 << 8)
    assert [each.result() for each in ranks] == [1, 1, 3]
    assert capfd.readouterr().err == (
        "pyneural: rank 2 of 3 (played 2) ended with exit code 3 before its first step; the job ends\n"
    )


def test_a_machine_that_is_silent_is_lost(
    ranks: list[_Played], capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rank 2's sentinel says nothing any more, as after a cable was pulled: no connection ends."""
    _steps(ranks, 4, 4, 5)
    original = sentinel._Line.send

    def mute(line: Any, message: dict[str, Any]) -> None:
        if threading.current_thread() is not ranks[2].thread:
            original(line, message)

    monkeypatch.setattr(sentinel._Line, "send", mute)
    assert [each.result() for each in ranks[:2]] == [1, 1]
    assert "rank 2 of 3 (played 2) was not heard of for 2 seconds after step 5" in capfd.readouterr().err


def test_a_stranger_is_not_let_in(ranks: list[_Played], capfd: pytest.CaptureFixture[str]) -> None:
    """Without the job's token a connection is closed, and nothing else happens."""
    port = int(ranks[0].thread._target.__defaults__[0].listener.getsockname()[1])
    with socket.create_connection(("127.0.0.1", port), timeout=5.0) as stranger:
        stranger.sendall(b'{"token": "wrong", "rank": 2, "who": "x"}\n')
        assert stranger.recv(100) == b""
    with socket.create_connection(("127.0.0.1", port), timeout=5.0) as stranger:
        stranger.sendall(b"GET / HTTP/1.1\r\n\r\n")
        assert stranger.recv(100) == b""
    _steps(ranks, 1, 1, 1)
    for each in ranks:
        each.say(done=True)
        each.end()
    assert [each.result() for each in ranks] == [0, 0, 0]


def test_a_loss_is_heard_by_who_is_talking() -> None:
    """TCP may hold a short message back, and drops it where the connection is closed over data that nobody has read."""
    ours, theirs = socket.socketpair()
    killed = threading.Event()
    hub = Sentinel(0, 3, theirs, lambda: 0, killed.set)
    port, hub.token = hub.listen(), "t"
    peers = []
    for rank in (1, 2):
        peers.append(socket.create_connection(("127.0.0.1", port)))
        hub._accept()
        peers[-1].sendall(json.dumps({"token": "t", "rank": rank, "who": "played"}).encode() + b"\n")
        (line,) = [each.data for each in hub.selector.get_map().values() if each.data and each.data.rank is None]
        hub._heard(line)
    for step in range(20):  # none of which is read
        hub.peers[1].send({"step": step})
        peers[0].sendall(b'{"step": 1}\n')
    peers[1].sendall(b'{"lost": {"rank": 2}}\n')
    peers[1].shutdown(socket.SHUT_WR)
    hub.peers[1].send({"step": 20})
    assert hub._heard(hub.peers[2]) == 1
    hub.peers[1].socket.close()
    heard = bytearray()
    with contextlib.suppress(OSError):
        while more := peers[0].recv(1 << 16):
            heard += more
    for each in (*peers, hub.peers[2].socket, hub.listener, ours, theirs):
        each.close()  # type: ignore[union-attr]
    hub.selector.close()
    assert b'{"lost": {"rank": 2}}' in heard
    assert killed.is_set()


def test_this_machine_has_addresses() -> None:
    found = addresses()
    assert found[-1] == "127.0.0.1"
    assert len(set(found)) == len(found)
    assert all(socket.inet_aton(each) for each in found)
