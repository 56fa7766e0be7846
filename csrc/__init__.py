"""CUDA C++ sources of pyneural, installed beside the Python package."""
