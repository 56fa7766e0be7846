// Layer normalisation of bfloat16, half and float rows by one template, a block to a row, after the
// style of training code: kernels, launchers, a CPU reference, a validation.
#include <assert.h>
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <cuda_bf16.h>
#include <cuda_fp16.h>

#define CEIL_DIV(M, N) (((M) + (N)-1) / (N))
#define WARP_SIZE 32U

inline void cuda_check(cudaError_t error, const char *file, int line) {
    if (error != cudaSuccess) {
        printf("[CUDA ERROR] at file %s:%d:\n%s\n", file, line, cudaGetErrorString(error));
        exit(EXIT_FAILURE);
    }
}
#define cudaCheck(err) (cuda_check(err, __FILE__, __LINE__))

__device__ inline float to_float(float v) { return v; }
__device__ inline float to_float(__half v) { return __half2float(v); }
__device__ inline float to_float(__nv_bfloat16 v) { return __bfloat162float(v); }
template <class T> __device__ T from_float(float v);
template <> __device__ float from_float<float>(float v) { return v; }
template <> __device__ __half from_float<__half>(float v) { return __float2half_rn(v); }
template <> __device__ __nv_bfloat16 from_float<__nv_bfloat16>(float v) { return __float2bfloat16_rn(v); }

__device__ inline float warpReduceSum(float val) {
    for (int offset = 16; offset > 0; offset /= 2) val += __shfl_xor_sync(0xFFFFFFFF, val, offset);
    return val;
}

__device__ inline float blockReduceSum(float val) {
    __shared__ float shared_val[WARP_SIZE];
    const int lane_id = threadIdx.x % WARP_SIZE;
    const int warp_id = threadIdx.x / WARP_SIZE;
    const int num_warps = blockDim.x / WARP_SIZE;
    float warp_val = warpReduceSum(val);
    if (lane_id == 0) shared_val[warp_id] = warp_val;
    __syncthreads();
    warp_val = (lane_id < num_warps) ? shared_val[lane_id] : 0.0f;
    float block_val = warpReduceSum(warp_val);
    __syncthreads();  // the next reduction uses the same memory
    return block_val;
}

template <class T>
__global__ void layernorm_forward_kernel(T *__restrict__ out, float *__restrict__ mean, float *__restrict__ rstd,
                                         const T *__restrict__ inp, const float *__restrict__ weight,
                                         const float *__restrict__ bias, int N, int C) {
    const int idx = blockIdx.x;
    if (idx >= N) return;
    const T *x = inp + (size_t)idx * C;
    float sum = 0.0f;
    for (int i = threadIdx.x; i < C; i += blockDim.x) sum += to_float(x[i]);
    const float m = blockReduceSum(sum) / C;
    float square = 0.0f;
    for (int i = threadIdx.x; i < C; i += blockDim.x) {
        const float diff = to_float(x[i]) - m;
        square += diff * diff;
    }
    const float s = rsqrtf(blockReduceSum(square) / C + 1e-5f);
    if (threadIdx.x == 0) {
        mean[idx] = m;
        rstd[idx] = s;
    }
    T *o = out + (size_t)idx * C;
    for (int c = threadIdx.x; c < C; c += blockDim.x) o[c] = from_float<T>(s * (to_float(x[c]) - m) * weight[c] + bias[c]);
}

template <class T>
void layernorm_forward(T *out, float *mean, float *rstd, const T *inp, const float *weight, const float *bias, int N,
                       int C, int block_size) {
    assert(block_size % 32 == 0);
    layernorm_forward_kernel<<<N, block_size>>>(out, mean, rstd, inp, weight, bias, N, C);
    cudaCheck(cudaGetLastError());
}

static float round_trip(float v, float) { return v; }
static float round_trip(float v, __half) { return __half2float(__float2half(v)); }
static float round_trip(float v, __nv_bfloat16) { return __bfloat162float(__float2bfloat16(v)); }
static void put(float *to, float v) { *to = v; }
static void put(__half *to, float v) { *to = __float2half(v); }
static void put(__nv_bfloat16 *to, float v) { *to = __float2bfloat16(v); }
static float get(float v) { return v; }
static float get(__half v) { return __half2float(v); }
static float get(__nv_bfloat16 v) { return __bfloat162float(v); }

template <class T>
bool validate(const char *name, float tolerance) {
    const int N = 9, C = 101;
    T *h_in = (T *)malloc(N * C * sizeof(T)), *h_out = (T *)malloc(N * C * sizeof(T));
    float h_w[C], h_b[C], *x = (float *)malloc(N * C * sizeof(float));
    srand(7);
    for (int i = 0; i < N * C; i++) {
        x[i] = round_trip(((float)rand() / RAND_MAX) * 2 - 1 + i / C, T());
        put(&h_in[i], x[i]);
    }
    for (int i = 0; i < C; i++) { h_w[i] = 1 + i * 0.01f; h_b[i] = i % 5 - 2; }
    T *d_in, *d_out;
    float *d_w, *d_b, *d_mean, *d_rstd;
    cudaCheck(cudaMalloc(&d_in, N * C * sizeof(T)));
    cudaCheck(cudaMalloc(&d_out, N * C * sizeof(T)));
    cudaCheck(cudaMalloc(&d_w, C * sizeof(float)));
    cudaCheck(cudaMalloc(&d_b, C * sizeof(float)));
    cudaCheck(cudaMalloc(&d_mean, N * sizeof(float)));
    cudaCheck(cudaMalloc(&d_rstd, N * sizeof(float)));
    cudaCheck(cudaMemcpy(d_in, h_in, N * C * sizeof(T), cudaMemcpyHostToDevice));
    cudaCheck(cudaMemcpy(d_w, h_w, C * sizeof(float), cudaMemcpyHostToDevice));
    cudaCheck(cudaMemcpy(d_b, h_b, C * sizeof(float), cudaMemcpyHostToDevice));
    float worst = 0;
    for (int block_size : {32, 64, 128}) {
        layernorm_forward(d_out, d_mean, d_rstd, d_in, d_w, d_b, N, C, block_size);
        cudaCheck(cudaMemcpy(h_out, d_out, N * C * sizeof(T), cudaMemcpyDeviceToHost));
        for (int n = 0; n < N; n++) {
            double m = 0, v = 0;
            for (int i = 0; i < C; i++) m += x[n * C + i];
            m /= C;
            for (int i = 0; i < C; i++) v += (x[n * C + i] - m) * (x[n * C + i] - m);
            const double s = 1 / sqrt(v / C + 1e-5);
            for (int i = 0; i < C; i++)
                worst = fmaxf(worst, fabsf(get(h_out[n * C + i]) - (float)(s * (x[n * C + i] - m) * h_w[i] + h_b[i])));
        }
    }
    printf("%-5s largest error %.1e\n", name, worst);
    cudaFree(d_in); cudaFree(d_out); cudaFree(d_w); cudaFree(d_b); cudaFree(d_mean); cudaFree(d_rstd);
    free(h_in); free(h_out); free(x);
    return worst < tolerance;
}

int main(int argc, char **argv) {
    bool ok = validate<float>("float", 1e-4f);
    ok &= validate<__half>("half", 1e-2f);
    ok &= validate<__nv_bfloat16>("bf16", 5e-2f);
    printf(ok ? "PASS\n" : "FAIL\n");
    return ok ? 0 : 1;
}
