"""Wrong versions of kernels and derivatives, and a command that shows that the generated tests catch each.

``python -m tests.mutations`` applies them one by one to a copy of the package; see `docs/mutations.md`.
"""

from __future__ import annotations

from .convolution import CONVOLUTION
from .derivatives import DERIVATIVES
from .elementwise import ELEMENTWISE
from .moving import MOVING
from .mutation import Mutation
from .normalisation import NORMALISATION
from .products import PRODUCTS
from .reductions import REDUCTIONS

MUTATIONS: tuple[Mutation, ...] = (
    *ELEMENTWISE,
    *REDUCTIONS,
    *PRODUCTS,
    *CONVOLUTION,
    *NORMALISATION,
    *MOVING,
    *DERIVATIVES,
)

__all__ = ["MUTATIONS", "Mutation"]
