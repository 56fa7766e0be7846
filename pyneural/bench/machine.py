"""What was measured on: processor, clocks, system, versions, commit."""

from __future__ import annotations

import os
import pathlib
import platform
import re
import shutil
import statistics
import subprocess
import time
from importlib import metadata
from typing import Any

_SOURCES = pathlib.Path(__file__).parents[2]


def versions(*packages: str) -> dict[str, str]:
    """The versions of installed packages."""
    return {name: metadata.version(name) for name in packages}


def last_level_cache() -> int:
    """Bytes of the largest cache of a core; 32 MiB where the system does not say."""
    found = [
        int(path.read_text().strip()[:-1]) << {"K": 10, "M": 20}[path.read_text().strip()[-1]]
        for path in pathlib.Path("/sys/devices/system/cpu/cpu0/cache").glob("index*/size")
    ]
    return max(found, default=32 << 20)


def machine() -> dict[str, Any]:
    """Processor, system, Python, commit of the sources where they are a checkout, time."""
    model = platform.processor()
    names = re.findall(r"^model name\s*:\s*(.*)$", _cpuinfo(), re.MULTILINE)
    return {
        "processor": names[0] if names else model,
        "cores": os.cpu_count(),
        "load": os.getloadavg()[0],
        "system": platform.platform(),
        "python": platform.python_version(),
        "commit": _commit(),
        "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    }


def clocks(gpu: bool = False) -> dict[str, Any]:
    """The cores' median clock in MHz and the load of the last minute; with ``gpu``, what nvidia-smi says of each card.

    None where the system does not say.
    """
    found = [float(each) for each in re.findall(r"^cpu MHz\s*:\s*([\d.]+)", _cpuinfo(), re.MULTILINE)]
    now = {"cpu_mhz": statistics.median(found) if found else None, "load": os.getloadavg()[0]}
    return {**now, "gpu": _cards()} if gpu else now


def _cpuinfo() -> str:
    path = pathlib.Path("/proc/cpuinfo")
    return path.read_text() if path.exists() else ""


def _commit() -> str | None:
    if not (_SOURCES / ".git").exists() or shutil.which("git") is None:
        return None
    command = ["git", "describe", "--always", "--dirty"]
    return subprocess.run(command, cwd=_SOURCES, capture_output=True, text=True, check=False).stdout.strip()


def _cards() -> list[str] | None:
    if shutil.which("nvidia-smi") is None:
        return None
    asked = "--query-gpu=name,driver_version,clocks.sm,clocks.mem,temperature.gpu,power.draw"
    done = subprocess.run(["nvidia-smi", asked, "--format=csv,noheader"], capture_output=True, text=True, check=False)
    return done.stdout.splitlines() if done.returncode == 0 else None
