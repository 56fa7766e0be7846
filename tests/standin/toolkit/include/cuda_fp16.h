// Where the stand-in for CuPy says that CUDA's headers are: its kernels take the simulator's instead.
