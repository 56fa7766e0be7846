"""``mpiexec -n 4 python -m pyneural.distributed SCRIPT [ARGUMENTS]``: a script whose dead ranks are named."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

from .guard import guarded


def main(arguments: list[str]) -> None:
    if not arguments or arguments[0] in ("-h", "--help"):
        print(__doc__)
        sys.exit(0 if arguments else 2)
    sys.argv = arguments
    sys.path[0] = str(Path(arguments[0]).resolve().parent)
    guarded(lambda: runpy.run_path(arguments[0], run_name="__main__"))


if __name__ == "__main__":
    main(sys.argv[1:])
