"""Random calls of every operation, drawn from its parameter space by Hypothesis.

`calls.CASES` has a function for each operation that draws one call. ``python -m tests.fuzz`` draws them by the
hour; `test_findings.py` keeps those that once failed.
"""
