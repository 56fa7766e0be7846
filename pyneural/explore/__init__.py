"""The kernel explorer: one HTML file in which a launch is looked at, warp by warp and lane by lane.

>>> from pyneural import explore
>>> explore.write("page.html", [explore.rung("matmul", 3), explore.rung("matmul", 7)])
"""

from .model import MOST, launches
from .page import page, write
from .subject import Launch, Subject, Unlaunchable, lesson, module, rung

__all__ = ["MOST", "Launch", "Subject", "Unlaunchable", "launches", "lesson", "module", "page", "rung", "write"]
