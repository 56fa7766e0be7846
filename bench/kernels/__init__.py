"""What can be known of the CUDA kernels without a GPU: machine code, registers, disassembly, simulated memory traffic.

``python -m bench.kernels.cubin`` compiles all of them, ``python -m bench.kernels.budget`` holds what the compiler
reports to its budget, ``python -m bench.kernels.traffic`` counts bytes in the simulator, and
``python -m bench.kernels.page`` writes docs/kernels.md.
"""
