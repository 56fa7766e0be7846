"""`pyneural.compile`: a step recorded once, then repeated as a flat list of kernel calls."""

from .step import Compiled, compile, watched

__all__ = ["Compiled", "compile", "watched"]
