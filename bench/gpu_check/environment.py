"""Which machine this is, and what is installed on it."""

from __future__ import annotations

import platform
import subprocess
import sys
from importlib import metadata
from typing import Any

from .run import Findings
from .steps import ROOT, find_tool

PACKAGES = (
    "numpy", "numba", "numba-cuda", "ml_dtypes", "cupy-cuda12x", "cupy-cuda13x", "torch", "pytest", "pytest-xdist",
    "nvidia-cuda-nvrtc", "nvidia-cuda-nvrtc-cu12", "nvidia-cuda-runtime", "nvidia-cuda-runtime-cu12",
)  # fmt: skip
_QUERY = "name,driver_version,memory.total,clocks.max.sm,clocks.max.mem,power.limit,mig.mode.current,pci.bus_id"


def _output(*command: str) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, cwd=ROOT)
    except (OSError, subprocess.SubprocessError) as error:
        return f"{type(error).__name__}: {error}"
    return done.stdout.strip() or done.stderr.strip()


def _tried(read: Any) -> Any:
    try:
        return read()
    except Exception as error:  # whatever is wrong is what this is here to say
        return f"{type(error).__name__}: {error}"


def packages() -> dict[str, str]:
    found = {}
    for name in PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def main() -> int:
    findings = Findings()
    findings.set("commit", _output("git", "rev-parse", "HEAD"))
    findings.set("changed_files", len(_output("git", "status", "--porcelain").splitlines()))
    findings.set("python", sys.version.split()[0])
    findings.set("machine", {"system": platform.platform(), "processor": platform.machine()})
    findings.set("packages", packages())
    findings.set("nvidia_smi", _output("nvidia-smi", f"--query-gpu={_QUERY}", "--format=csv"))
    tools = {name: find_tool(name) for name in ("nvcc", "ncu", "compute-sanitizer", "c++")}
    findings.set("tools", {name: _output(path, "--version").splitlines()[-1:] for name, path in tools.items() if path})
    from pyneural.cuda import gpu, nvrtc

    reason = gpu.obstacle()
    if reason is not None:
        findings.set("obstacle", str(reason))
        print(f"no GPU can be used: {reason}")
        return 1
    import cupy

    properties = cupy.cuda.runtime.getDeviceProperties(0)
    findings.set("card", properties["name"].decode() if isinstance(properties["name"], bytes) else properties["name"])
    findings.set("compute_capability", cupy.cuda.Device(0).compute_capability)
    findings.set("multiprocessors", _tried(lambda: int(properties["multiProcessorCount"])))
    findings.set("memory", _tried(lambda: int(cupy.cuda.Device(0).mem_info[1])))
    findings.set("driver_cuda", _tried(lambda: int(cupy.cuda.runtime.driverGetVersion())))
    findings.set("runtime_cuda", _tried(lambda: int(cupy.cuda.runtime.runtimeGetVersion())))
    findings.set("nvrtc", _tried(lambda: list(nvrtc.binding().getVersion())))
    findings.set("headers", _tried(lambda: [str(each) for each in nvrtc.headers(nvrtc.binding().getVersion()[0])]))
    print(findings.values)
    return 0


if __name__ == "__main__":
    sys.exit(main())
