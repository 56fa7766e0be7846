"""Names of CUDA that the rewriter knows: sizes of types, and what the simulator cannot do."""

from __future__ import annotations

SIZES = {
    "char": 1, "bool": 1, "int8_t": 1, "uint8_t": 1, "uchar": 1, "short": 2, "half": 2, "__half": 2, "int16_t": 2,
    "uint16_t": 2, "ushort": 2, "__nv_bfloat16": 2, "nv_bfloat16": 2, "int": 4, "float": 4, "unsigned": 4, "uint": 4,
    "int32_t": 4, "uint32_t": 4, "half2": 4, "__half2": 4, "__nv_bfloat162": 4, "long": 8, "double": 8, "int64_t": 8,
    "uint64_t": 8, "size_t": 8, "float2": 8, "int2": 8, "uint2": 8, "float4": 16, "int4": 16, "uint4": 16,
    "double2": 16, "float3": 12, "int3": 12, "uint3": 12,
}  # fmt: skip

UNSUPPORTED_HEADERS = {
    "cublas": "cuBLAS", "cublasLt": "cuBLAS", "cudnn": "cuDNN", "cufft": "cuFFT", "curand": "cuRAND",
    "cusparse": "cuSPARSE", "cusolver": "cuSOLVER", "nccl": "NCCL", "thrust": "Thrust", "cub": "CUB",
    "cutlass": "CUTLASS", "cute": "CuTe", "nvtx3": "NVTX", "npp": "NPP", "nvjpeg": "nvJPEG",
    "texture_fetch_functions": "textures", "surface_functions": "surfaces", "cudaGL": "OpenGL interoperation",
    "cuda_gl_interop": "OpenGL interoperation",
}  # fmt: skip

UNSUPPORTED_WORDS = {
    "cudaTextureObject_t": "textures", "cudaSurfaceObject_t": "surfaces", "cudaBindTexture": "textures",
    "cudaCreateTextureObject": "textures", "tex1Dfetch": "textures", "tex2D": "textures", "tex3D": "textures",
    "cudaGraphLaunch": "CUDA graphs", "cudaStreamBeginCapture": "CUDA graphs", "cuLaunchKernel": "the driver API",
    "cuModuleLoad": "the driver API", "curandCreateGenerator": "cuRAND's host API",
    "curandCreateGeneratorHost": "cuRAND's host API", "curandGenerate": "cuRAND's host API",
    "curandGenerateUniform": "cuRAND's host API", "curandGenerateNormal": "cuRAND's host API",
}  # fmt: skip
