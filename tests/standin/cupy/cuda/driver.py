from __future__ import annotations


class CUDADriverError(RuntimeError):
    def __init__(self, status: int) -> None:
        self.status = status
        super().__init__({1: "CUDA_ERROR_INVALID_VALUE: invalid argument"}.get(status, f"CUDA_ERROR {status}"))
