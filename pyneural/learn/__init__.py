"""Lessons in CUDA for a machine without a GPU: exercises that the simulator checks and answers in plain words."""
