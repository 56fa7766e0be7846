"""Sentinels: one beside each rank, which tell each other over TCP when a rank has died, and after which step.

A rank that is killed can say nothing itself, and the others would wait for it in a collective. Its sentinel (the parent
process, see `guard`, or else a thread of each other rank that sees the connection end) says so in one line and ends
its own rank; rank 0's sentinel, to which all are connected, passes it on. Where a machine vanishes with its sentinel,
the connection ends or stays silent for `SILENCE` seconds. Nothing of a training's data passes here.
"""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import signal
import socket
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

BEAT = 1.0  # seconds between two signs of life
SILENCE = 15.0  # seconds without one after which a sentinel counts as gone
GRACE = 2.0  # seconds in which a rank's failure may turn out to be the echo of another's death
CONNECT = 5.0  # seconds for one address of rank 0's sentinel

Message = dict[str, Any]


@dataclass
class _Line:
    """A connection that carries JSON objects, one a line."""

    socket: socket.socket
    rank: int | None = None
    heard: float = field(default_factory=time.monotonic)
    finished: bool = False
    step: int = 0
    who: str = ""
    _rest: bytes = b""

    def send(self, message: Message) -> None:
        with contextlib.suppress(OSError):  # its end is noticed where it is read
            self.socket.sendall(json.dumps(message).encode() + b"\n")

    def read(self) -> list[Message] | None:
        """What has come; None at the connection's end."""
        try:
            content = self.socket.recv(1 << 16)
        except (BlockingIOError, InterruptedError):
            return []
        except OSError:
            return None
        if not content:
            return None
        self.heard = time.monotonic()
        *lines, self._rest = (self._rest + content).split(b"\n")
        try:
            found = [json.loads(each) for each in lines]
        except ValueError:
            return None  # a stranger
        return found if all(isinstance(each, dict) for each in found) else None


class Sentinel:
    """One rank's.

    Args:
        rank, size: of its process.
        control: connection to the process: it says where rank 0's sentinel is, its steps, and that it is done.
        exited: the exit status of the process, as `os.waitpid` gives it, once ``control`` has ended; None where the
            sentinel is a thread of the process itself.
        kill: end the process, because another has died.
    """

    def __init__(
        self,
        rank: int,
        size: int,
        control: socket.socket,
        exited: Callable[[], int] | None,
        kill: Callable[[], None],
    ) -> None:
        self.rank, self.size, self.exited, self.kill = rank, size, exited, kill
        self.control = _Line(control, rank)
        self.who = ""
        self.token = ""
        self.hub: _Line | None = None  # of rank 0, where this is another
        self.peers: dict[int, _Line] = {}  # where this is rank 0
        self.told = False  # somebody has said which rank is lost
        self.over = False  # the process has ended
        self.selector = selectors.DefaultSelector()
        self.selector.register(control, selectors.EVENT_READ, self.control)
        self.listener: socket.socket | None = None

    def listen(self) -> int:
        """Open rank 0's port; returns its number."""
        self.listener = socket.create_server(("", 0), backlog=max(self.size, 16))
        self.listener.setblocking(False)
        self.selector.register(self.listener, selectors.EVENT_READ, None)
        return int(self.listener.getsockname()[1])

    def run(self) -> int:
        """Watch until the process has ended; returns the exit code that its parent should end with."""
        try:
            return self._watched()
        finally:
            for key in list(self.selector.get_map().values()):
                key.fileobj.close()  # type: ignore[union-attr]
            self.control.socket.close()
            self.selector.close()

    def _watched(self) -> int:
        beaten = time.monotonic()
        while True:
            for key, _ in self.selector.select(max(0.0, beaten + BEAT - time.monotonic())):
                if key.data is None:
                    self._accept()
                    continue
                code = self._heard(key.data)
                if code is not None:
                    return code
            now = time.monotonic()
            if now - beaten >= BEAT:
                beaten = now
                for line in self._lines():
                    line.send({"step": self.control.step})
                for line in self._lines():
                    if now - line.heard > SILENCE and not line.finished:
                        return self._lost(line, f"was not heard of for {SILENCE:g} seconds")

    def _lines(self) -> list[_Line]:
        return [self.hub] if self.hub is not None else list(self.peers.values())

    def _accept(self) -> None:
        assert self.listener is not None
        try:
            connection, _ = self.listener.accept()
        except OSError:
            return
        connection.setblocking(True)
        connection.settimeout(CONNECT)
        _at_once(connection)
        self.selector.register(connection, selectors.EVENT_READ, _Line(connection))

    def _heard(self, line: _Line) -> int | None:
        messages = line.read()
        if line is self.control:
            if messages is None:
                return self._ended()
            self._from_process(messages)
            return None
        if messages is None:
            self.selector.unregister(line.socket)
            line.socket.close()
            if line.rank is None or line.finished:
                return None
            return self._lost(line, "has vanished")
        for each in messages:
            if line.rank is None:
                if each.get("token") != self.token or not self.token:
                    self.selector.unregister(line.socket)
                    line.socket.close()
                    return None
                line.rank, line.who = int(each["rank"]), str(each["who"])
                self.peers[line.rank] = line
                line.send({"welcome": True})
                continue
            line.step = int(each.get("step", line.step))
            line.finished = line.finished or bool(each.get("done"))
            if "lost" in each:
                return self._end(each["lost"])
        return None

    def _from_process(self, messages: list[Message]) -> None:
        for each in messages:
            if "step" in each:
                self.control.step = int(each["step"])
            elif "join" in each:
                self._join(each["join"])
            elif each.get("done"):
                self.control.finished = True
                for line in self._lines():
                    line.send({"done": True})

    def _join(self, how: Message) -> None:
        """Connect with rank 0's sentinel, at the first of its addresses that answers; tell the process."""
        self.who, self.token = str(how["who"]), str(how["token"])
        if self.rank == 0:
            self.control.send({"joined": True})
            return
        failures = []
        for address in how["addresses"]:
            try:
                connection = socket.create_connection((address, int(how["port"])), timeout=CONNECT)
                _at_once(connection)
                line = _Line(connection, 0, who=str(how["hub"]))
                line.send({"token": self.token, "rank": self.rank, "who": self.who})
                if (line.read() or [{}])[0] != {"welcome": True}:
                    raise OSError("no welcome")
            except OSError as error:
                failures.append(f"{address}: {error}")
                continue
            self.hub = line
            self.selector.register(connection, selectors.EVENT_READ, line)
            self.control.send({"joined": True})
            return
        self.control.send({"joined": False, "why": "; ".join(failures)})

    def _ended(self) -> int | None:
        """The process has closed its connection: it has ended, or is about to."""
        self.selector.unregister(self.control.socket)
        if self.exited is None:
            return 0
        status, self.over = self.exited(), True
        code = os.waitstatus_to_exitcode(status)
        if code == 0:
            return self._see_off()
        if code > 0:  # perhaps it failed because another rank is gone, and somebody says so in a moment
            end = time.monotonic() + GRACE
            while not self.told and time.monotonic() < end and self._lines():
                for key, _ in self.selector.select(0.05):
                    if key.data is None:
                        self._accept()
                    elif (found := self._heard(key.data)) is not None:
                        return found
            why = f"ended with exit code {code}"
        else:
            why = f"was killed by signal {-code} ({signal.Signals(-code).name})"
        self._say(self.rank, self.who, self.control.step, why)
        for line in self._lines():
            line.send({"lost": {"rank": self.rank}})
        time.sleep(0.2)  # the others' sentinels hear of it before a launcher ends them
        return code if code > 0 else 128 - code

    def _see_off(self) -> int:
        """The process is done: rank 0's sentinel stays until the others are."""
        for line in self._lines():
            line.send({"done": True})
        while any(not each.finished for each in self.peers.values()):
            for key, _ in self.selector.select(BEAT):
                if key.data is not None and (code := self._heard(key.data)) is not None:
                    return code
            for line in self._lines():
                line.send({"done": True})
                if time.monotonic() - line.heard > SILENCE and not line.finished:
                    return self._lost(line, f"was not heard of for {SILENCE:g} seconds")
        return 0

    def _lost(self, line: _Line, why: str) -> int:
        assert line.rank is not None
        self._say(line.rank, line.who, line.step, why)
        return self._end({"rank": line.rank})

    def _end(self, lost: Message) -> int:
        """Another rank is gone, and somebody has said so: pass it on and end this one."""
        self.told = True
        for line in self._lines():
            line.send({"lost": lost})
        if not self.over:
            self.kill()
        return 1

    def _say(self, rank: int, who: str, step: int, why: str) -> None:
        self.told = True
        where = f" ({who})" if who else ""
        after = f"after step {step}" if step else "before its first step"
        text = f"pyneural: rank {rank} of {self.size}{where} {why} {after}; the job ends\n"
        sys.stderr.write(text)
        sys.stderr.flush()


def _at_once(connection: socket.socket) -> None:
    """Send each message at once. One that is held back is dropped where its sender closes over data it has not read."""
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def addresses() -> list[str]:
    """IPv4 addresses under which this machine may be reached, its own loopback last."""
    # Linux tells them at once; a name is asked for over the network, which may take minutes where that is not well.
    found = _of_interfaces() if sys.platform.startswith("linux") else _of_name()
    outer = [each for each in dict.fromkeys(found) if not each.startswith("127.")]
    return [*outer, "127.0.0.1"]


def _of_name() -> list[str]:
    with contextlib.suppress(OSError):  # it may be known nowhere
        return [str(each[4][0]) for each in socket.getaddrinfo(socket.gethostname(), None, socket.AF_INET)]
    return []


def _of_interfaces() -> list[str]:
    import fcntl
    import struct

    found = []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        for _, name in socket.if_nameindex():
            try:
                answer = fcntl.ioctl(probe, 0x8915, struct.pack("256s", name.encode()[:15]))  # SIOCGIFADDR
            except OSError:
                continue  # an interface without an address
            found.append(socket.inet_ntoa(answer[20:24]))
    return found
