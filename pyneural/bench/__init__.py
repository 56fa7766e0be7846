"""Benchmarks: fair races between libraries, ceilings measured on the machine, what ``pyneural bench`` shows of them."""
