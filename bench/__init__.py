"""Benchmarks: ``python -m bench.bench_<what>`` writes ``bench/results/<what>.json`` and prints a table."""
