"""Where the packages lie; everything else is in pyproject.toml.

``kernels/`` and ``csrc/`` stand at the top of the repository but are installed inside ``pyneural``:
a top-level module named ``kernels`` would overwrite another package of that name on PyPI.
"""

from setuptools import find_packages, setup

kernels = ["pyneural.kernels", *(f"pyneural.kernels.{name}" for name in find_packages("kernels"))]

setup(
    packages=[*find_packages(include=["pyneural", "pyneural.*"]), *kernels, "pyneural.csrc"],
    package_dir={"pyneural": "pyneural", "pyneural.kernels": "kernels", "pyneural.csrc": "csrc"},
    package_data={"pyneural": ["py.typed", "learn/lessons/**/*", "explore/page/*"], "pyneural.csrc": ["**/*"]},
)
