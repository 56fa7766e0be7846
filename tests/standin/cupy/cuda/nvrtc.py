"""NVRTC's functions, as CuPy binds them; the code they make is the simulator's, with the source behind it."""

from __future__ import annotations

import json
import re
from typing import Any

MARK = b"\n--standin--\n"
_programs: dict[int, dict[str, Any]] = {}


class NVRTCError(RuntimeError):
    def __init__(self, status: int) -> None:
        self.status = status
        super().__init__("NVRTC_ERROR_COMPILATION (6)")


def getVersion() -> tuple[int, int]:
    return 12, 9


def getSupportedArchs() -> tuple[int, ...]:
    return 75, 80, 86, 89, 90, 100, 120


def createProgram(src: str, name: str, headers: Any, include_names: Any) -> int:
    number = len(_programs) + 1
    _programs[number] = {"text": src, "file": name, "names": [], "log": "", "code": b""}
    return number


def destroyProgram(prog: int) -> None:
    _programs[prog] = {}


def addNameExpression(prog: int, name: str) -> None:
    _programs[prog]["names"].append(name)


def compileProgram(prog: int, options: tuple[str, ...]) -> None:
    from pyneural.cuda import CompileError

    from . import _launch

    program = _programs[prog]
    for option in options:
        if not re.fullmatch(
            r"-std=c\+\+(17|20)|--gpu-architecture=sm_\d+a?|-D\w+(=.*)?|-I.+|-lineinfo|--use_fast_math|"
            r"--device-as-default-execution-space",
            option,
        ):
            program["log"] = f"nvrtc: error: invalid value for --gpu-architecture or unknown option {option}\n"
            raise NVRTCError(5)
    given = {"text": program["text"], "file": program["file"], "options": list(options)}
    try:
        module = _launch.Loaded(given)
        for name in program["names"]:
            module.instance(name)
    except CompileError as error:
        program["log"] = "".join(
            f"{d.file}({d.line}): error: {d.message.removeprefix('error: ')}\n\n" for d in error.diagnostics
        )
        raise NVRTCError(6) from None
    program["code"] = module.module.plain.path().read_bytes() + MARK + json.dumps(given).encode()


def getCUBIN(prog: int) -> bytes:
    return bytes(_programs[prog]["code"])


def getProgramLog(prog: int) -> str:
    return str(_programs[prog]["log"])


def getLoweredName(prog: int, name: str) -> str:
    if name not in _programs[prog]["names"]:
        raise NVRTCError(10)
    return _lowered(name)


def _lowered(name: str) -> str:
    """No linker's name, but none that could be taken for the kernel's own either."""
    return f"_Z_{name.encode().hex()}"


def _raised(name: str) -> str:
    """The kernel's own name again."""
    return bytes.fromhex(name.removeprefix("_Z_")).decode()
