"""`make gpu-check`: everything that only a real NVIDIA GPU can say, in one command.

Offline, installing nothing. Each step is a process of its own with a time limit and a log; what fails is collected, and
results are written after every step. See `steps` for what there is, `__main__` for the options.
"""
