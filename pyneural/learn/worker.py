"""The process of one check: `python -m pyneural.learn.worker LESSON FILE SEED PIPE BYTES SECONDS`."""

from __future__ import annotations

import json
import os
import resource
import sys
from pathlib import Path

from .judge import judge
from .lesson import find


def main(lesson: str, path: str, seed: str, pipe: str, memory: str, seconds: str) -> None:
    """The verdict goes to the pipe as JSON: standard output is the kernel's own."""
    resource.setrlimit(resource.RLIMIT_AS, (int(memory), int(memory)))
    resource.setrlimit(resource.RLIMIT_CPU, (4 * int(seconds), 4 * int(seconds)))  # of all its threads
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 28, 1 << 28))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    verdict = judge(find(lesson), Path(path), int(seed))
    with os.fdopen(int(pipe), "wb") as answers:
        answers.write(json.dumps(verdict.as_dict()).encode())


if __name__ == "__main__":
    main(*sys.argv[1:])
