// The simulator's cuda.h: of the driver API, the tensor maps of TMA.
#pragma once
#include "cuda_runtime.h"

typedef enum { CUDA_SUCCESS = 0, CUDA_ERROR_INVALID_VALUE = 1 } CUresult;
typedef unsigned int cuuint32_t;
typedef unsigned long long cuuint64_t;
typedef struct alignas(64) CUtensorMap_st { cuuint64_t opaque[16]; } CUtensorMap;
typedef enum {
  CU_TENSOR_MAP_DATA_TYPE_UINT8, CU_TENSOR_MAP_DATA_TYPE_UINT16, CU_TENSOR_MAP_DATA_TYPE_UINT32, CU_TENSOR_MAP_DATA_TYPE_INT32,
  CU_TENSOR_MAP_DATA_TYPE_UINT64, CU_TENSOR_MAP_DATA_TYPE_INT64, CU_TENSOR_MAP_DATA_TYPE_FLOAT16, CU_TENSOR_MAP_DATA_TYPE_FLOAT32,
  CU_TENSOR_MAP_DATA_TYPE_FLOAT64, CU_TENSOR_MAP_DATA_TYPE_BFLOAT16, CU_TENSOR_MAP_DATA_TYPE_FLOAT32_FTZ,
  CU_TENSOR_MAP_DATA_TYPE_TFLOAT32, CU_TENSOR_MAP_DATA_TYPE_TFLOAT32_FTZ
} CUtensorMapDataType;
typedef enum { CU_TENSOR_MAP_INTERLEAVE_NONE, CU_TENSOR_MAP_INTERLEAVE_16B, CU_TENSOR_MAP_INTERLEAVE_32B } CUtensorMapInterleave;
typedef enum {
  CU_TENSOR_MAP_SWIZZLE_NONE, CU_TENSOR_MAP_SWIZZLE_32B, CU_TENSOR_MAP_SWIZZLE_64B, CU_TENSOR_MAP_SWIZZLE_128B
} CUtensorMapSwizzle;
typedef enum {
  CU_TENSOR_MAP_L2_PROMOTION_NONE, CU_TENSOR_MAP_L2_PROMOTION_L2_64B, CU_TENSOR_MAP_L2_PROMOTION_L2_128B,
  CU_TENSOR_MAP_L2_PROMOTION_L2_256B
} CUtensorMapL2promotion;
typedef enum { CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE, CU_TENSOR_MAP_FLOAT_OOB_FILL_NAN_REQUEST_ZERO_FMA } CUtensorMapFloatOOBfill;

static inline CUresult cuTensorMapEncodeTiled(CUtensorMap* map, CUtensorMapDataType type, cuuint32_t rank, void* address,
                                              const cuuint64_t* sizes, const cuuint64_t* strides, const cuuint32_t* box,
                                              const cuuint32_t* steps, CUtensorMapInterleave interleave,
                                              CUtensorMapSwizzle swizzle, CUtensorMapL2promotion,
                                              CUtensorMapFloatOOBfill fill) {
  return pnsim_tensor_map(map, type, rank, address, sizes, strides, box, steps, interleave, swizzle, fill)
             ? CUDA_ERROR_INVALID_VALUE : CUDA_SUCCESS;
}

static inline CUresult cuTensorMapEncodeIm2col(CUtensorMap* map, CUtensorMapDataType type, cuuint32_t rank, void* address,
                                               const cuuint64_t* sizes, const cuuint64_t* strides, const int* lower,
                                               const int* upper, cuuint32_t channels, cuuint32_t pixels, const cuuint32_t* steps,
                                               CUtensorMapInterleave interleave, CUtensorMapSwizzle swizzle,
                                               CUtensorMapL2promotion, CUtensorMapFloatOOBfill fill) {
  return pnsim_tensor_map_im2col(map, type, rank, address, sizes, strides, lower, upper, channels, pixels, steps, interleave,
                                 swizzle, fill)
             ? CUDA_ERROR_INVALID_VALUE : CUDA_SUCCESS;
}

#define cudaEnableDefault 0ull
enum cudaDriverEntryPointQueryResult { cudaDriverEntryPointSuccess, cudaDriverEntryPointSymbolNotFound, cudaDriverEntryPointVersionNotSufficent };
static inline cudaError_t cudaGetDriverEntryPoint(const char* name, void** function, unsigned long long,
                                                  cudaDriverEntryPointQueryResult* result = nullptr) {
  const bool tiled = strcmp(name, "cuTensorMapEncodeTiled") == 0, known = tiled || strcmp(name, "cuTensorMapEncodeIm2col") == 0;
  *function = tiled ? reinterpret_cast<void*>(&cuTensorMapEncodeTiled) : known ? reinterpret_cast<void*>(&cuTensorMapEncodeIm2col) : nullptr;
  if (result) *result = known ? cudaDriverEntryPointSuccess : cudaDriverEntryPointSymbolNotFound;
  return cudaSuccess;
}
static inline cudaError_t cudaGetDriverEntryPointByVersion(const char* name, void** function, unsigned, unsigned long long flags,
                                                           cudaDriverEntryPointQueryResult* result = nullptr) {
  return cudaGetDriverEntryPoint(name, function, flags, result);
}
