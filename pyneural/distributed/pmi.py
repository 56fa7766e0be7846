"""What MPI's own launcher is to an MPICH process that it starts: whom to ask who the others are.

A line protocol of some ten words (PMI version 1, as in the sources of MPICH: src/pmi/src/pmi_v1.c and src/pm/hydra).
Run as a program, ``python pmi.py PORT RANKS``, it serves until its standard input ends; it needs the standard library
only.
"""

from __future__ import annotations

import os
import secrets
import socket
import sys
import threading
import time

_NAME = f"pyneural_{secrets.token_hex(8)}"  # of this job: shared memory is named after it
_LEAVE = 30.0  # seconds for ranks that are still there when rank 0 has gone


class _Store:
    """What the ranks tell each other, and where they wait for each other."""

    def __init__(self, size: int) -> None:
        self.size, self.values = size, dict[str, str]()
        self.waiting: list[socket.socket] = []
        self.ranks: set[socket.socket] = set()  # that are there
        self.broken = False  # a rank has gone without a word
        self.lock = threading.Lock()


def serve(server: socket.socket, store: _Store) -> None:
    """Answer until the server is closed; each rank has a thread, as there is little to say."""
    while True:
        try:
            connection, _ = server.accept()
        except OSError:
            return
        threading.Thread(target=_answer, args=(connection, store), name="pyneural-pmi", daemon=True).start()


def _answer(connection: socket.socket, store: _Store) -> None:
    with connection, connection.makefile("r", encoding="ascii", newline="\n") as lines:
        for line in lines:
            asked = dict(each.split("=", 1) for each in line.split() if "=" in each)
            for each in _replies(asked, connection, store):
                connection.sendall(f"{each}\n".encode())
            if asked.get("cmd") == "finalize":
                store.ranks.discard(connection)
                return
    if connection in store.ranks:
        store.broken = True


def _replies(asked: dict[str, str], connection: socket.socket, store: _Store) -> list[str]:
    command = asked.get("cmd")
    if command == "initack":
        rank = int(asked["pmiid"])
        store.ranks.add(connection)
        return ["cmd=initack rc=0", f"cmd=set size={store.size}", f"cmd=set rank={rank}", "cmd=set debug=0"]
    if command == "init":
        return ["cmd=response_to_init pmi_version=1 pmi_subversion=1 rc=0"]
    if command == "get_maxes":
        return ["cmd=maxes kvsname_max=256 keylen_max=64 vallen_max=1024 rc=0"]
    if command == "get_appnum":
        return ["cmd=appnum appnum=0 rc=0"]
    if command == "get_my_kvsname":
        return [f"cmd=my_kvsname kvsname={_NAME} rc=0"]
    if command == "get_universe_size":
        return [f"cmd=universe_size size={store.size} rc=0"]
    if command == "put":
        with store.lock:
            store.values[asked["key"]] = asked["value"]
        return ["cmd=put_result rc=0 msg=success"]
    if command == "get":
        with store.lock:
            value = store.values.get(asked["key"])
        if value is None:
            return ["cmd=get_result rc=-1 msg=key_not_found value=unknown"]
        return [f"cmd=get_result rc=0 msg=success value={value}"]
    if command == "barrier_in":
        with store.lock:
            store.waiting.append(connection)
            everyone = store.waiting if len(store.waiting) == store.size else []
            if everyone:
                store.waiting = []
        for each in everyone:
            each.sendall(b"cmd=barrier_out rc=0\n")
        return []
    if command == "finalize":
        return ["cmd=finalize_ack rc=0"]
    return [f"cmd={command}_result rc=-1 msg=unknown"]


def main(port: int, size: int) -> None:
    """Serve until the standard input has ended (whoever started this is gone) and no rank is left to answer."""
    store = _Store(size)
    with socket.create_server(("", port), backlog=max(size, 16)) as server:
        threading.Thread(target=serve, args=(server, store), daemon=True).start()
        print("ready", flush=True)
        sys.stdin.buffer.read()
    end = time.monotonic() + _LEAVE
    while store.ranks and not store.broken and time.monotonic() < end:
        time.sleep(0.01)
    os._exit(0)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
