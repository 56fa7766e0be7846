"""``tests.fuzz`` can be imported: the root of the repository is where modules are looked for."""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = str(Path(__file__).parents[2])
if ROOT not in sys.path:
    sys.path.append(ROOT)
